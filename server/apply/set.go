package apply

import "holt/wire"

// setData serves setData; the reply is the Stat.
func (x *execution) setData() wire.ErrCode {
	var req wire.SetDataRequest
	req.Decode(&x.dec)
	if !x.readable() {
		return wire.ErrMarshallingError
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
		return wire.ErrMarshallingError
	}
	stat, code := x.tree.SetACL(&x.caller, req.Path, req.ACL, req.Version)
	if code == wire.OK && x.own {
		x.body = stat.AppendTo(x.body)
	}
	return code
}

// setConfig serves the leader's reconfig, which writes down who the members are: the
// body is the new text of /zookeeper/config.
func (x *execution) setConfig() wire.ErrCode {
	_, code := x.tree.SetConfig(x.cmd.Body)
	return code
}
