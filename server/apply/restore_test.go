package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"holt/session"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// testRestorer makes stores as a server does, but for the crashes.
type testRestorer struct {
	m    *member
	made int // directories so far
	next *store.Store
}

func (r *testRestorer) dir() string { return fmt.Sprint("db", r.made) }

func (r *testRestorer) Build(_ Staging, snapshot io.Reader) (out Restored, err error) {
	if r.next, err = store.Open(fmt.Sprint("db", r.made+1), r.m.opts); err != nil {
		return out, err
	}
	tree, err := znode.NewTree(r.next)
	if err != nil {
		return out, err
	}
	loaded, err := zkfile.LoadSnapshot(tree, snapshot, zkfile.LoadOptions{})
	if err != nil {
		return out, errors.Join(err, r.next.Close())
	}
	out = Restored{Tree: tree, Newest: loaded.Newest}
	for id, timeout := range loaded.Sessions {
		out.Sessions = append(out.Sessions, session.Facts{ID: id, TimeoutMillis: timeout})
	}
	return out, nil
}

func (r *testRestorer) Switch() (Store, error) {
	err := errors.Join(r.next.Close(), r.m.st.Close())
	if err != nil {
		return nil, err
	}
	r.made++
	r.m.st, err = store.Open(r.dir(), r.m.opts)
	return r.m.st, err
}

// takeSnapshot is the state in a file of ZooKeeper's.
func (s *script) takeSnapshot() []byte {
	m := s.e.members[0]
	head := zkfile.SnapshotHead{LastZxid: m.m.LastZxid()}
	for _, f := range m.m.Sessions().All() {
		head.Sessions = append(head.Sessions, zkfile.Session{ID: f.ID, TimeoutMillis: f.TimeoutMillis})
	}
	var b bytes.Buffer
	if _, err := zkfile.WriteTree(&b, m.st, head); err != nil {
		s.t.Fatal(err)
	}
	return b.Bytes()
}

// staging reads what a member says about the snapshot:
//
//	begin [bytes=]          all of the snapshot, unless told otherwise
//	chunk FROM TO [at=]     bytes of it, −1 for its end
//	keep                    it is still at it
//	restore
func (s *script) staging(m *member, w []string) *Command {
	a := parseArgs(w[1:])
	c := &Command{Op: OpStage}
	switch w[0] {
	case "begin":
		c.Body = AppendStageBegin(nil, s.int(a, "bytes", int64(len(s.snapshot))))
	case "chunk":
		from, to := s.number(a.pos[0]), s.number(a.pos[1])
		if to == -1 {
			to = int64(len(s.snapshot))
		}
		c.Body = AppendStageChunk(nil, m.begun, s.int(a, "at", from), s.snapshot[from:to])
	case "keep":
		c.Body = AppendStageKeep(nil, m.begun)
	case "restore":
		c.Op, c.Body = OpRestore, AppendRestore(nil, m.begun)
	default:
		s.t.Fatalf("unknown %q", w)
	}
	m.next(c)
	if w[0] == "begin" {
		m.begun = c.Seq
	}
	return c
}

// records lists the keys beside the tree.
func (s *script) records(b *strings.Builder) {
	err := s.e.members[0].st.EachRecord(nil, func(key, value []byte) error {
		fmt.Fprintf(b, "%s%x: %d bytes\n", key[:1], key[1:], len(value))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
