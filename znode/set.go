package znode

import "holt/wire"

// SetData replaces the data of a node whose Version is version, or any if −1.
// Permission: WRITE. In this order:
//
//	path not valid                                      BadArguments
//	no node                                             NoNode
//	no permission                                       NoAuth
//	hard quota, if enforced                             QuotaExceeded
//	another version                                     BadVersion
func (t *Tree) SetData(by *Caller, path string, data []byte, version int32) (wire.Stat, wire.ErrCode) {
	if !ValidatePath(path) {
		return wire.Stat{}, wire.ErrBadArguments
	}
	n, c := t.find(path)
	if n == nil {
		return wire.Stat{}, t.absent()
	}
	if !by.allowed(n, wire.PermWrite) {
		return wire.Stat{}, wire.ErrNoAuth
	}
	grown := int64(len(data) - len(n.Data))
	if code := t.checkQuota(by, path, grown, 0); code != wire.OK {
		return wire.Stat{}, code
	}
	if version != -1 && version != n.Version {
		return wire.Stat{}, wire.ErrBadVersion
	}
	stat := t.setData(n, c, data, nextVersion(n.Version))
	t.chargeQuota(path, grown, 0)
	return stat, t.outcome()
}

// SetConfig replaces the data of /zookeeper/config, whose version stays −1
// as in an ensemble of ZooKeeper's. It asks nobody's permission.
func (t *Tree) SetConfig(data []byte) (wire.Stat, wire.ErrCode) {
	n, c := t.find(ConfigPath)
	if n == nil {
		return wire.Stat{}, t.absent()
	}
	return t.setData(n, c, data, -1), t.outcome()
}

func (t *Tree) setData(n *Node, c *change, data []byte, version int32) wire.Stat {
	t.state.DataBytes += int64(len(data) - len(n.Data))
	n = t.own(n, c).node
	n.SetContents(n.Path, data)
	n.Mzxid, n.Mtime, n.Version = t.zxid, t.now, version
	t.emit(wire.EventNodeDataChanged, n, nil)
	return n.Stat()
}

// nextVersion skips −1, which clients take for "any" (ZOOKEEPER-4743).
func nextVersion(v int32) int32 {
	if v == -2 {
		return 0
	}
	return v + 1
}

// SetACL replaces the list of a node whose Aversion is version, or any if −1.
// Permission: ADMIN. No watch fires and no zxid of the node moves. In this order:
//
//	path not valid                                      BadArguments
//	ACL cannot be stored                                InvalidACL
//	no node                                             NoNode
//	no permission                                       NoAuth
//	another version                                     BadVersion
func (t *Tree) SetACL(by *Caller, path string, acl []wire.ACL, version int32) (wire.Stat, wire.ErrCode) {
	if !ValidatePath(path) {
		return wire.Stat{}, wire.ErrBadArguments
	}
	list, ok := by.schemes().FixACL(acl, by.Identities)
	if !ok {
		return wire.Stat{}, wire.ErrInvalidACL
	}
	n, c := t.find(path)
	if n == nil {
		return wire.Stat{}, t.absent()
	}
	if !by.allowed(n, wire.PermAdmin) {
		return wire.Stat{}, wire.ErrNoAuth
	}
	if version != -1 && version != n.Aversion {
		return wire.Stat{}, wire.ErrBadVersion
	}
	n = t.own(n, c).node
	n.ACL = t.store.Intern(list)
	n.Aversion = nextVersion(n.Aversion)
	return n.Stat(), t.outcome()
}

// Check asks whether the node's Version is version; −1 asks for its existence. Permission: READ. In this order:
//
//	path not valid                                      BadArguments
//	no node                                             NoNode
//	no permission                                       NoAuth
//	another version                                     BadVersion
func (t *Tree) Check(by *Caller, path string, version int32) wire.ErrCode {
	if !ValidatePath(path) {
		return wire.ErrBadArguments
	}
	n, _ := t.find(path)
	switch {
	case n == nil:
		return t.absent()
	case !by.allowed(n, wire.PermRead):
		return wire.ErrNoAuth
	case version != -1 && version != n.Version:
		return wire.ErrBadVersion
	}
	return wire.OK
}
