package znode

import (
	"strconv"

	"holt/wire"
)

// Caller is who asks, and the settings that decide with him. The settings must be the same
// on each member: they travel with the command.
type Caller struct {
	Session    wire.SessionID
	Identities []wire.Identity
	Schemes    Schemes // 0 means SchemesDefault
	// SkipACL lets everybody do everything (zookeeper.skipACL). Lists are still judged when stored.
	SkipACL bool
	// EnforceQuota refuses what exceeds a hard limit (zookeeper.enforceQuota).
	EnforceQuota bool
	// ExtendedTypes allows nodes with a TTL (zookeeper.extendedTypesEnabled).
	ExtendedTypes bool
}

func (c *Caller) schemes() Schemes {
	if c.Schemes == 0 {
		return SchemesDefault
	}
	return c.Schemes
}

func (c *Caller) allowed(n *Node, perm wire.Perms) bool {
	return c.SkipACL || c.schemes().Allowed(n.ACL, perm, c.Identities)
}

// CreateOp is a create, create2, createContainer or createTTL. The strings, data and list may alias a buffer of the
// caller's: the tree copies what it keeps.
type CreateOp struct {
	// Op decides the kind: OpCreateContainer makes a container and OpCreateTTL
	// a TTL node whatever Flags say, the others neither. (In a multi ZooKeeper derives
	// the op code from the flags: see OpInMulti.)
	Op        wire.OpCode
	Path      string
	Data      []byte
	ACL       []wire.ACL
	Flags     int32
	TTLMillis int64 // of OpCreateTTL
}

// OpInMulti is the op code a create within a multi has in effect (ZooKeeper:
// Op.Create): flags that are a container or TTL mode outweigh the code sent.
func OpInMulti(op wire.OpCode, flags int32) wire.OpCode {
	switch m := wire.CreateMode(flags); {
	case !m.Valid():
		return op
	case m.TTL():
		return wire.OpCreateTTL
	case m.Container():
		return wire.OpCreateContainer
	}
	return op
}

// Created is what a create answers.
type Created struct {
	Path string // with the number, if sequential
	Stat wire.Stat
}

// Create makes a node. Permission: CREATE on the parent. In this order:
//
//	flags unknown                                       BadArguments
//	TTL mode without ExtendedTypes                      Unimplemented
//	TTL out of range, or given without a TTL mode       BadArguments
//	no slash or a NUL in the path                       BadArguments
//	ACL cannot be stored                                InvalidACL
//	no parent                                           NoNode
//	no permission                                       NoAuth
//	path not valid (with its number)                    BadArguments
//	node exists                                         NodeExists
//	parent is ephemeral                                 NoChildrenForEphemerals
//	hard quota, if enforced                             QuotaExceeded
func (t *Tree) Create(by *Caller, op *CreateOp) (Created, wire.ErrCode) {
	mode := wire.CreateMode(op.Flags)
	if code := checkMode(by, op, mode); code != wire.OK {
		return Created{}, code
	}
	if !hasParent(op.Path) {
		return Created{}, wire.ErrBadArguments
	}
	list, ok := by.schemes().FixACL(op.ACL, by.Identities)
	if !ok {
		return Created{}, wire.ErrInvalidACL
	}
	parent, pc := t.find(Parent(op.Path))
	if parent == nil {
		return Created{}, t.absent()
	}
	if !by.allowed(parent, wire.PermCreate) {
		return Created{}, wire.ErrNoAuth
	}
	path := op.Path
	if mode.Sequential() {
		path = appendSequence(path, parent.Cversion)
	}
	if !ValidatePath(path) || path == rootLimits {
		return Created{}, wire.ErrBadArguments
	}
	c, code := t.vacant(path, parent, pc)
	if code != wire.OK {
		return Created{}, code
	}
	if parent.Owner.IsSession() {
		return Created{}, wire.ErrNoChildrenForEphemerals
	}
	if code := t.checkQuota(by, path, int64(len(op.Data)), 1); code != wire.OK {
		return Created{}, code
	}
	n := t.create(path, op.Data, t.store.Intern(list), op.owner(by, mode), c, parent, pc)
	made := Created{n.Path, n.Stat()} // before the node is a statistics node and rewritten
	t.createdQuota(n)
	t.chargeQuota(n.Path, int64(len(op.Data)), 1)
	return made, t.outcome()
}

