package apply

import (
	"holt/session"
	"holt/wire"
	"holt/znode"
)

// run judges and executes one command and notes its outcome.
func (m *Machine) run(c *Command) {
	o := outcome{
		own:    c.Origin.Member == m.cfg.Member && c.Origin.Incarnation == m.cfg.Incarnation,
		origin: c.Origin, session: c.Session, xid: c.Xid, op: c.Op,
	}
	o.reply[0] = len(m.replies)
	switch c.Op {
	case wire.OpCreateSession:
		m.createSession(c, &o)
	case OpAttach:
		m.attach(c, &o)
	case wire.OpCloseSession:
		m.closeSession(c, &o)
	default:
		m.runRequest(c, &o)
	}
	if o.zxid == 0 {
		o.zxid = m.next
	}
	o.reply[1] = len(m.replies)
	o.events = len(m.tree.Events())
	m.outcomes = append(m.outcomes, o)
}

// begin takes a zxid for the command. All it changes carries that and the
// entry's time.
func (m *Machine) beginCommand(o *outcome) {
	o.zxid = m.nextZxid()
	m.tree.Begin(o.zxid, m.time)
}

// runRequest is a client's request, or the leader's reaping.
func (m *Machine) runRequest(c *Command, o *outcome) {
	if c.Origin.Member != 0 {
		f, ok := m.sessions.Peek(c.Session)
		if !ok || f.Owner != c.Origin.Member {
			// ZooKeeper: SessionExpired and SessionMoved, of which the client
			// hears by the end of its connection.
			o.drop, o.err = true, wire.ErrSessionMoved
			if !ok {
				o.err = wire.ErrSessionExpired
			}
			return
		}
	}
	m.beginCommand(o)
	by := znode.Caller{
		Session: c.Session, Identities: c.Identities,
		SkipACL: c.Flags&SkipACL != 0, EnforceQuota: c.Flags&EnforceQuota != 0, ExtendedTypes: c.Flags&TTLEnabled != 0,
	}
	m.decoder.Reset(c.Body)
	switch c.Op {
	case wire.OpMulti:
		o.err = m.multi(&by, o.own)
	case wire.OpReconfig:
		o.err = m.reconfig(c)
	case wire.OpDeleteContainer:
		o.err = m.deleteContainer(c)
	default:
		var res wire.MultiResult
		rec := newRecord(c.Op)
		if rec == nil {
			o.err = wire.ErrUnimplemented
			return
		}
		rec.Decode(&m.decoder)
		if m.decoder.Err() != nil {
			o.err = wire.ErrMarshallingError
			return
		}
		if o.err = m.operate(&by, c.Op, rec, &res); o.err == wire.OK && o.own {
			m.appendReply(c.Op, &res)
		}
	}
}

// newRecord returns an empty request record of a write.
func newRecord(op wire.OpCode) wire.Record {
	switch op {
	case wire.OpSetACL:
		return new(wire.SetACLRequest)
	case wire.OpCheck:
		return nil // within a multi only
	}
	if !op.IsWrite() {
		return nil
	}
	return wire.NewMultiRecord(op)
}

// operate runs one operation, on its own or as a part of a multi. res gets what
// there is to tell.
func (m *Machine) operate(by *znode.Caller, op wire.OpCode, rec wire.Record, res *wire.MultiResult) (code wire.ErrCode) {
	switch r := rec.(type) {
	case *wire.CreateRequest:
		return m.create(by, &znode.CreateOp{Op: op, Path: r.Path, Data: r.Data, ACL: r.ACL, Flags: r.Flags}, res)
	case *wire.CreateTTLRequest:
		return m.create(by, &znode.CreateOp{Op: op, Path: r.Path, Data: r.Data, ACL: r.ACL, Flags: r.Flags, TTLMillis: r.TTLMillis}, res)
	case *wire.DeleteRequest:
		return m.tree.Delete(by, r.Path, r.Version)
	case *wire.SetDataRequest:
		res.Stat, code = m.tree.SetData(by, r.Path, r.Data, r.Version)
	case *wire.SetACLRequest:
		res.Stat, code = m.tree.SetACL(by, r.Path, r.ACL, r.Version)
	case *wire.CheckVersionRequest:
		return m.tree.Check(by, r.Path, r.Version)
	default:
		return wire.ErrUnimplemented
	}
	return code
}

func (m *Machine) create(by *znode.Caller, op *znode.CreateOp, res *wire.MultiResult) wire.ErrCode {
	created, code := m.tree.Create(by, op)
	res.Path, res.Stat = created.Path, created.Stat
	return code
}

