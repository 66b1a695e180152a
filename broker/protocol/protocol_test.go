package protocol

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// TestTableAsKmsg compares names, flexible versions and highest versions with kmsg.
func TestTableAsKmsg(t *testing.T) {
	listed := 0
	for k := Key(-1); k <= KeyMax+1; k++ {
		s, ok := k.spec()
		if !ok {
			continue
		}
		listed++
		req := kmsg.RequestForKey(int16(k))
		if req == nil {
			t.Fatalf("%d: kmsg does not know it", k)
		}
		if want := kmsg.NameForKey(int16(k)); !strings.EqualFold(want, s.name) &&
			!(k == AlterPartitionReassignments && want == "AlterPartitionAssignments") {
			t.Errorf("%d is %s here and %s there", k, s.name, want)
		}
		if s.max > req.MaxVersion() {
			t.Errorf("%s: version %d is more than kmsg's %d", k, s.max, req.MaxVersion())
		}
		for v := int16(0); v <= s.max; v++ {
			req.SetVersion(v)
			if k.Flexible(v) != req.IsFlexible() {
				t.Errorf("%s v%d: flexible %v here and %v there", k, v, k.Flexible(v), req.IsFlexible())
			}
		}
	}
	if listed < 55 {
		t.Errorf("only %d APIs are listed", listed)
	}
}

func TestHeaders(t *testing.T) {
	tags := []byte{2, 5, 1, 'x', 9, 0} // two: number 5 of a byte, number 9 of none
	for _, test := range []struct {
		name  string
		frame []byte
		want  Header
		body  string
		bad   bool
	}{
		{name: "old", frame: cat(0, 3, 0, 1, 0, 0, 0, 9, 0, 2, "me", "body"), want: Header{Metadata, 1, 9, "me"}, body: "body"},
		{name: "null client", frame: cat(0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff, "body"), want: Header{Metadata, 1, 9, ""}, body: "body"},
		{name: "flexible", frame: cat(0, 3, 0, 9, 0, 0, 0, 9, 0, 2, "me", 0, "body"), want: Header{Metadata, 9, 9, "me"}, body: "body"},
		{name: "unknown tags", frame: cat(0, 3, 0, 9, 0, 0, 0, 9, 0, 2, "me", string(tags), "body"), want: Header{Metadata, 9, 9, "me"}, body: "body"},
		{name: "ApiVersions 3 has tags in requests", frame: cat(0, 18, 0, 3, 0, 0, 0, 1, 0, 0, 0, "b"), want: Header{ApiVersions, 3, 1, ""}, body: "b"},
		{name: "ControlledShutdown 0 has no client id", frame: cat(0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5), want: Header{ControlledShutdown, 0, 1, ""}, body: "\x00\x00\x00\x05"},
		{name: "unknown API", frame: cat(0x7f, 1, 0, 1, 0, 0, 0, 1, 0, 0, "b"), want: Header{0x7f01, 1, 1, ""}, body: "b"},
		{name: "empty", frame: nil, bad: true},
		{name: "half", frame: cat(0, 3, 0, 1, 0, 0), bad: true},
		{name: "long client id", frame: cat(0, 3, 0, 1, 0, 0, 0, 9, 0x7f, 0xff, "me"), bad: true},
		{name: "negative client id", frame: cat(0, 3, 0, 1, 0, 0, 0, 9, 0x80, 0, "me"), bad: true},
		{name: "no tags", frame: cat(0, 3, 0, 9, 0, 0, 0, 9, 0, 2, "me"), bad: true},
		{name: "tag bomb", frame: cat(0, 3, 0, 9, 0, 0, 0, 9, 0, 2, "me", 0xff, 0xff, 0xff, 0xff, 0x0f), bad: true},
		{name: "large tag", frame: cat(0, 3, 0, 9, 0, 0, 0, 9, 0, 2, "me", 1, 0, 0xff, 0xff, 0xff, 0xff, 0x07, "x"), bad: true},
		{name: "endless uvarint", frame: cat(0, 3, 0, 9, 0, 0, 0, 9, 0, 2, "me", strings.Repeat("\xff", 20)), bad: true},
	} {
		h, body, err := ParseHeader(test.frame)
		if test.bad {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: got %v, want ErrMalformed", test.name, err)
			}
			continue
		}
		if err != nil || h != test.want || string(body) != test.body {
			t.Errorf("%s: got %+v %q %v, want %+v %q", test.name, h, body, err, test.want, test.body)
		}
	}
}

