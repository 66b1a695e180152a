package session

import (
	"context"

	"holt/wire"
)

// ConfigNode holds the configuration of the ensemble. It is outside every chroot.
const ConfigNode = "/zookeeper/config"

// do sends a request and decodes the reply into resp, which may be nil. The error is
// an *Error with path in it, or that of ctx.
func (s *Session) do(ctx context.Context, path string, op wire.OpCode, req, resp wire.Record) error {
	return s.doThen(ctx, path, op, req, resp, nil)
}

// doThen is do with something to be done at the moment of the reply, before any event after it.
func (s *Session) doThen(ctx context.Context, path string, op wire.OpCode, req, resp wire.Record, replied func(wire.ErrCode)) error {
	l, err := s.awaitLink(ctx, len(s.cfg.Servers))
	if err == nil {
		err = l.do(ctx, op, req, resp, replied)
	}
	if e, ok := err.(*Error); ok {
		if e.Code == wire.ErrConnectionLoss {
			e.Code = s.lossCode()
		}
		e.Path = path
	}
	return err
}

// watching returns what notes, at the moment of a reply, that path is watched. set
// gives the set for an outcome, nil if there is no watch after it.
func (s *Session) watching(watch bool, path string, set func(wire.ErrCode) paths) func(wire.ErrCode) {
	if !watch {
		return nil
	}
	return func(code wire.ErrCode) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p := set(code); p != nil {
			p[path] = struct{}{}
		}
	}
}

// ifOK is for watches that only a request that succeeds leaves.
func ifOK(set paths) func(wire.ErrCode) paths {
	return func(code wire.ErrCode) paths {
		if code == wire.OK {
			return set
		}
		return nil
	}
}

// lossCode is why a link broke, as a request on it is told.
func (s *Session) lossCode() wire.ErrCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == AuthFailed || s.link != nil && s.link.refused.Load():
		return wire.ErrAuthFailed
	case s.state == Closed || s.closing:
		return wire.ErrSessionExpired
	}
	return wire.ErrConnectionLoss
}

// Create makes a node and returns its path, which is longer than path if the mode is
// sequential. ttlMillis counts only for modes with a TTL. An empty acl is an
// ErrInvalidACL without a path, as in the original.
func (s *Session) Create(ctx context.Context, path string, data []byte, acl []wire.ACL, mode wire.CreateMode, ttlMillis int64) (string, error) {
	check := path
	if mode.Sequential() {
		check += "1" // what the server appends makes a path such as /a/ valid
	}
	if err := ValidatePath(check); err != nil {
		return "", err
	}
	if len(acl) == 0 {
		return "", &Error{Code: wire.ErrInvalidACL, Path: NullPath}
	}
	full := s.root.wire(path)
	switch {
	case mode.TTL():
		var resp wire.Create2Response
		err := s.do(ctx, path, wire.OpCreateTTL, &wire.CreateTTLRequest{Path: full, Data: data, ACL: acl, Flags: int32(mode), TTLMillis: ttlMillis}, &resp)
		return s.root.local(resp.Path), err
	case mode.Container():
		// The reply has a stat after the path, which is all that is wanted of it.
		var resp wire.CreateResponse
		err := s.do(ctx, path, wire.OpCreateContainer, &wire.CreateRequest{Path: full, Data: data, ACL: acl, Flags: int32(mode)}, &resp)
		return s.root.local(resp.Path), err
	}
	var resp wire.CreateResponse
	err := s.do(ctx, path, wire.OpCreate, &wire.CreateRequest{Path: full, Data: data, ACL: acl, Flags: int32(mode)}, &resp)
	return s.root.local(resp.Path), err
}

// Delete removes a node whose data has the version, or any if it is −1.
func (s *Session) Delete(ctx context.Context, path string, version int32) error {
	if err := ValidatePath(path); err != nil {
		return err
	}
	full := s.root.wire(path)
	if path == "/" {
		full = path // the original lets nobody delete its own chroot
	}
	return s.do(ctx, path, wire.OpDelete, &wire.DeleteRequest{Path: full, Version: version}, nil)
}

