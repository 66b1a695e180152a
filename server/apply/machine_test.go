package apply

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode/store"
)

type nullSink struct{ results []Result }

func (s *nullSink) Change(*watch.Change)         {}
func (s *nullSink) SessionOpened(*session.Facts) {}
func (s *nullSink) SessionMoved(*session.Facts)  {}
func (s *nullSink) SessionClosed(wire.SessionID) {}
func (s *nullSink) Result(_ *Command, r *Result) { s.results = append(s.results, *r) }

func TestSmoke(t *testing.T) {
	st, err := store.Open("db", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	m, err := Open(st, Config{Member: 1, Incarnation: 1})
	if err != nil {
		t.Fatal(err)
	}
	var s nullSink
	if err := m.Apply(1, 1, nil, &s); err != nil {
		t.Fatal(err)
	}
	open := Command{Origin: Origin{1, 1, 1}, Session: 77, Op: wire.OpCreateSession, Body: AppendConnect(nil, 4000, [16]byte{})}
	req := wire.CreateRequest{Path: "/a", ACL: wire.OpenACL()}
	create := Command{Origin: Origin{1, 1, 2}, Session: 77, Op: wire.OpCreate, Body: req.AppendTo(nil)}
	if err := m.Apply(2, 1, AppendEntry(nil, 1000, open.AppendTo(nil), create.AppendTo(nil)), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.results) != 2 || s.results[1].Err != wire.OK || s.results[1].Zxid != wire.MakeZxid(1, 2) {
		t.Errorf("%+v", s.results)
	}
}