// cat joins bytes and strings.
func cat(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case string:
			b = append(b, p...)
		}
	}
	return b
}

func TestHeaderRoundTrip(t *testing.T) {
	for k := range KeyMax + 1 {
		s, ok := k.spec()
		for v := int16(0); ok && v <= s.max; v++ {
			h := Header{k, v, 5, "client"}
			if k == ControlledShutdown && v == 0 {
				h.ClientID = ""
			}
			if got, body, err := ParseHeader(append(AppendHeader(nil, h), "rest"...)); err != nil || got != h || string(body) != "rest" {
				t.Errorf("%s v%d: got %+v %q %v", k, v, got, body, err)
			}
			id, body, err := ParseResponseHeader(append(AppendResponseHeader(nil, k, v, 5), "rest"...), k, v)
			if err != nil || id != 5 || string(body) != "rest" {
				t.Errorf("response to %s v%d: got %d %q %v", k, v, id, body, err)
			}
		}
	}
	for v := int16(0); v <= 4; v++ {
		if got := AppendResponseHeader(nil, ApiVersions, v, 1); len(got) != 4 {
			t.Errorf("ApiVersions v%d has a response header of %d bytes, and clients read 4", v, len(got))
		}
	}
}

// TestWhatOldClientsTest: librdkafka before 2.11 takes a feature for absent unless these
// versions are announced.
func TestWhatOldClientsTest(t *testing.T) {
	table := NewTable(Produce, Fetch, FindCoordinator, JoinGroup, SaslHandshake, SaslAuthenticate, ApiVersions, OffsetCommit, OffsetFetch,
		ListOffsets, InitProducerID, SyncGroup, Heartbeat, LeaveGroup)
	for _, f := range []struct {
		feature string
		key     Key
		min     int16
		max     int16
	}{
		{"gzip, snappy, lz4", Produce, 0, 0}, {"zstd", Produce, 7, 7}, {"zstd", Fetch, 10, 10}, {"MsgVer2", Produce, 3, 3}, {"MsgVer2", Fetch, 4, 4},
		{"ThrottleTime", Fetch, 1, 2}, {"BrokerGroupCoord", FindCoordinator, 0, 0}, {"SaslHandshake", SaslHandshake, 0, 0},
		{"SaslAuthReq", SaslHandshake, 1, 1}, {"SaslAuthReq", SaslAuthenticate, 0, 0}, {"GSSAPI", JoinGroup, 0, 0}, {"ApiVersion", ApiVersions, 0, 0},
		{"BalancedConsumer", OffsetCommit, 1, 2}, {"BalancedConsumer", OffsetFetch, 1, 1}, {"OffsetTime", ListOffsets, 1, 1},
		{"IdempotentProducer", InitProducerID, 0, 0},
	} {
		if !table.Serves(f.key, f.min) || !table.Serves(f.key, f.max) {
			t.Errorf("%s: %s %d–%d is not announced", f.feature, f.key, f.min, f.max)
		}
	}
	if table.Has(Metadata) || table.Serves(Produce, 12) || table.Serves(-1, 0) || table.Serves(KeyMax+1, 0) || table.Serves(Produce, -1) {
		t.Error("something is served that is not")
	}
	table.Limit(Fetch, 11)
	if table.Max(Fetch) != 11 || table.Max(Metadata) != -1 {
		t.Error("limits are not heeded")
	}
}

