package kafka

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/kadm"
)

// table is rows of text below a head.
type table struct {
	head []string
	rows [][]string
}

func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(t.head, "\t"))
	for _, r := range t.rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	return tw.Flush()
}

// show prints data as JSON, or the table.
func (b *base) show(data any, t *table) error {
	if b.output == "json" {
		return writeJSON(b.Out, data)
	}
	return t.write(b.Out)
}

func writeJSON(w io.Writer, data any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(data)
}

// topicID is an id as Kafka's tools, its files and the tree have it.
func topicID(id kadm.TopicID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ids prints broker ids as 1,2,3.
func ids(list []int32) string {
	if len(list) == 0 {
		return "-"
	}
	s := make([]string, len(list))
	for i, id := range list {
		s[i] = strconv.Itoa(int(id))
	}
	return strings.Join(s, ",")
}

// bytesText prints a size for people: 1.2 MiB.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// orDash prints a number that may be unknown, which is negative.
func orDash(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// orNil is the same for JSON.
func orNil(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// listed is the offset of a partition in answers to ListOffsets, -1 if unknown.
func listed(l kadm.ListedOffsets, topic string, partition int32) int64 {
	o, ok := l.Lookup(topic, partition)
	if !ok || o.Err != nil {
		return -1
	}
	return o.Offset
}

// parseSettings reads name=value.
func parseSettings(flag string, list []string) (map[string]string, error) {
	settings := map[string]string{}
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usage("%s %s: not name=value", flag, s)
		}
		settings[name] = value
	}
	return settings, nil
}

// parsePartitions reads 0,1,4-7. nil means all.
func parsePartitions(list []string) ([]int32, error) {
	var out []int32
	for _, s := range list {
		from, to, isRange := strings.Cut(s, "-")
		if !isRange {
			to = from
		}
		a, err1 := strconv.ParseInt(from, 10, 32)
		b, err2 := strconv.ParseInt(to, 10, 32)
		if err1 != nil || err2 != nil || a < 0 || b < a || b-a > 1<<20 {
			return nil, usage("--partitions %s: not partitions as 0,1,4-7", s)
		}
		for p := a; p <= b; p++ {
			out = append(out, int32(p))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// count prints 1 record, 2 records.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
