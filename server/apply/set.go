package apply

import "holt/wire"

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

// reconfig refuses to change the ensemble.
func (x *execution) reconfig() wire.ErrCode {
	var req wire.ReconfigRequest
	req.Decode(&x.dec)
	if x.dec.Err() != nil {
		return wire.ErrMarshallingError // and no zxid, as of every request that breaks off
	}
	x.start()
	return wire.ErrReconfigDisabled
}

// setConfig serves the leader's reconfig, which writes down who the members are: the
// body is the new text of /zookeeper/config.
func (x *execution) setConfig() wire.ErrCode {
	_, code := x.tree.SetConfig(x.cmd.Body)
	return code
}
