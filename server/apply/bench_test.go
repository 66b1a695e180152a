package apply

import (
	"fmt"
	"testing"

	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode/store"
)

// quiet is a sink that does with results what a server does at least: it copies
// replies. Changes go to a table of watches that nobody has set.
type quiet struct {
	watches *watch.Table
	out     []byte
	failed  int
}

func (s *quiet) Change(c *watch.Change)       { s.watches.Trigger(c) }
func (s *quiet) SessionOpened(*session.Facts) {}
func (s *quiet) Restored()                    {}
func (s *quiet) SessionMoved(*session.Facts)  {}
func (s *quiet) SessionClosed(wire.SessionID) {}
func (s *quiet) Result(_ *Command, r *Result) {
	s.out = append(s.out[:0], r.Body...)
	if r.Err != wire.OK {
		s.failed++
	}
}

// bencher feeds a machine on a real file system.
type bencher struct {
	b     *testing.B
	m     *Machine
	sink  quiet
	index uint64
	seq   uint64
	cmds  [][]byte
	entry []byte
	ids   []wire.Identity
}

const benchSession = 0x100_0000_0000_0001

func newBencher(b *testing.B) *bencher {
	st, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	m, err := Open(st, Config{Member: 1, Incarnation: 1})
	if err != nil {
		b.Fatal(err)
	}
	r := &bencher{b: b, m: m, ids: []wire.Identity{{Scheme: "ip", ID: "127.0.0.1"}}}
	r.sink.watches = watch.New()
	r.add(wire.OpCreateSession, AppendConnect(nil, 30000, [16]byte{}))
	r.apply()
	return r
}

func (r *bencher) add(op wire.OpCode, body []byte) {
	r.seq++
	c := Command{Origin: Origin{1, 1, r.seq}, Session: benchSession, Xid: wire.Xid(r.seq), Op: op, Identities: r.ids, Body: body}
	r.cmds = append(r.cmds, c.AppendTo(nil))
}

func (r *bencher) apply() {
	r.index++
	r.entry = AppendEntry(r.entry[:0], int64(r.index), r.cmds...)
	if err := r.m.Apply(r.index, 1, r.entry, &r.sink); err != nil {
		r.b.Fatal(err)
	}
	r.cmds = r.cmds[:0]
}

func (r *bencher) create(path string, data []byte) {
	r.add(wire.OpCreate, (&wire.CreateRequest{Path: path, Data: data, ACL: wire.OpenACL()}).AppendTo(nil))
}

const benchNodes = 10_000

func (r *bencher) plant(data []byte) {
	for i := range benchNodes {
		r.create(fmt.Sprintf("/node%05d", i), data)
		if i%500 == 499 {
			r.apply()
		}
	}
}

// run measures entries of n commands, which fill adds; encoding them is not measured.
func (r *bencher) run(n int, fill func(i int)) {
	b := r.b
	i := 0
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for range n {
			fill(i)
			i++
		}
		b.StartTimer()
		r.apply()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/command")
	if r.sink.failed > 0 {
		b.Fatalf("%d commands failed", r.sink.failed)
	}
}

var benchSizes = []int{1, 10, 100, 500}

func BenchmarkSetData(b *testing.B) {
	data := make([]byte, 100)
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newBencher(b)
			r.plant(data)
			r.run(n, func(i int) {
				r.add(wire.OpSetData, (&wire.SetDataRequest{Path: fmt.Sprintf("/node%05d", i*7919%benchNodes), Data: data, Version: -1}).AppendTo(nil))
			})
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	data := make([]byte, 100)
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newBencher(b)
			r.create("/parent", nil)
			r.apply()
			r.run(n, func(i int) { r.create(fmt.Sprintf("/parent/node%09d", i), data) })
		})
	}
}

// BenchmarkMulti is a check, two setData and a create with a delete of what the one before created.
func BenchmarkMulti(b *testing.B) {
	data := make([]byte, 100)
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newBencher(b)
			r.plant(data)
			r.create("/old0", nil)
			r.apply()
			r.run(n, func(i int) {
				path := func(k int) string { return fmt.Sprintf("/node%05d", (i*7919+k)%benchNodes) }
				m := wire.MultiRequest{Ops: []wire.MultiOp{
					{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: path(0), Version: -1}},
					{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: path(1), Data: data, Version: -1}},
					{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: path(2), Data: data, Version: -1}},
					{Op: wire.OpCreate, Record: &wire.CreateRequest{Path: fmt.Sprintf("/old%d", i+1), ACL: wire.OpenACL()}},
					{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: fmt.Sprintf("/old%d", i), Version: -1}},
				}}
				r.add(wire.OpMulti, m.AppendTo(nil))
			})
		})
	}
}