// Exists returns the stat of a node, nil if there is none, and may leave a watch in
// either case.
func (s *Session) Exists(ctx context.Context, path string, watch bool) (*wire.Stat, error) {
	if err := ValidatePath(path); err != nil {
		return nil, err
	}
	var resp wire.ExistsResponse
	req := &wire.ExistsRequest{Path: s.root.wire(path), Watch: watch}
	err := s.doThen(ctx, path, wire.OpExists, req, &resp, s.watching(watch, path, func(code wire.ErrCode) paths {
		switch code {
		case wire.OK:
			return s.watches.data
		case wire.ErrNoNode:
			return s.watches.exist
		}
		return nil
	}))
	switch {
	case Code(err) == wire.ErrNoNode:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &resp.Stat, nil
}

// GetData returns the data of a node, nil if it is null, and its stat.
func (s *Session) GetData(ctx context.Context, path string, watch bool) ([]byte, *wire.Stat, error) {
	if err := ValidatePath(path); err != nil {
		return nil, nil, err
	}
	return s.getData(ctx, path, s.root.wire(path), watch)
}

// GetConfig returns data and stat of the ensemble's configuration.
func (s *Session) GetConfig(ctx context.Context, watch bool) ([]byte, *wire.Stat, error) {
	return s.getData(ctx, ConfigNode, ConfigNode, watch)
}

func (s *Session) getData(ctx context.Context, path, full string, watch bool) ([]byte, *wire.Stat, error) {
	var resp wire.GetDataResponse
	req := &wire.GetDataRequest{Path: full, Watch: watch}
	err := s.doThen(ctx, path, wire.OpGetData, req, &resp, s.watching(watch, path, ifOK(s.watches.data)))
	if err != nil {
		return nil, nil, err
	}
	return resp.Data, &resp.Stat, nil
}

// SetData replaces the data of a node whose data has the version, or any if it is −1.
func (s *Session) SetData(ctx context.Context, path string, data []byte, version int32) (*wire.Stat, error) {
	if err := ValidatePath(path); err != nil {
		return nil, err
	}
	var resp wire.SetDataResponse
	err := s.do(ctx, path, wire.OpSetData, &wire.SetDataRequest{Path: s.root.wire(path), Data: data, Version: version}, &resp)
	return &resp.Stat, err
}

// GetACL returns the access control list of a node and its stat.
func (s *Session) GetACL(ctx context.Context, path string) ([]wire.ACL, *wire.Stat, error) {
	if err := ValidatePath(path); err != nil {
		return nil, nil, err
	}
	var resp wire.GetACLResponse
	err := s.do(ctx, path, wire.OpGetACL, &wire.GetACLRequest{Path: s.root.wire(path)}, &resp)
	return resp.ACL, &resp.Stat, err
}

// SetACL replaces the access control list of a node whose list has the version, or any
// if it is −1. An empty acl is an ErrInvalidACL without a path.
func (s *Session) SetACL(ctx context.Context, path string, acl []wire.ACL, version int32) (*wire.Stat, error) {
	if err := ValidatePath(path); err != nil {
		return nil, err
	}
	if len(acl) == 0 {
		return nil, &Error{Code: wire.ErrInvalidACL, Path: NullPath}
	}
	var resp wire.SetACLResponse
	err := s.do(ctx, path, wire.OpSetACL, &wire.SetACLRequest{Path: s.root.wire(path), ACL: acl, Version: version}, &resp)
	return &resp.Stat, err
}

// Children returns the names of a node's children, in no order, and its stat.
func (s *Session) Children(ctx context.Context, path string, watch bool) ([]string, *wire.Stat, error) {
	if err := ValidatePath(path); err != nil {
		return nil, nil, err
	}
	var resp wire.GetChildren2Response
	req := &wire.GetChildren2Request{Path: s.root.wire(path), Watch: watch}
	err := s.doThen(ctx, path, wire.OpGetChildren2, req, &resp, s.watching(watch, path, ifOK(s.watches.child)))
	return resp.Children, &resp.Stat, err
}

// CountDescendants returns how many nodes are below path.
func (s *Session) CountDescendants(ctx context.Context, path string) (int32, error) {
	if err := ValidatePath(path); err != nil {
		return 0, err
	}
	var resp wire.GetAllChildrenNumberResponse
	err := s.do(ctx, path, wire.OpGetAllChildrenNumber, &wire.GetAllChildrenNumberRequest{Path: s.root.wire(path)}, &resp)
	return resp.TotalNumber, err
}

// Ephemerals returns the ephemeral nodes of this session whose paths start with prefix.
// Like the original it does not know the chroot.
func (s *Session) Ephemerals(ctx context.Context, prefix string) ([]string, error) {
	if err := ValidatePath(prefix); err != nil {
		return nil, err
	}
	var resp wire.GetEphemeralsResponse
	err := s.do(ctx, NullPath, wire.OpGetEphemerals, &wire.GetEphemeralsRequest{PrefixPath: prefix}, &resp)
	return resp.Ephemerals, err
}

// Sync waits until the server has caught up with its leader.
func (s *Session) Sync(ctx context.Context, path string) error {
	if err := ValidatePath(path); err != nil {
		return err
	}
	return s.do(ctx, path, wire.OpSync, &wire.SyncRequest{Path: s.root.wire(path)}, &wire.SyncResponse{})
}

// WhoAmI returns the identities that the server knows this connection by.
func (s *Session) WhoAmI(ctx context.Context) ([]wire.ClientInfo, error) {
	var resp wire.WhoAmIResponse
	err := s.do(ctx, "", wire.OpWhoAmI, nil, &resp)
	return resp.ClientInfo, err
}

// Reconfigure changes the members of the ensemble. Exactly the arguments that are not
// nil are sent. fromConfig is the version that the present configuration must have, or −1.
func (s *Session) Reconfigure(ctx context.Context, req *wire.ReconfigRequest) ([]byte, *wire.Stat, error) {
	var resp wire.GetDataResponse
	err := s.do(ctx, "", wire.OpReconfig, req, &resp)
	return resp.Data, &resp.Stat, err
}

// AddWatch sets a watch that stays.
func (s *Session) AddWatch(ctx context.Context, path string, mode wire.AddWatchMode) error {
	if err := ValidatePath(path); err != nil {
		return err
	}
	set := s.watches.persistent
	if mode == wire.AddWatchPersistentRecursive {
		set = s.watches.recursive
	}
	req := &wire.AddWatchRequest{Path: s.root.wire(path), Mode: mode}
	return s.doThen(ctx, path, wire.OpAddWatch, req, &wire.ErrorResponse{}, s.watching(true, path, func(code wire.ErrCode) paths {
		if code == wire.OK || code == wire.ErrNoNode {
			return set
		}
		return nil
	}))
}

// RemoveWatches removes all watches of a kind from path, at the server and here, and
// delivers an event for each kind that there was. With local they are removed here
// even if the server could not do it. ErrNoWatcher tells that there was none.
func (s *Session) RemoveWatches(ctx context.Context, path string, typ wire.WatcherType, local bool) error {
	if err := ValidatePath(path); err != nil {
		return err
	}
	err := s.do(ctx, path, wire.OpRemoveWatches, &wire.RemoveWatchesRequest{Path: s.root.wire(path), Type: typ}, nil)
	code := Code(err)
	if err != nil && code == wire.OK {
		return err // interrupted
	}
	s.eventMu.Lock()
	defer s.eventMu.Unlock()
	s.mu.Lock()
	switch {
	case !s.watches.has(typ, path):
		s.mu.Unlock()
		return &Error{Code: wire.ErrNoWatcher, Path: path}
	case err != nil && !local:
		s.mu.Unlock()
		return err
	}
	removed := s.watches.remove(typ, path)
	s.mu.Unlock()
	state := EventSyncConnected
	if code == wire.ErrSessionExpired || code == wire.ErrConnectionLoss {
		state = EventDisconnected
	}
	for _, t := range removed {
		s.deliverLocked(Event{State: state, Type: t, Path: path, Zxid: -1})
	}
	return nil
}

// Multi does all of ops or none, and returns a result for each. If one of them fails
// the error is its outcome, with its path.
func (s *Session) Multi(ctx context.Context, ops []wire.MultiOp) ([]wire.MultiResult, error) {
	sent := make([]wire.MultiOp, len(ops))
	for i, op := range ops {
		sent[i] = s.rooted(op)
	}
	var resp wire.MultiResponse
	if err := s.do(ctx, "", wire.OpMulti, &wire.MultiRequest{Ops: sent}, &resp); err != nil {
		return nil, err
	}
	for i, r := range resp.Results {
		if r.Err != wire.OK && r.Err != wire.ErrRuntimeInconsistency {
			return resp.Results, &Error{Code: r.Err, Path: pathOf(ops[i])}
		}
	}
	return resp.Results, nil
}

// rooted returns a copy of op with the chroot before its path.
func (s *Session) rooted(op wire.MultiOp) wire.MultiOp {
	switch r := op.Record.(type) {
	case *wire.CreateRequest:
		c := *r
		c.Path = s.root.wire(c.Path)
		return wire.MultiOp{Op: op.Op, Record: &c}
	case *wire.DeleteRequest:
		c := *r
		c.Path = s.root.wire(c.Path)
		return wire.MultiOp{Op: op.Op, Record: &c}
	case *wire.SetDataRequest:
		c := *r
		c.Path = s.root.wire(c.Path)
		return wire.MultiOp{Op: op.Op, Record: &c}
	case *wire.CheckVersionRequest:
		c := *r
		c.Path = s.root.wire(c.Path)
		return wire.MultiOp{Op: op.Op, Record: &c}
	}
	return op
}

func pathOf(op wire.MultiOp) string {
	switch r := op.Record.(type) {
	case *wire.CreateRequest:
		return r.Path
	case *wire.DeleteRequest:
		return r.Path
	case *wire.SetDataRequest:
		return r.Path
	case *wire.CheckVersionRequest:
		return r.Path
	}
	return ""
}
