package bench

import (
	"context"
	"sync/atomic"

	"holt/wire"
)

// fanOut is the load watch: every connection watches one node; a writer sets it, waits until
// each watcher was notified and watches again, and sets it again. An operation is one
// notification; its latency counts from the writer's set.
type fanOut struct {
	run   *run
	path  string
	setAt atomic.Int64  // when the present round's set was sent
	armed atomic.Int64  // watchers that watch again in the present round
	round chan struct{} // one element when all do
	lanes int64
}

func (r *run) fanOutLanes(ctx context.Context) (work []func() error, tallies []*tally, err error) {
	f := &fanOut{run: r, path: r.dir + "/n00000000", round: make(chan struct{}, 1), lanes: int64(r.cfg.Connections)}
	var opened []*session
	for i := range r.cfg.Connections + 1 {
		s, err := r.dialLane(ctx, i)
		if err != nil {
			for _, s := range opened {
				s.conn.Close()
			}
			return nil, nil, err
		}
		opened = append(opened, s)
		t := newTally(1)
		tallies = append(tallies, &t)
		if i < r.cfg.Connections {
			work = append(work, func() error { return f.watch(s, &t) })
		} else {
			work = append(work, func() error { return f.write(s, &t) })
		}
	}
	return work, tallies, nil
}

// watch arms a watch, waits for its event, and so on. The writer ends it by deleting the node.
func (f *fanOut) watch(s *session, t *tally) error {
	for {
		s.put(wire.OpGetData, &wire.GetDataRequest{Path: f.path, Watch: true})
		if err := s.flush(); err != nil {
			return err
		}
		if over, err := f.await(s, t, s.xid); over || err != nil {
			return err
		}
	}
}

// await reads the reply to the arming and then the event. over means that the load has ended.
func (f *fanOut) await(s *session, t *tally, arming wire.Xid) (over bool, err error) {
	for {
		h, err := s.next()
		if err != nil {
			return false, err
		}
		switch h.Xid {
		case arming:
			if h.Err != wire.OK {
				return true, s.close()
			}
			if f.armed.Add(1) == f.lanes {
				f.round <- struct{}{}
			}
		case wire.XidNotification:
			var e wire.WatcherEvent
			if e.Decode(&s.decoder); s.decoder.Err() != nil {
				return false, s.decoder.Err()
			}
			if e.Type == wire.EventNodeDeleted {
				return true, s.close()
			}
			if f.run.measuring() {
				t.count(request{sent: f.setAt.Load()}, wire.OK, f.run.now())
			}
			return false, nil
		}
	}
}

// write sets the node once per round and deletes it at the end.
func (f *fanOut) write(s *session, t *tally) error {
	set := f.run.setRequest(f.path)
	for f.run.take() {
		<-f.round
		f.armed.Store(0)
		f.setAt.Store(f.run.now())
		if err := s.call(wire.OpSetData, set, nil); err != nil {
			t.errors[err.Error()]++
			break
		}
	}
	if err := s.call(wire.OpDelete, &wire.DeleteRequest{Path: f.path, Version: -1}, nil); err != nil {
		return err
	}
	return s.close()
}
