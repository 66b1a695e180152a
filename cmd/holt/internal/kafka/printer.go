package kafka

import (
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// newPrinter returns what appends a record in the layout, or as JSON.
func newPrinter(layout string) (func([]byte, *kgo.Record) []byte, error) {
	if layout == "json" {
		return appendJSON, nil
	}
	f, err := kgo.NewRecordFormatter(layout)
	if err != nil {
		return nil, usage("--format %s: %w", layout, err)
	}
	return f.AppendRecord, nil
}

// shownRecord is a record for programs. Bytes that are no text are told in
// base64 and said to be so.
type shownRecord struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	Offset    int64         `json:"offset"`
	Timestamp string        `json:"timestamp"`
	Key       *string       `json:"key"`
	Value     *string       `json:"value"`
	Headers   []shownHeader `json:"headers,omitempty"`
	Base64    []string      `json:"base64,omitempty"` // which of key and value are
}

type shownHeader struct {
	Key    string  `json:"key"`
	Value  *string `json:"value"`
	Base64 bool    `json:"base64,omitempty"`
}

func appendJSON(b []byte, r *kgo.Record) []byte {
	out := shownRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC().Format(time.RFC3339Nano)}
	var coded bool
	if out.Key, coded = text(r.Key); coded {
		out.Base64 = append(out.Base64, "key")
	}
	if out.Value, coded = text(r.Value); coded {
		out.Base64 = append(out.Base64, "value")
	}
	for _, h := range r.Headers {
		value, coded := text(h.Value)
		out.Headers = append(out.Headers, shownHeader{h.Key, value, coded})
	}
	line, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings always encode
	}
	return append(append(b, line...), '\n')
}

// text is b as a string, in base64 if it is no UTF-8; nil for none.
func text(b []byte) (*string, bool) {
	if b == nil {
		return nil, false
	}
	if utf8.Valid(b) {
		s := string(b)
		return &s, false
	}
	s := encode64(b)
	return &s, true
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
