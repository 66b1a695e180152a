package apply

import "holt/wire"

// delete serves delete. No record in the reply.
func (x *execution) delete() wire.ErrCode {
	var req wire.DeleteRequest
	req.Decode(&x.dec)
	if !x.readable() {
		return wire.ErrMarshallingError
	}
	return x.tree.Delete(&x.caller, req.Path, req.Version)
}

// reap serves the leader's deleteContainer: the node goes if it still may, at the time
// of the entry. See AppendReap for the body.
func (x *execution) reap() wire.ErrCode {
	var req wire.DeleteContainerRequest
	req.Decode(&x.dec)
	neverUsedMillis := int64(0)
	if x.dec.Len() > 0 {
		neverUsedMillis = x.dec.Int64()
	}
	if x.dec.Err() != nil {
		return wire.ErrMarshallingError
	}
	return x.tree.Reaped(req.Path, neverUsedMillis)
}
