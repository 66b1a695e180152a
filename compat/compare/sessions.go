package compare

import (
	"slices"

	"holt/wire"
)

// opened notes a session that must be closed at the end.
func (r *Run) opened(t ticket) {
	for _, o := range r.open {
		if o.id == t.id {
			return
		}
	}
	r.open = append(r.open, t)
}

func (r *Run) closed(id int64) {
	r.open = slices.DeleteFunc(r.open, func(t ticket) bool { return t.id == id })
}

// disconnect closes all connections.
func (r *Run) disconnect() {
	for _, cl := range r.clients {
		if cl.conn != nil {
			cl.close()
		}
	}
}

// closeSessions closes the sessions that the script left, in the order they were opened, so that
// the next script finds none of them. Nothing of it is recorded.
func (r *Run) closeSessions() error {
	r.disconnect()
	kept := r.out
	for _, t := range slices.Clone(r.open) {
		cl := &client{name: "", ticket: t}
		r.clients[""] = cl
		if err := r.dial(cl, cl.name, via{}); err != nil {
			return err
		}
		req := wire.ConnectRequest{TimeoutMillis: 10000, SessionID: wire.SessionID(t.id), Passwd: t.passwd, HasReadOnly: true}
		var mark int
		cl.out, mark = wire.BeginFrame(cl.out[:0])
		cl.out = wire.EndFrame(req.AppendTo(cl.out), mark)
		cl.flush()
		r.handshake(cl)
		if cl.conn != nil {
			r.single(cl, &Step{Code: wire.OpCloseSession, Op: &opSpec{}, Cut: -1})
		}
		if cl.conn != nil {
			cl.close()
		}
	}
	r.out = kept
	return nil
}
