package apply

import (
	"holt/wire"
	"holt/znode"
)

// create serves create, create2 and createContainer. The reply to create is the
// path alone; the others' has the Stat too. See znode.Tree.Create for the checks.
func (x *execution) create() wire.ErrCode {
	var req wire.CreateRequest
	req.Decode(&x.dec)
	if !x.readable() {
		return wire.ErrMarshallingError
	}
	made, code := x.tree.Create(&x.caller, &znode.CreateOp{
		Op: x.cmd.Op, Path: req.Path, Data: req.Data, ACL: req.ACL, Flags: req.Flags,
	})
	if code == wire.OK && x.own {
		x.body = appendCreated(x.body, x.cmd.Op, &made)
	}
	return code
}

// createTTL serves createTTL, whose reply is that of create2.
func (x *execution) createTTL() wire.ErrCode {
	var req wire.CreateTTLRequest
	req.Decode(&x.dec)
	if !x.readable() {
		return wire.ErrMarshallingError
	}
	made, code := x.tree.Create(&x.caller, &znode.CreateOp{
		Op: wire.OpCreateTTL, Path: req.Path, Data: req.Data, ACL: req.ACL, Flags: req.Flags, TTLMillis: req.TTLMillis,
	})
	if code == wire.OK && x.own {
		x.body = appendCreated(x.body, wire.OpCreateTTL, &made)
	}
	return code
}

// appendCreated appends the record of a reply to one of the creates.
func appendCreated(b []byte, op wire.OpCode, made *znode.Created) []byte {
	if op == wire.OpCreate {
		return (&wire.CreateResponse{Path: made.Path}).AppendTo(b)
	}
	return (&wire.Create2Response{Path: made.Path, Stat: made.Stat}).AppendTo(b)
}
