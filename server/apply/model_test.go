package apply

import (
	"fmt"
	"strings"

	"holt/session"
	"holt/wire"
	"holt/znode/znodetest"
)

// world is what a machine should do, as plainly as can be: znodetest's tree in a map, sessions in a map,
// numbers as a list of what was taken.
type world struct {
	tree     *znodetest.Model
	sessions map[wire.SessionID]session.Facts
	state    state // used as a record only
}

// request is a command with what is in its body, so that the world need not decode.
type request struct {
	cmd  Command
	tree znodetest.Command
	// Of createSession, OpAttach, and expiry by the leader:
	timeout  int32
	passwd   byte
	attached int // −1: whatever it is
}

// told is what sinks should be told: notes by all, and results by the origin's.
type told struct {
	text   string
	origin *Origin // of a result
}

func newWorld() *world {
	return &world{tree: znodetest.NewModel(), sessions: map[wire.SessionID]session.Facts{}}
}

func (w *world) dump(applied int) string {
	var b strings.Builder
	b.WriteString(w.tree.Dump())
	var all []session.Facts
	for _, f := range w.sessions {
		all = append(all, f)
	}
	dumpSessions(&b, all)
	fmt.Fprintf(&b, "applied=%d ", applied)
	w.state.dump(&b)
	return b.String()
}

// entry is Machine.Apply.
func (w *world) entry(term uint64, millis int64, reqs []*request) (notes []told) {
	s := &w.state
	if term > s.term {
		s.term, s.zxid = term, wire.MakeZxid(s.zxid.Epoch()+1, 0)
	}
	if len(reqs) > 0 && millis > s.millis {
		s.millis = millis
	}
	for _, r := range reqs {
		if w.accepts(&r.cmd.Origin) {
			notes = append(notes, w.command(r)...)
		}
	}
	return notes
}

func (w *world) accepts(o *Origin) bool {
	if o.Member == 0 {
		return true
	}
	for i := range w.state.origins {
		p := &w.state.origins[i]
		if p.member != o.Member {
			continue
		}
		if o.Incarnation == p.incarnation && o.Seq == p.seq+1 || o.Incarnation > p.incarnation && o.Seq == 1 {
			p.incarnation, p.seq = o.Incarnation, o.Seq
			return true
		}
		return false
	}
	if o.Seq != 1 {
		return false
	}
	at := 0
	for at < len(w.state.origins) && w.state.origins[at].member < o.Member {
		at++
	}
	w.state.origins = append(w.state.origins[:at], append([]progress{{o.Member, o.Incarnation, 1}}, w.state.origins[at:]...)...)
	return true
}

func (w *world) command(r *request) (notes []told) {
	c := &r.cmd
	var res Result
	var body string
	note := func(format string, args ...any) { notes = append(notes, told{text: fmt.Sprintf(format, args...)}) }
	if c.Op != OpAttach {
		w.state.zxid++
	}
	f, open := w.sessions[c.Session]
	switch {
	case c.Op == wire.OpCreateSession:
		if open {
			res.Err = wire.ErrSessionExpired
			break
		}
		f = session.Facts{ID: c.Session, Passwd: [16]byte{r.passwd}, TimeoutMillis: r.timeout, Attached: 1, Owner: c.Member}
		w.sessions[f.ID] = f
		note("%s", sessionText("opened", &f))
		body = factsText(&f)
	case c.Op == OpAttach:
		if !open || f.Passwd[0] != r.passwd {
			res.Err = wire.ErrSessionExpired
			break
		}
		f.TimeoutMillis, f.Owner, f.Attached = r.timeout, c.Member, f.Attached+1
		w.sessions[f.ID] = f
		note("%s", sessionText("moved", &f))
		body = factsText(&f)
	case c.Member == 0 && c.Op == wire.OpCloseSession:
		if open && (r.attached < 0 || uint32(r.attached) == f.Attached) {
			notes = w.close(r)
		}
	case c.Member == 0:
		notes, _, _ = w.run(r)
	case !open:
		res.Err, res.Drop = wire.ErrSessionExpired, true
	case f.Owner != c.Member:
		res.Err, res.Drop = wire.ErrSessionMoved, true
	case c.Op == wire.OpCloseSession:
		notes = w.close(r)
	case c.Op == wire.OpCheck:
		res.Err = wire.ErrUnimplemented
	case c.Op == wire.OpMulti:
		notes, res.Err, body = w.multi(r)
	default:
		notes, res.Err, body = w.run(r)
	}
	return append(notes, told{resultText(c, w.state.zxid, res.Drop, res.Err, body), &c.Origin})
}

func (w *world) close(r *request) []told {
	r.tree = znodetest.Command{Op: wire.OpCloseSession}
	r.tree.By.Session = r.cmd.Session
	notes, _, _ := w.run(r)
	delete(w.sessions, r.cmd.Session)
	return append(notes, told{text: fmt.Sprintf("session %v closed", r.cmd.Session)})
}

// run has the tree do the request.
func (w *world) run(r *request) (notes []told, code wire.ErrCode, body string) {
	res := w.tree.Run(w.state.zxid, w.state.millis, &r.tree)
	for _, e := range res.Events {
		notes = append(notes, told{text: zxidText(w.state.zxid) + " " + e})
	}
	if res.Code != wire.OK {
		return notes, res.Code, ""
	}
	switch r.tree.Op {
	case wire.OpCreate:
		body = res.Path
	case wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		body = res.Path + " " + statText(&res.Stat)
	case wire.OpSetData, wire.OpSetACL:
		body = statText(&res.Stat)
	case wire.OpMulti:
		var parts []string
		for i, sub := range res.Subs {
			parts = append(parts, w.subText(r.tree.Ops[i].Op, &sub, res.Subs))
		}
		body = "[" + strings.Join(parts, " | ") + "]"
	}
	return notes, res.Code, body
}

func (w *world) subText(op wire.OpCode, r *znodetest.Result, all []znodetest.Result) string {
	for _, other := range all {
		if other.Code != wire.OK {
			return "error " + r.Code.String()
		}
	}
	switch op {
	case wire.OpCreate:
		return "create " + r.Path
	case wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		return "create2 " + r.Path + " " + statText(&r.Stat)
	case wire.OpSetData:
		return "setData " + statText(&r.Stat)
	}
	return op.String()
}

// multi says what the original makes of a multi's operations before it runs them.
func (w *world) multi(r *request) ([]told, wire.ErrCode, string) {
	ops := append([]znodetest.Command(nil), r.tree.Ops...)
	for i := range ops {
		op := &ops[i]
		switch op.Op {
		case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer:
			if op.Flags < 0 || op.Flags > 4 {
				return nil, wire.ErrMarshallingError, ""
			}
			if op.Flags == 4 {
				op.Op = wire.OpCreateContainer
			}
		case wire.OpCreateTTL:
			if op.Flags == 4 {
				op.Op = wire.OpCreateContainer
			} else if op.Flags != 5 && op.Flags != 6 {
				op.Op = wire.OpCreate
			}
		case wire.OpDelete, wire.OpSetData, wire.OpCheck:
		default:
			return nil, wire.ErrMarshallingError, ""
		}
	}
	changed := *r
	changed.tree.Ops = ops
	return w.run(&changed)
}
