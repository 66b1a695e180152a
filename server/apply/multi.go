package apply

import (
	"holt/wire"
	"holt/znode"
)

// multi serves multi: all operations or none, under one zxid and one time, each
// seeing what those before it did. The reply has a result for each; the outcome is
// OK even if one failed, unless the request could not be read.
//
//	no failure        each operation's own result
//	operation k fails 0 for those before, its code for k, RuntimeInconsistency for those after
//
// Operations are carried out while they are decoded, so that none needs memory
// of its own. After a failure the rest is only decoded: to count it, and as a request that
// cannot be read is refused as a whole whatever else is wrong with it.
func (x *execution) multi() wire.ErrCode {
	before := x.m.state.zxid
	x.start()
	mark := x.tree.Mark()
	from := len(x.body)
	done, failed, code := 0, -1, wire.OK
	for {
		var h wire.MultiHeader
		h.Decode(&x.dec)
		if h.Done && x.dec.Err() == nil {
			break
		}
		c := x.multiOp(h.Type, failed < 0)
		if c == errNullACL {
			x.m.state.zxid = before
			c = wire.ErrMarshallingError
		}
		if x.dec.Err() != nil || c == wire.ErrMarshallingError {
			x.tree.Rollback(mark)
			x.body = x.body[:from]
			return wire.ErrMarshallingError
		}
		if failed < 0 && c != wire.OK {
			failed, code = done, c
			x.tree.Rollback(mark)
		}
		done++
	}
	if failed >= 0 {
		x.body = x.body[:from]
		x.tally.multisFailed++
		x.multiFailed(done, failed, code)
	}
	if x.own {
		x.body = wire.AppendMultiEnd(x.body)
	}
	return wire.OK
}

func (x *execution) multiFailed(ops, failed int, code wire.ErrCode) {
	if !x.own {
		return
	}
	for i := range ops {
		r := wire.MultiResult{Type: wire.OpError}
		switch {
		case i == failed:
			r.Err = code
		case i > failed:
			r.Err = wire.ErrRuntimeInconsistency
		}
		x.body = r.AppendTo(x.body)
	}
}

// errNullACL is what multiCreate says of a null ACL. The original stumbles over it while it reads the
// request and has not taken a zxid yet; of every other multi that cannot be read it has.
const errNullACL = wire.ErrCode(1)

// multiOp decodes an operation and, if it is to run and could be read, carries it out and appends
// its result. MarshallingError says that it may not be in a multi.
func (x *execution) multiOp(op wire.OpCode, run bool) wire.ErrCode {
	switch op {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		return x.multiCreate(op, run)
	case wire.OpDelete:
		var req wire.DeleteRequest
		req.Decode(&x.dec)
		if !run || x.dec.Err() != nil {
			return wire.OK
		}
		return x.multiDone(op, x.tree.Delete(&x.caller, req.Path, req.Version))
	case wire.OpSetData:
		var req wire.SetDataRequest
		req.Decode(&x.dec)
		if !run || x.dec.Err() != nil {
			return wire.OK
		}
		stat, code := x.tree.SetData(&x.caller, req.Path, req.Data, req.Version)
		x.multiDone(op, code)
		if code == wire.OK && x.own {
			x.body = stat.AppendTo(x.body)
		}
		return code
	case wire.OpCheck:
		var req wire.CheckVersionRequest
		req.Decode(&x.dec)
		if !run || x.dec.Err() != nil {
			return wire.OK
		}
		return x.multiDone(op, x.tree.Check(&x.caller, req.Path, req.Version))
	}
	return wire.ErrMarshallingError
}

// multiCreate is multiOp for the creates. Flags decide more than in a create on
// its own (ZooKeeper: MultiOperationRecord.deserialize, Op.create): they make a create a container,
// and a createTTL that is not of a TTL mode an ordinary create; and a mode that does not exist, or a
// TTL mode without a TTL, makes the whole request one that cannot be read.
func (x *execution) multiCreate(op wire.OpCode, run bool) wire.ErrCode {
	var req wire.CreateTTLRequest
	if op == wire.OpCreateTTL {
		req.Decode(&x.dec)
		if !wire.CreateMode(req.Flags).TTL() {
			op, req.TTLMillis = wire.OpCreate, -1
		}
	} else {
		var plain wire.CreateRequest
		plain.Decode(&x.dec)
		req = wire.CreateTTLRequest{Path: plain.Path, Data: plain.Data, ACL: plain.ACL, Flags: plain.Flags, TTLMillis: -1}
		mode := wire.CreateMode(req.Flags)
		switch {
		case x.dec.Err() != nil:
		case mode.Valid() && req.ACL == nil:
			return errNullACL
		case !mode.Valid() || mode.TTL():
			return wire.ErrMarshallingError
		}
	}
	if !run || x.dec.Err() != nil {
		return wire.OK
	}
	op = znode.OpInMulti(op, req.Flags)
	made, code := x.tree.Create(&x.caller, &znode.CreateOp{
		Op: op, Path: req.Path, Data: req.Data, ACL: req.ACL, Flags: req.Flags, TTLMillis: req.TTLMillis,
	})
	if op != wire.OpCreate {
		op = wire.OpCreate2 // what a client sees of all others
	}
	x.multiDone(op, code)
	if code == wire.OK && x.own {
		x.body = appendCreated(x.body, op, &made)
	}
	return code
}

// multiDone appends the header of an operation's result, if it went well.
func (x *execution) multiDone(op wire.OpCode, code wire.ErrCode) wire.ErrCode {
	if code == wire.OK && x.own {
		x.body = (&wire.MultiHeader{Type: op}).AppendTo(x.body)
	}
	return code
}
