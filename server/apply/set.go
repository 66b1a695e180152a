package apply

import (
	"holt/server/membership"
	"holt/wire"
)

// setData serves setData; the reply is the Stat.
func (x *execution) setData() wire.ErrCode {
	var req wire.SetDataRequest
	req.Decode(&x.dec)
	if !x.readable() {
		return x.unreadable()
	}
	stat, code := x.tree.SetData(&x.caller, req.Path, req.Data, req.Version)
	if code == wire.OK && x.own {
		x.body = stat.AppendTo(x.body)
	}
	return code
}

// setACL serves setACL; the reply is the Stat.
func (x *execution) setACL() wire.ErrCode {
	var req wire.SetACLRequest
	req.Decode(&x.dec)
	if !x.readable() {
		return x.unreadable()
	}
	stat, code := x.tree.SetACL(&x.caller, req.Path, req.ACL, req.Version)
	if code == wire.OK && x.own {
		x.body = stat.AppendTo(x.body)
	}
	return code
}

// unreadable is the outcome of a setData or setACL that is not readable. They validate the path
// before anything else, and null is none.
func (x *execution) unreadable() wire.ErrCode {
	if x.nullPath() {
		return wire.ErrBadArguments
	}
	return wire.ErrMarshallingError
}

// reconfig serves a client's reconfig by the verdict of the leader, which comes before it in
// the entry; without one the operation is switched off. The reply is that of getData.
func (x *execution) reconfig() wire.ErrCode {
	var req wire.ReconfigRequest
	req.Decode(&x.dec)
	if x.dec.Err() != nil {
		return wire.ErrMarshallingError // and no zxid, as of every request that breaks off
	}
	x.start()
	v := x.verdict
	x.verdict = verdict{}
	switch {
	case !v.given:
		return wire.ErrReconfigDisabled
	case v.code != wire.OK:
		return v.code
	}
	text, stat, code := x.changeMembers(v.lines)
	if code == wire.OK && x.own {
		x.body = (&wire.GetDataResponse{Data: text, Stat: stat}).AppendTo(x.body)
	}
	return code
}

// changeMembers writes down the members after a change, whose version is its zxid.
func (x *execution) changeMembers(lines string) (text []byte, stat wire.Stat, code wire.ErrCode) {
	text = []byte(membership.Text(lines, uint64(x.m.state.zxid)))
	x.configured = true
	stat, code = x.tree.SetConfig(text)
	return text, stat, code
}

// endVerdict makes a change whose command was not taken: its client came back by another
// member, or restarted. Raft has made it.
func (x *execution) endVerdict() {
	v := x.verdict
	x.verdict = verdict{}
	if v.given && v.code == wire.OK {
		x.start()
		x.changeMembers(v.lines)
	}
}

// setMembers serves the leader's reconfig that is no change. See AppendMembers for the body.
func (x *execution) setMembers() wire.ErrCode {
	b := x.cmd.Body
	if len(b) < 2 || b[0] != bodyMembers {
		return wire.ErrMarshallingError
	}
	if x.configured {
		return wire.OK // proposed by a leader that had not seen it yet
	}
	version := uint64(0)
	if b[1] != 0 {
		version = uint64(wire.MakeZxid(x.m.state.zxid.Epoch(), 0))
	}
	x.configured = b[1] != 0
	_, code := x.tree.SetConfig([]byte(membership.Text(string(b[2:]), version)))
	return code
}
