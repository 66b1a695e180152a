package client

import (
	"context"
	"fmt"
	"time"

	"holt/wire"
)

// do sends a request and waits. path is for the error only.
func (c *Conn) do(ctx context.Context, op wire.OpCode, path string, req, reply wire.Record) error {
	call := c.getCall()
	call.Op, call.Request, call.Reply = op, req, reply
	if c.enqueue(call) {
		// The caller has nothing else to do, so it writes itself: this saves the switch to the writer.
		c.flush(true)
	}
	err := call.Wait(ctx)
	if ctx.Err() == nil || err == nil {
		c.putCall(call)
	}
	if err != nil {
		if path == "" {
			return fmt.Errorf("%v: %w", op, err)
		}
		return fmt.Errorf("%v %s: %w", op, path, err)
	}
	return nil
}

// getCall and putCall keep the completed calls of do for reuse. They belong to the
// connection, not to all, since the channel in a call may belong to a synctest bubble.
func (c *Conn) getCall() *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.free)
	if n == 0 {
		return new(Call)
	}
	call := c.free[n-1]
	c.free = c.free[:n-1]
	return call
}

func (c *Conn) putCall(call *Call) {
	const freeMax = 64
	call.Request, call.Reply = nil, nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) < freeMax {
		c.free = append(c.free, call)
	}
}

// Create creates a node and returns its path, with the number of a sequential one.
func (c *Conn) Create(ctx context.Context, path string, data []byte, acl []wire.ACL, mode wire.CreateMode) (string, error) {
	var reply wire.CreateResponse
	err := c.do(ctx, wire.OpCreate, path, &wire.CreateRequest{Path: path, Data: data, ACL: acl, Flags: int32(mode)}, &reply)
	return reply.Path, err
}

// Create2 is Create with the Stat of the new node.
func (c *Conn) Create2(ctx context.Context, path string, data []byte, acl []wire.ACL, mode wire.CreateMode) (string, wire.Stat, error) {
	var reply wire.Create2Response
	err := c.do(ctx, wire.OpCreate2, path, &wire.CreateRequest{Path: path, Data: data, ACL: acl, Flags: int32(mode)}, &reply)
	return reply.Path, reply.Stat, err
}

// CreateContainer creates a node that goes when its last child has gone.
func (c *Conn) CreateContainer(ctx context.Context, path string, data []byte, acl []wire.ACL) (string, wire.Stat, error) {
	var reply wire.Create2Response
	req := &wire.CreateRequest{Path: path, Data: data, ACL: acl, Flags: int32(wire.ModeContainer)}
	err := c.do(ctx, wire.OpCreateContainer, path, req, &reply)
	return reply.Path, reply.Stat, err
}

// CreateTTL creates a node that goes when it was not changed for ttl. mode is one of
// those with TTL in their names.
func (c *Conn) CreateTTL(ctx context.Context, path string, data []byte, acl []wire.ACL, mode wire.CreateMode, ttl time.Duration) (string, wire.Stat, error) {
	var reply wire.Create2Response
	req := &wire.CreateTTLRequest{Path: path, Data: data, ACL: acl, Flags: int32(mode), TTLMillis: ttl.Milliseconds()}
	err := c.do(ctx, wire.OpCreateTTL, path, req, &reply)
	return reply.Path, reply.Stat, err
}

// Delete deletes a node without children whose Version is version, or any if −1.
func (c *Conn) Delete(ctx context.Context, path string, version int32) error {
	return c.do(ctx, wire.OpDelete, path, &wire.DeleteRequest{Path: path, Version: version}, nil)
}

// Exists returns the Stat of a node; a watch is set even when it does not exist.
func (c *Conn) Exists(ctx context.Context, path string, watch bool) (wire.Stat, error) {
	var reply wire.ExistsResponse
	err := c.do(ctx, wire.OpExists, path, &wire.ExistsRequest{Path: path, Watch: watch}, &reply)
	return reply.Stat, err
}

// GetData returns the data, nil for null, and Stat of a node.
func (c *Conn) GetData(ctx context.Context, path string, watch bool) ([]byte, wire.Stat, error) {
	var reply wire.GetDataResponse
	err := c.do(ctx, wire.OpGetData, path, &wire.GetDataRequest{Path: path, Watch: watch}, &reply)
	return reply.Data, reply.Stat, err
}

// SetData replaces the data of a node whose Version is version, or any if −1.
func (c *Conn) SetData(ctx context.Context, path string, data []byte, version int32) (wire.Stat, error) {
	var reply wire.SetDataResponse
	err := c.do(ctx, wire.OpSetData, path, &wire.SetDataRequest{Path: path, Data: data, Version: version}, &reply)
	return reply.Stat, err
}

// GetACL returns the ACL and Stat of a node.
func (c *Conn) GetACL(ctx context.Context, path string) ([]wire.ACL, wire.Stat, error) {
	var reply wire.GetACLResponse
	err := c.do(ctx, wire.OpGetACL, path, &wire.GetACLRequest{Path: path}, &reply)
	return reply.ACL, reply.Stat, err
}

// SetACL replaces the ACL of a node whose Aversion is version, or any if −1.
func (c *Conn) SetACL(ctx context.Context, path string, acl []wire.ACL, version int32) (wire.Stat, error) {
	var reply wire.SetACLResponse
	err := c.do(ctx, wire.OpSetACL, path, &wire.SetACLRequest{Path: path, ACL: acl, Version: version}, &reply)
	return reply.Stat, err
}

// GetChildren returns the names of a node's children in the server's order.
func (c *Conn) GetChildren(ctx context.Context, path string, watch bool) ([]string, error) {
	var reply wire.GetChildrenResponse
	err := c.do(ctx, wire.OpGetChildren, path, &wire.GetChildrenRequest{Path: path, Watch: watch}, &reply)
	return reply.Children, err
}

