package apply

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// one is an ensemble of one ordinary member with a session open.
func one(t *testing.T) *member {
	t.Helper()
	m := &member{id: 1, fs: vfs.NewMem()}
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.st.Close(); err != nil {
			t.Error(err)
		}
	})
	m.do(t, m.command(wire.OpCreateSession, AppendConnect(nil, 4000, [16]byte{})))
	return m
}

func (m *member) command(op wire.OpCode, body []byte) []byte {
	c := Command{Session: 77, Op: op, Identities: []wire.Identity{{Scheme: "ip", ID: "10.0.0.1"}}, Body: body}
	m.next(&c)
	return c.AppendTo(nil)
}

func (m *member) create(path string) []byte {
	return m.command(wire.OpCreate, (&wire.CreateRequest{Path: path, ACL: wire.OpenACL()}).AppendTo(nil))
}

func (m *member) set(path string, data []byte) []byte {
	return m.command(wire.OpSetData, (&wire.SetDataRequest{Path: path, Data: data, Version: -1}).AppendTo(nil))
}

func (m *member) do(t *testing.T, cmds ...[]byte) {
	t.Helper()
	if err := m.apply(m.m.Applied()+1, 1, AppendEntry(nil, 1000, cmds...)); err != nil {
		t.Fatal(err)
	}
}

// TestApplyErrors: an entry that is not what it should be is an error, and readers
// have seen nothing of it.
func TestApplyErrors(t *testing.T) {
	good := func(m *member) []byte { return AppendEntry(nil, 1, m.create("/seen")) }
	for name, c := range map[string]struct {
		index, term uint64
		data        func(m *member) []byte
		want        string
	}{
		"an index again":         {1, 1, good, "entry 1 was applied"},
		"an earlier term":        {2, 0, good, "of term 0 after one of term 1"},
		"another format":         {2, 1, func(m *member) []byte { b := good(m); b[0]++; return b }, "an entry of version 2 is unknown to this version"},
		"no room for a time":     {2, 1, func(m *member) []byte { return good(m)[:5] }, "ends early"},
		"a command cut short":    {2, 1, func(m *member) []byte { b := append(good(m), 200); return b }, "command 1: ends early"},
		"a command that is none": {2, 1, func(m *member) []byte { return AppendEntryCommand(good(m), []byte("x")) }, "command 1: ends early"},
		"a newer format": {2, 1, func(m *member) []byte {
			c := Command{Op: OpFormat, Body: AppendFormat(nil, FormatMax+1)}
			return AppendEntryCommand(good(m), c.AppendTo(nil))
		}, "command 1: the ensemble is of format 3, this version of the program knows up to 2"},
		"a command of a newer leader": {2, 1, func(m *member) []byte {
			c := Command{Op: -102}
			return AppendEntryCommand(good(m), c.AppendTo(nil))
		}, "command 1: command -102 of the leader is unknown to this version"},
		"an identity cut short": {2, 1, func(m *member) []byte {
			return AppendEntryCommand(good(m), append(m.create("/x")[:commandFixed+4], 9, 9))
		}, "command 1:"},
	} {
		m := one(t)
		before, err := m.dump()
		if err != nil {
			t.Fatal(err)
		}
		err = m.m.Apply(c.index, c.term, c.data(m), &m.rec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		after, err := (&member{m: m.m}).dumpVisible()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(before, after) {
			t.Errorf("%s: readers see\n%s", name, after)
		}
	}
}

// dumpVisible is dump without what readers cannot ask for.
func (m *member) dumpVisible() (string, error) {
	s, err := m.dump()
	before, _, _ := strings.Cut(s, "applied=")
	return before, err
}

// failing is a store whose writes fail when told to.
type failing struct {
	*store.Store
	fail bool
}

var errDisk = errors.New("disk full")

func (f *failing) Prepare(b *znode.Batch) error {
	if f.fail {
		return errDisk
	}
	return f.Store.Prepare(b)
}

func TestStoreFails(t *testing.T) {
	m := one(t)
	f := &failing{Store: m.st}
	var err error
	if m.m, err = Open(f, Config{Member: 1, Incarnation: 1}); err != nil {
		t.Fatal(err)
	}
	f.fail = true
	m.rec.notes = nil
	err = m.m.Apply(2, 1, AppendEntry(nil, 1, m.create("/a")), &m.rec)
	if !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	if n, err := m.m.Tree().Get("/a"); n != nil || err != nil || m.m.Applied() != 1 || m.m.LastZxid() != wire.MakeZxid(1, 1) || len(m.rec.notes) != 0 {
		t.Errorf("readers see %v at %d, %s; told %v", n, m.m.Applied(), m.m.LastZxid(), m.rec.notes)
	}
}

// TestReplace: the machine goes on from a snapshot of another member, and says which of its own
// commands that holds.
func TestReplace(t *testing.T) {
	behind, ahead := one(t), one(t)
	cmds := [][]byte{ahead.create("/a"), ahead.create("/b"), ahead.create("/c")}
	behind.do(t, cmds[0])
	ahead.do(t, cmds...)
	if got := behind.m.Taken(); got != 2 {
		t.Errorf("before: taken %d", got)
	}
	if err := behind.m.Replace(func() (Store, error) { return ahead.st, nil }); err != nil {
		t.Fatal(err)
	}
	if got := behind.m.Taken(); got != 4 {
		t.Errorf("taken %d", got)
	}
	got, err := behind.dump()
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := ahead.dump(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := behind.m.Replace(func() (Store, error) { return nil, errDisk }); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	other, err := Open(ahead.st, Config{Member: 1, Incarnation: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := other.Taken(); got != 0 {
		t.Errorf("another incarnation: taken %d", got)
	}
}

// TestReaders: under the read lock, tree, zxid and sessions are of one moment.
func TestReaders(t *testing.T) {
	m := one(t)
	m.do(t, m.create("/a"), m.create("/b"))
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				m.m.RLock()
				a, errA := m.m.Tree().Get("/a")
				b, errB := m.m.Tree().Get("/b")
				last, n := m.m.LastZxidLocked(), m.m.Sessions().Len()
				m.m.RUnlock()
				// Each entry changes both and then opens and closes a session.
				if errA != nil || errB != nil || b.Mzxid != a.Mzxid+1 || n != 1 || a.Version > 0 && last != b.Mzxid+2 {
					t.Errorf("/a %v %v, /b %v %v, last %v, %d sessions", a, errA, b, errB, last, n)
					return
				}
			}
		})
	}
	for i := range 300 {
		open := Command{Session: 78, Op: wire.OpCreateSession, Body: AppendConnect(nil, 1, [16]byte{})}
		sets := [][]byte{m.set("/a", fmt.Appendf(nil, "%d", i)), m.set("/b", nil)}
		m.next(&open)
		end := Command{Session: 78, Op: wire.OpCloseSession}
		m.next(&end)
		m.do(t, append(sets, open.AppendTo(nil), end.AppendTo(nil))...)
	}
	stop.Store(true)
	wg.Wait()
}

