package server

import (
	"fmt"
	"strings"

	"go.uber.org/zap"

	"holt/server/watch"
	"holt/wire"
)

// Requests about watches. They are answered like reads: the state that is
// looked at and the registration are one step under the machine's read lock.

func (r *read) setWatches(d *wire.Decoder) {
	var req wire.SetWatches2
	if r.h.Op == wire.OpSetWatches2 {
		req.Decode(d)
	} else {
		req.SetWatches.Decode(d)
	}
	if d.Err() != nil {
		r.fail(wire.ErrMarshallingError)
		return
	}
	code := cutAtNull(&req, r.h.Op)
	cloneAll(req.DataWatches, req.ExistWatches, req.ChildWatches, req.PersistentWatches, req.PersistentRecursiveWatches)
	r.lock()
	defer r.unlock()
	r.watched = true
	if err := r.s.watches.SetWatches(&req, r.c, r.lookup); err != nil {
		r.s.failed(fmt.Errorf("set watches: %w", err))
		r.fail(wire.ErrSystemError)
		return
	}
	r.c.reply(r.h.Xid, r.zxid, code, nil)
}

// tooManyWatches reports that the connection has more than it may.
func (s *Server) tooManyWatches(c *conn) bool {
	if s.cfg.MaxWatches < 0 || s.watches.Of(c) <= s.cfg.MaxWatches {
		return false
	}
	s.log.Warn("connection closed: it has too many watches", zap.String("remote", c.remote), zap.Stringer("session", c.sessionID()))
	return true
}

// cutAtNull drops the first list that is null, and those behind it: like the original, setWatches
// takes the lists one after the other and stumbles over it.
func cutAtNull(req *wire.SetWatches2, op wire.OpCode) wire.ErrCode {
	lists := []*[]string{&req.DataWatches, &req.ExistWatches, &req.ChildWatches, &req.PersistentWatches, &req.PersistentRecursiveWatches}
	if op == wire.OpSetWatches {
		lists = lists[:3]
	}
	for i, l := range lists {
		if *l != nil {
			continue
		}
		for _, rest := range lists[i:] {
			*rest = nil
		}
		return wire.ErrMarshallingError
	}
	return wire.OK
}

// lookup tells the watch table what it needs to know of a node. To whoever has not seen the last restore, every
// node has changed by it: the numbers in a node that was restored are older than what its client saw.
func (r *read) lookup(path string) (watch.NodeState, error) {
	n, err := r.s.machine.Tree().Get(path)
	if err != nil || n == nil {
		return watch.NodeState{}, err
	}
	restored := r.s.machine.Restored()
	return watch.NodeState{Exists: true, Mzxid: max(n.Mzxid, restored), Pzxid: max(n.Pzxid, restored)}, nil
}

func cloneAll(lists ...[]string) {
	for _, l := range lists {
		for i, p := range l {
			l[i] = strings.Clone(p)
		}
	}
}

func (r *read) addWatch(d *wire.Decoder) {
	var req wire.AddWatchRequest
	req.Decode(d)
	if d.Err() != nil || !req.Mode.Valid() {
		r.fail(wire.ErrMarshallingError)
		return
	}
	r.lock()
	defer r.unlock()
	r.watched = true
	r.s.watches.AddPersistent(strings.Clone(req.Path), req.Mode == wire.AddWatchPersistentRecursive, r.c)
	r.ok(func(b []byte) []byte { return (&wire.ErrorResponse{Err: wire.OK}).AppendTo(b) })
}

// editWatches serves checkWatches and removeWatches.
func (r *read) editWatches(d *wire.Decoder) {
	var req wire.RemoveWatchesRequest
	req.Decode(d)
	if d.Err() != nil || !req.Type.Valid() {
		r.fail(wire.ErrMarshallingError)
		return
	}
	r.lock()
	defer r.unlock()
	found := false
	if r.h.Op == wire.OpCheckWatches {
		found = r.s.watches.Has(req.Path, req.Type, r.c)
	} else {
		found = r.s.watches.Remove(req.Path, req.Type, r.c)
	}
	if !found {
		r.fail(wire.ErrNoWatcher)
		return
	}
	r.c.reply(r.h.Xid, r.zxid, wire.OK, nil)
}