// GetChildren2 is GetChildren with the Stat of the node.
func (c *Conn) GetChildren2(ctx context.Context, path string, watch bool) ([]string, wire.Stat, error) {
	var reply wire.GetChildren2Response
	err := c.do(ctx, wire.OpGetChildren2, path, &wire.GetChildren2Request{Path: path, Watch: watch}, &reply)
	return reply.Children, reply.Stat, err
}

// GetChildrenPage returns a part of a node's children. Apache ZooKeeper does not know it.
func (c *Conn) GetChildrenPage(ctx context.Context, req *wire.GetChildrenPageRequest) (*wire.GetChildrenPageResponse, error) {
	reply := new(wire.GetChildrenPageResponse)
	err := c.do(ctx, wire.OpGetChildrenPage, req.Path, req, reply)
	return reply, err
}

// GetEphemerals returns the session's own ephemeral nodes whose paths begin with prefix.
func (c *Conn) GetEphemerals(ctx context.Context, prefix string) ([]string, error) {
	var reply wire.GetEphemeralsResponse
	err := c.do(ctx, wire.OpGetEphemerals, prefix, &wire.GetEphemeralsRequest{PrefixPath: prefix}, &reply)
	return reply.Ephemerals, err
}

// GetAllChildrenNumber returns how many nodes are below one.
func (c *Conn) GetAllChildrenNumber(ctx context.Context, path string) (int, error) {
	var reply wire.GetAllChildrenNumberResponse
	err := c.do(ctx, wire.OpGetAllChildrenNumber, path, &wire.GetAllChildrenNumberRequest{Path: path}, &reply)
	return int(reply.TotalNumber), err
}

// Sync returns when the server has caught up with what was committed before.
func (c *Conn) Sync(ctx context.Context, path string) error {
	return c.do(ctx, wire.OpSync, path, &wire.SyncRequest{Path: path}, nil)
}

// Ping returns when a ping was answered.
func (c *Conn) Ping(ctx context.Context) error { return c.do(ctx, wire.OpPing, "", nil, nil) }

// Multi does all operations or none. The error is that of the request; if
// an operation failed, that is in the results.
func (c *Conn) Multi(ctx context.Context, ops ...wire.MultiOp) ([]wire.MultiResult, error) {
	var reply wire.MultiResponse
	err := c.do(ctx, wire.OpMulti, "", &wire.MultiRequest{Ops: ops}, &reply)
	return reply.Results, err
}

// MultiRead does several reads, each of which fails for itself.
func (c *Conn) MultiRead(ctx context.Context, ops ...wire.MultiOp) ([]wire.MultiResult, error) {
	var reply wire.MultiResponse
	err := c.do(ctx, wire.OpMultiRead, "", &wire.MultiRequest{Ops: ops}, &reply)
	return reply.Results, err
}

// Reconfig changes the ensemble and returns the new configuration with its Stat.
func (c *Conn) Reconfig(ctx context.Context, req *wire.ReconfigRequest) ([]byte, wire.Stat, error) {
	var reply wire.GetDataResponse
	err := c.do(ctx, wire.OpReconfig, "", req, &reply)
	return reply.Data, reply.Stat, err
}

// AddWatch sets a watch that stays.
func (c *Conn) AddWatch(ctx context.Context, path string, mode wire.AddWatchMode) error {
	return c.do(ctx, wire.OpAddWatch, path, &wire.AddWatchRequest{Path: path, Mode: mode}, nil)
}

// CheckWatches fails with wire.ErrNoWatcher if the connection has no such watch.
func (c *Conn) CheckWatches(ctx context.Context, path string, t wire.WatcherType) error {
	return c.do(ctx, wire.OpCheckWatches, path, &wire.CheckWatchesRequest{Path: path, Type: t}, nil)
}

// RemoveWatches fails with wire.ErrNoWatcher if the connection has no such watch.
func (c *Conn) RemoveWatches(ctx context.Context, path string, t wire.WatcherType) error {
	return c.do(ctx, wire.OpRemoveWatches, path, &wire.RemoveWatchesRequest{Path: path, Type: t}, nil)
}

// SetWatches sets the watches of an earlier connection.
func (c *Conn) SetWatches(ctx context.Context, req *wire.SetWatches) error {
	return c.do(ctx, wire.OpSetWatches, "", req, nil)
}

// SetWatches2 sets the watches of an earlier connection, persistent ones too.
func (c *Conn) SetWatches2(ctx context.Context, req *wire.SetWatches2) error {
	return c.do(ctx, wire.OpSetWatches2, "", req, nil)
}

// Auth adds an identity to the connection. If the server refuses, it closes it.
func (c *Conn) Auth(ctx context.Context, scheme string, auth []byte) error {
	return c.do(ctx, wire.OpAuth, "", &wire.AuthPacket{Scheme: scheme, Auth: auth}, nil)
}

// SASL takes one step of an exchange and returns the server's token.
func (c *Conn) SASL(ctx context.Context, token []byte) ([]byte, error) {
	var reply wire.SetSASLResponse
	err := c.do(ctx, wire.OpSASL, "", &wire.GetSASLRequest{Token: token}, &reply)
	return reply.Token, err
}

// WhoAmI returns the identities of the connection.
func (c *Conn) WhoAmI(ctx context.Context) ([]wire.ClientInfo, error) {
	var reply wire.WhoAmIResponse
	err := c.do(ctx, wire.OpWhoAmI, "", nil, &reply)
	return reply.ClientInfo, err
}
