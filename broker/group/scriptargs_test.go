package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// args are the arguments of a command.
type args struct {
	t   *testing.T
	d   *datadriven.TestData
	pos []string
}

func (a *args) has(key string) bool {
	return slices.ContainsFunc(a.d.CmdArgs, func(c datadriven.CmdArg) bool { return c.Key == key })
}

func (a *args) list(key string) []string {
	for _, c := range a.d.CmdArgs {
		if c.Key == key {
			return c.Vals
		}
	}
	return nil
}

func (a *args) str(key, def string) string {
	if v := a.list(key); len(v) > 0 {
		return v[0]
	}
	return def
}

func (a *args) ptr(key string) *string {
	if !a.has(key) {
		return nil
	}
	v := a.str(key, "")
	return &v
}

func (a *args) num(key string, def int64) int64 {
	v := a.str(key, "")
	if v == "" {
		return def
	}
	return a.parse(v)
}

func (a *args) parse(v string) int64 {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", a.d.Pos, err)
	}
	return n
}

func (a *args) dur(key string, def time.Duration) time.Duration {
	v := a.str(key, "")
	if v == "" {
		return def
	}
	return a.parseDur(v)
}

func (a *args) parseDur(v string) time.Duration {
	n, err := time.ParseDuration(v)
	if err != nil {
		a.t.Fatalf("%s: %v", a.d.Pos, err)
	}
	return n
}

func (a *args) ms(key string, def time.Duration) int32 { return int32(a.dur(key, def).Milliseconds()) }

// pairs splits (a:b,c:d).
func (a *args) pairs(key string) [][2]string {
	var out [][2]string
	for _, v := range a.list(key) {
		name, val, _ := strings.Cut(v, ":")
		out = append(out, [2]string{name, val})
	}
	return out
}

// item is a parsed T:P=OFFSET[@epoch][#metadata].
type item struct {
	topic     string
	partition int32
	offset    int64
	epoch     int32
	metadata  *string
}

func (s *script) items(a *args) []item {
	var out []item
	for _, v := range a.list("topics") {
		it := item{epoch: -1}
		if rest, m, ok := strings.Cut(v, "#"); ok {
			v, it.metadata = rest, &m
		}
		if rest, e, ok := strings.Cut(v, "@"); ok {
			v, it.epoch = rest, int32(a.parse(e))
		}
		if rest, o, ok := strings.Cut(v, "="); ok {
			v, it.offset = rest, a.parse(o)
		}
		topic, p, _ := strings.Cut(v, ":")
		it.topic, it.partition = topic, int32(a.parse(p))
		out = append(out, it)
	}
	return out
}

func slash(instance *string) string {
	if instance == nil {
		return ""
	}
	return "/" + *instance
}

// name is how a code is written.
func name(code kerror.Code) string {
	if code == kerror.OK {
		return "OK"
	}
	return fmt.Sprintf("%v(%d)", code, int16(code))
}

// metadata makes a subscription of "topics+a+b", and bytes of anything else.
func metadata(v string) []byte {
	topics := strings.Split(v, "+")
	if topics[0] != "topics" {
		return []byte(v)
	}
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics[1:]
	return m.AppendTo(nil)
}