func TestApiVersionsAnswers(t *testing.T) {
	table := NewTable(ApiVersions, Produce)
	body := func(name, version string) []byte {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, name, version
		return req.AppendTo(nil)
	}
	// Too new: error 35 in the form of version 0, with 18's own versions.
	resp, err := table.AnswerApiVersions(9, []byte("whatever"), Features{})
	if err != nil || resp.ErrorCode != int16(kerror.UnsupportedVersion) || resp.Version != 0 || len(resp.ApiKeys) != 1 ||
		resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 4 {
		t.Errorf("version 9: %+v %v", resp, err)
	}
	golden := cat(0, 0, 0, 16, 0, 0, 0, 3, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4)
	if got := AppendResponse(nil, 3, resp); !bytes.Equal(got, golden) {
		t.Errorf("on the wire %x, want %x", got, golden)
	}
	for _, test := range []struct {
		name, version string
		want          kerror.Code
	}{
		{"librdkafka", "2.0.2", kerror.OK}, {"apache-kafka-java", "3.9.0-SNAPSHOT", kerror.OK}, {"a", "1", kerror.OK},
		{"", "1", kerror.InvalidRequest}, {"a b", "1", kerror.InvalidRequest}, {"-a", "1", kerror.InvalidRequest}, {"a", "1.", kerror.InvalidRequest},
	} {
		resp, err := table.AnswerApiVersions(3, body(test.name, test.version), Features{})
		if err != nil || resp.ErrorCode != int16(test.want) {
			t.Errorf("%q %q: %d %v, want %s", test.name, test.version, resp.ErrorCode, err, test.want)
		}
	}
	if _, err := table.AnswerApiVersions(3, []byte{1}, Features{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("half a body: %v", err)
	}
	features := Features{Supported: []Feature{{"zero", 0, 1}, {"one", 1, 2}}, Epoch: 7, Finalized: []Feature{{"one", 1, 1}}}
	for version, supported := range map[int16]int{3: 1, 4: 2} {
		resp, err := table.AnswerApiVersions(version, body("a", "1"), features)
		if err != nil || len(resp.SupportedFeatures) != supported || len(resp.FinalizedFeatures) != 1 || resp.FinalizedFeaturesEpoch != 7 {
			t.Errorf("features in version %d: %+v %v", version, resp, err)
		}
	}
}

// TestCountsBeforeContents: a count that the frame has no room for must not allocate.
func TestCountsBeforeContents(t *testing.T) {
	huge := cat(0x7f, 0xff, 0xff, 0xff)
	produce := append(cat(0xff, 0xff, 0, 1, 0, 0, 0, 1), huge...) // v3: null id, acks, timeout, topics
	fetch := append(make([]byte, 12), huge...)                    // v0
	nested := append(cat(0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, "t"), huge...)
	fetched := append(make([]byte, 10), huge...)
	for name, decode := range map[string]func() error{
		"produce":        func() error { return new(ProduceRequest).Decode(3, produce) },
		"nested produce": func() error { return new(ProduceRequest).Decode(3, nested) },
		"fetch":          func() error { return new(FetchRequest).Decode(0, fetch) },
		"fetched":        func() error { return new(FetchResponse).Decode(7, fetched) },
		"metadata":       func() error { _, err := Decode(Metadata, 1, huge); return err },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := decode()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
	if _, err := Decode(Metadata, 1, make([]byte, ControlFrameMax+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a body over the limit: %v", err)
	}
	if _, err := Decode(KeyMax+1000, 0, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("an unknown API: %v", err)
	}
}

type failingFile struct{ *bytes.Reader }

func (failingFile) Fd() uintptr { return NoFd }

func TestPartsOfFiles(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	file := failingFile{bytes.NewReader(data)}
	var p Parts
	p.AddBytes([]byte("head"))
	p.AddRange(Range{File: file, Offset: 10, Length: 5000})
	p.AddRange(Range{Bytes: []byte("small")})
	p.AddRange(Range{Bytes: data})
	p.AddRange(Range{})
	p.AddBytes([]byte("tail"))
	want := "head" + string(data[10:5010]) + "small" + string(data) + "tail"
	if got, err := p.AppendTo(nil); err != nil || string(got) != want || p.Len() != len(want) {
		t.Errorf("got %d bytes and length %d, want %d: %v", len(got), p.Len(), len(want), err)
	}
	if n := len(p.Append(nil)); n != 5 {
		t.Errorf("%d pieces, want 5: small ones go into those of the head", n)
	}
	p.Reset()
	p.AddRange(Range{File: file, Offset: 9000, Length: 5000})
	if got, err := p.AppendTo([]byte("x")); err == nil || string(got) != "x" {
		t.Errorf("a file that is too short: %q %v", got, err)
	}
}

func TestNewFailures(t *testing.T) {
	k := fetchResponseOf(&kmsg.FetchResponse{})
	k.Topics = []FetchedTopic{{Name: "t", Partitions: []FetchedPartition{FailedFetch(3, kerror.NotLeaderOrFollower)}}}
	var p Parts
	k.AppendTo(&p, 11, 1)
	b, err := p.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 11
	if err := resp.ReadFrom(b[8:]); err != nil {
		t.Fatal(err)
	}
	got := resp.Topics[0].Partitions[0]
	if got.RecordBatches == nil || got.ErrorCode != 6 || got.PreferredReadReplica != -1 || got.HighWatermark != -1 {
		t.Errorf("got %+v; records must be empty and not null", got)
	}
	if p := FailedProduce(1, kerror.InvalidRecord); p.BaseOffset != -1 || p.LogAppendTime != -1 || p.LogStartOffset != -1 {
		t.Errorf("got %+v", p)
	}
}