// appendReply appends the record of a successful reply.
func (m *Machine) appendReply(op wire.OpCode, res *wire.MultiResult) {
	switch op {
	case wire.OpCreate:
		m.replies = wire.AppendString(m.replies, res.Path)
	case wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		m.replies = wire.AppendString(m.replies, res.Path)
		m.replies = res.Stat.AppendTo(m.replies)
	case wire.OpSetData, wire.OpSetACL:
		m.replies = res.Stat.AppendTo(m.replies)
	}
}

// multi runs all parts or none. A part that fails is told in the results, not in
// the header; a request that cannot be read, or has reads in it, is.
func (m *Machine) multi(by *znode.Caller, own bool) wire.ErrCode {
	ops, err := wire.DecodeMulti(&m.decoder)
	if err != nil || len(ops) > 0 && ops[0].Read() {
		return wire.ErrMarshallingError
	}
	results := make([]wire.MultiResult, len(ops))
	mark := m.tree.Mark()
	failed, code := -1, wire.OK
	for i, op := range ops {
		kind := op.Op
		if r, ok := op.Record.(*wire.CreateRequest); ok {
			kind = znode.OpInMulti(op.Op, r.Flags)
		} else if r, ok := op.Record.(*wire.CreateTTLRequest); ok {
			kind = znode.OpInMulti(op.Op, r.Flags)
		}
		results[i].Type = resultType(op.Op, kind)
		if code = m.operate(by, kind, op.Record, &results[i]); code != wire.OK {
			failed = i
			break
		}
	}
	if failed >= 0 {
		m.tree.Rollback(mark)
		for i := range results {
			results[i] = wire.MultiResult{Type: wire.OpError}
			switch {
			case i == failed:
				results[i].Err = code
			case i > failed:
				results[i].Err = wire.ErrRuntimeInconsistency
			}
		}
	}
	if own {
		m.replies = (&wire.MultiResponse{Results: results}).AppendTo(m.replies)
	}
	return wire.OK
}

// resultType is how a multi's results name an operation: creates of every newer
// kind are create2.
func resultType(sent, kind wire.OpCode) wire.OpCode {
	switch kind {
	case wire.OpCreateContainer, wire.OpCreateTTL, wire.OpCreate2:
		return wire.OpCreate2
	}
	return sent
}

// reconfig from a client is switched off; from the leader itself it records the
// ensemble's configuration in the tree.
func (m *Machine) reconfig(c *Command) wire.ErrCode {
	if c.Origin.Member != 0 {
		return wire.ErrReconfigDisabled
	}
	_, code := m.tree.SetConfig(c.Body)
	return code
}

// deleteContainer is the leader's reaping. What it found to be reapable may have
// got children since.
func (m *Machine) deleteContainer(c *Command) wire.ErrCode {
	if c.Origin.Member != 0 {
		return wire.ErrUnimplemented
	}
	var r wire.DeleteContainerRequest
	r.Decode(&m.decoder)
	if m.decoder.Err() != nil {
		return wire.ErrMarshallingError
	}
	return m.tree.Reaped(r.Path, 0)
}

// createSession opens a session with the id, password and timeout that its
// member chose.
func (m *Machine) createSession(c *Command, o *outcome) {
	m.beginCommand(o)
	timeout, passwd, ok := decodeConnect(c.Body)
	if ok {
		o.facts, ok = m.sessions.Create(session.Facts{ID: c.Session, Passwd: passwd, TimeoutMillis: timeout, Owner: c.Origin.Member})
	}
	if !ok {
		o.err = wire.ErrSystemError
		return
	}
	o.kind = opened
}

// attach lets a client take its session over on another connection. It takes no
// zxid: as in ZooKeeper it is not a transaction.
func (m *Machine) attach(c *Command, o *outcome) {
	timeout, passwd, ok := decodeConnect(c.Body)
	if ok {
		o.facts, ok = m.sessions.Attach(c.Session, passwd, timeout, c.Origin.Member)
	}
	if !ok {
		o.err = wire.ErrSessionExpired
		return
	}
	o.kind = attached
}

// closeSession ends a session and all its ephemeral nodes under one zxid.
func (m *Machine) closeSession(c *Command, o *outcome) {
	f, ok := m.sessions.Peek(c.Session)
	if !ok || c.Origin.Member != 0 && f.Owner != c.Origin.Member {
		o.drop, o.err = true, wire.ErrSessionMoved
		return
	}
	m.beginCommand(o)
	m.tree.CloseSession(c.Session)
	m.sessions.Close(c.Session)
	o.kind, o.facts = closed, f
}
