package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLines compares with lines of ZooKeeper 3.9.4.
func TestLines(t *testing.T) {
	at := time.Date(2026, 11, 25, 14, 5, 48, 967_000_000, time.UTC)
	const head = "2026-11-25 14:05:48,967 INFO o.a.z.a.Slf4jAuditLogger: "
	open := wire.OpenACL()
	for _, tc := range []struct {
		e    Event
		want string
	}{
		{Event{Session: 0x30002aa88910000, User: "bob,127.0.0.1", IP: "127.0.0.1", Operation: Create, Znode: "/a", ZnodeType: ZnodeType(wire.ModePersistent), Result: Success},
			head + "session=0x30002aa88910000\tuser=bob,127.0.0.1\tip=127.0.0.1\toperation=create\tznode=/a\tznode_type=persistent\tresult=success\n"},
		{Event{Session: 1, User: "u", IP: "::1", Operation: SetACL, Znode: "/a", ACL: ACL(open), Result: ResultOf(wire.OK)},
			head + "session=0x1\tuser=u\tip=::1\toperation=setAcl\tznode=/a\tacl=world:anyone:cdrwa\tresult=success\n"},
		{Event{Session: -1, User: "u", IP: "::1", Operation: Multi, Result: ResultOf(wire.ErrNoNode)},
			strings.Replace(head, "INFO", "ERROR", 1) + "session=0xffffffffffffffff\tuser=u\tip=::1\toperation=multiOperation\tresult=failure\n"},
		{Event{User: "root", Operation: ServerStop, Result: Invoked}, head + "user=root\toperation=serverStop\tresult=invoked\n"},
		{Event{Znode: "/a\tb\nc\rd\x00e\x7f\u0085\u2028é\xff", Result: Success}, head + `znode=/a\tb\nc\rd\u0000e\u007f\u0085\u2028é` + "\ufffd\tresult=success\n"},
	} {
		if got := string(tc.e.AppendTo(nil, at)); got != tc.want {
			t.Errorf("got  %q\nwant %q", got, tc.want)
		}
	}
	acl := append(open, wire.ACL{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.0/8"}})
	if got := ACL(acl); got != "world:anyone:cdrwaip:10.0.0.0/8:r" {
		t.Errorf("ACL %q", got)
	}
	ids := []wire.Identity{{Scheme: "super"}, {Scheme: "digest", ID: "super:hash"}, {Scheme: "digest", ID: "super:other"}, {Scheme: "ip", ID: "1.2.3.4"}}
	if got := Users(ids); got != "super,1.2.3.4" {
		t.Errorf("Users %q", got)
	}
}

// memory is a Sink that can be held up and made to fail.
type memory struct {
	bytes.Buffer
	gate   chan struct{}
	err    error
	closed bool
}

func (m *memory) Write(lines []byte) error {
	if m.gate != nil {
		<-m.gate
	}
	if m.err != nil {
		return m.err
	}
	m.Buffer.Write(lines)
	return nil
}

func (m *memory) Close() error { m.closed = true; return nil }

// TestFullQueue holds the sink up until the queue is full and more: no Record waits, and
// a line tells how many events are missing.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{gate: make(chan struct{})}
		l := New(Config{Sink: m})
		l.Record(Event{Znode: "/first"})
		synctest.Wait() // it is with the sink
		for i := range queueMax + 5 {
			l.Record(Event{Znode: fmt.Sprint("/", i)})
		}
		close(m.gate)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		text := m.String()
		if n := strings.Count(text, "znode="); n != queueMax+1 {
			t.Errorf("%d events written, want %d", n, queueMax+1)
		}
		if strings.Count(text, "ERROR o.a.z.a.Slf4jAuditLogger: lost=5\tresult=failure\n") != 1 {
			t.Errorf("nothing about the 5 that are missing in ...%s", text[len(text)-300:])
		}
		if got := l.Metrics(); got.Dropped.Load() != 5 || got.Events.Load() != queueMax+1 {
			t.Errorf("%d dropped, %d written", got.Dropped.Load(), got.Events.Load())
		}
		l.Record(Event{Znode: "/late"}) // does nothing
		if err := l.Close(); err != nil || !m.closed {
			t.Error("second Close:", err)
		}
	})
}

func TestFailingSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.ErrorLevel)
		m := &memory{err: errors.New("disk full")}
		l := New(Config{Sink: m, Logger: zap.New(core)})
		for range 3 {
			l.Record(Event{Znode: "/a"})
			synctest.Wait()
		}
		if logs.Len() != 1 || l.Metrics().Failed.Load() != 3 {
			t.Errorf("%d failed, log %v", l.Metrics().Failed.Load(), logs.All())
		}
		m.err = nil
		l.Record(Event{Znode: "/b"})
		synctest.Wait()
		m.err = errors.New("again")
		l.Record(Event{Znode: "/c"})
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if logs.Len() != 2 || strings.Count(m.String(), "znode=/b") != 1 {
			t.Errorf("log %v, written %q", logs.All(), m.String())
		}
	})
}

func TestNoLogRecordsNothing(t *testing.T) {
	var l *Log
	l.Record(Event{Znode: "/a"})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	m := &memory{}
	l := New(Config{Sink: m})
	l.Record(Event{Znode: "/" + strings.Repeat("a", 1<<20)})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if n := m.Len(); n > lineMax+10 || !strings.HasSuffix(m.String(), "...\n") {
		t.Errorf("%d bytes", n)
	}
}

// TestFileRollsOver writes three files' worth where two are kept besides the current one.
func TestFileRollsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("before\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(FileConfig{Path: path, BytesMax: 20, Kept: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one 3456789\n", "two 3456789\n", "three 56789\n", "a line that is longer than a file may be\n", "five\n"} {
		if err := f.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"": "five\n", ".1": "a line that is longer than a file may be\n", ".2": "three 56789\n", ".3": "",
	} {
		if b, err := os.ReadFile(path + name); string(b) != want || (err != nil) != (want == "") {
			t.Errorf("audit.log%s holds %q, %v, want %q", name, b, err, want)
		}
	}
	if _, err := OpenFile(FileConfig{Path: filepath.Join(path, "x")}); err == nil {
		t.Error("a file below a file was opened")
	}
}

func TestToLogger(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	l := New(Config{Sink: ToLogger(zap.New(core))})
	l.Record(Event{Operation: Create, Znode: "/a: b", Result: Success})
	l.Record(Event{Operation: Create, Result: Failure})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	got := logs.All()
	if len(got) != 2 || got[0].Message != "operation=create\tznode=/a: b\tresult=success" || got[0].Level != zap.InfoLevel || got[1].Level != zap.ErrorLevel {
		t.Errorf("%+v", got)
	}
}

func BenchmarkRecord(b *testing.B) {
	l := New(Config{Sink: &memory{}})
	e := Event{Session: 0x30002aa88910000, User: "bob,127.0.0.1", IP: "127.0.0.1", Operation: Create, Znode: "/a/b/c", ZnodeType: "persistent", Result: Success}
	b.ReportAllocs()
	for b.Loop() {
		l.Record(e)
	}
	if err := l.Close(); err != nil {
		b.Error(err)
	}
}