// thrifty is a sink that keeps nothing.
type thrifty struct{ results int }

func (s *thrifty) Change(*watch.Change)         {}
func (s *thrifty) SessionOpened(*session.Facts) {}
func (s *thrifty) Restored()                    {}
func (s *thrifty) SessionMoved(*session.Facts)  {}
func (s *thrifty) SessionClosed(wire.SessionID) {}
func (s *thrifty) Result(_ *Command, _ *Result) { s.results++ }

// TestAllocs: a setData costs the new node and its contents, and little besides.
func TestAllocs(t *testing.T) {
	m := one(t)
	const n = 100
	var cmds [][]byte
	for i := range n {
		cmds = append(cmds, m.create(fmt.Sprintf("/%d", i)))
	}
	m.do(t, cmds...)
	var entries [][]byte
	for range 110 {
		cmds = cmds[:0]
		for i := range n {
			cmds = append(cmds, m.set(fmt.Sprintf("/%d", i), make([]byte, 100)))
		}
		entries = append(entries, AppendEntry(nil, 1, cmds...))
	}
	var s thrifty
	index := m.m.Applied()
	perEntry := testing.AllocsPerRun(100, func() {
		index++
		if err := m.m.Apply(index, 1, entries[0], &s); err != nil {
			t.Fatal(err)
		}
		entries = entries[1:]
	})
	if s.results < 100*n {
		t.Errorf("%d results", s.results)
	}
	if each := perEntry / n; each > 3.3 {
		t.Errorf("%.2f allocations per command", each)
	}
}

// TestLargeEntry: thousands of commands in one entry, and a session that closes with
// thousands of nodes, are told in order.
func TestLargeEntry(t *testing.T) {
	m := one(t)
	const n = 5000
	var cmds [][]byte
	for i := range n {
		cmds = append(cmds, m.command(wire.OpCreate, (&wire.CreateRequest{Path: fmt.Sprintf("/e%05d", i), ACL: wire.OpenACL(), Flags: 1}).AppendTo(nil)))
	}
	m.do(t, cmds...)
	if len(m.rec.notes) != 2*n {
		t.Fatalf("%d notes", len(m.rec.notes))
	}
	for i, note := range m.rec.notes {
		want := fmt.Sprintf("%s NodeCreated /e%05d world:anyone:cdrwa parent world:anyone:cdrwa", zxidText(wire.MakeZxid(1, uint32(i/2+2))), i/2)
		if i%2 == 1 {
			want = fmt.Sprintf("> xid=0 create 1.%d OK /e%05d", i/2+2, i/2)
		}
		if note.text != want {
			t.Fatalf("note %d: got %s, want %s", i, note.text, want)
		}
	}
	m.do(t, m.command(wire.OpCloseSession, nil))
	if len(m.rec.notes) != n+2 || m.rec.notes[n].text != "session 0x4d closed" || !m.rec.notes[n+1].result {
		t.Errorf("%d notes, the last: %v", len(m.rec.notes), m.rec.notes[max(0, len(m.rec.notes)-2):])
	}
	if c := m.m.Tree().Counts(); c.Ephemerals != 0 || c.Nodes != 5 {
		t.Errorf("left: %+v", c)
	}
	metrics := m.m.Metrics()
	if metrics.Entries.Load() != 3 || metrics.Commands.Load() != n+2 || metrics.Rejected.Load() != 0 {
		t.Errorf("metrics: %+v", metrics)
	}
}