// checkMode judges flags and TTL, the first things ZooKeeper looks at.
func checkMode(by *Caller, op *CreateOp, mode wire.CreateMode) wire.ErrCode {
	ttl := int64(-1)
	if op.Op == wire.OpCreateTTL {
		ttl = op.TTLMillis
	}
	switch {
	case !mode.Valid():
		return wire.ErrBadArguments
	case mode.TTL() && !by.ExtendedTypes:
		return wire.ErrUnimplemented
	case mode.TTL() && (ttl <= 0 || ttl > TTLMax):
		return wire.ErrBadArguments
	case !mode.TTL() && ttl >= 0:
		return wire.ErrBadArguments
	case !mode.TTL() && op.Op == wire.OpCreateTTL:
		return wire.ErrBadArguments // Differs from ZooKeeper, which stops when it applies this
	}
	return wire.OK
}

func (op *CreateOp) owner(by *Caller, mode wire.CreateMode) Owner {
	switch {
	case op.Op == wire.OpCreateContainer:
		return OwnerContainer
	case op.Op == wire.OpCreateTTL:
		return OwnerTTL(op.TTLMillis)
	case mode.Ephemeral():
		return Owner(by.Session)
	}
	return 0
}

// appendSequence adds the number as Java's %010d prints it.
func appendSequence(path string, seq int32) string {
	b := make([]byte, 0, len(path)+11)
	b = append(b, path...)
	if seq < 0 {
		b = append(b, '-')
	}
	var buf [12]byte
	digits := strconv.AppendUint(buf[:0], uint64(absInt32(seq)), 10)
	width := 10
	if seq < 0 {
		width = 9
	}
	for i := len(digits); i < width; i++ {
		b = append(b, '0')
	}
	return string(append(b, digits...))
}

func absInt32(v int32) uint32 {
	if v < 0 {
		return uint32(-int64(v))
	}
	return uint32(v)
}

// vacant reports NodeExists if there is a node at path; otherwise it returns
// the path's change, nil if the entry has not touched it.
func (t *Tree) vacant(path string, parent *Node, pc *change) (*change, wire.ErrCode) {
	if parent.NumChildren == 0 {
		return t.byPath[path], wire.OK // saves the store a look for what cannot be there
	}
	n, c := t.find(path)
	if n != nil {
		return nil, wire.ErrNodeExists
	}
	return c, t.outcome()
}

// create makes the node, all having been judged. c is the path's change, if any. Quotas are the caller's.
func (t *Tree) create(path string, data []byte, acl *ACL, o Owner, c *change, parent *Node, pc *change) *Node {
	n := &Node{
		ACL: acl, Owner: o,
		Czxid: t.zxid, Mzxid: t.zxid, Pzxid: t.zxid,
		Ctime: t.now, Mtime: t.now,
	}
	n.SetContents(path, data)
	pc = t.own(parent, pc)
	if p := pc.node; p.Cversion != 1<<31-1 {
		p.Cversion++
	}
	pc.node.NumChildren++
	pc.node.Pzxid = max(pc.node.Pzxid, t.zxid)
	if c == nil {
		c = t.touch(n.Path, nil)
	}
	t.set(c, n)
	c.parent = pc
	t.count(n, +1)
	if o.IsSession() {
		t.newEphemerals = append(t.newEphemerals, c)
	}
	t.emit(wire.EventNodeCreated, n, pc.node)
	return n
}

// count adds a node to the sums, or takes it off.
func (t *Tree) count(n *Node, sign int64) {
	t.state.Nodes += sign
	t.state.DataBytes += sign * nodeBytes(n.Path, n.Data)
	if n.Owner.IsSession() {
		t.state.Ephemerals += sign
	}
	if isQuotaChild(n.Path) {
		t.state.QuotaChildren += sign
	}
}

// absent is the outcome when a node was not found.
func (t *Tree) absent() wire.ErrCode {
	if t.err != nil {
		return wire.ErrSystemError
	}
	return wire.ErrNoNode
}

// outcome is OK unless the store failed.
func (t *Tree) outcome() wire.ErrCode {
	if t.err != nil {
		return wire.ErrSystemError
	}
	return wire.OK
}
