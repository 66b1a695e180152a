package znode

import (
	"fmt"
	"slices"
	"strings"

	"holt/wire"
)

// hasParent is ZooKeeper's first look at the path of a create or delete.
func hasParent(path string) bool {
	return strings.IndexByte(path, '/') >= 0 && strings.IndexByte(path, 0) < 0
}

// Delete removes a node without children whose Version is version, or any if −1.
// Permission: DELETE on the parent. In this order:
//
//	no slash, a NUL, or a node that must exist          BadArguments
//	no parent                                           NoNode
//	no permission                                       NoAuth
//	no node                                             NoNode
//	another version                                     BadVersion
//	has children                                        NotEmpty
func (t *Tree) Delete(by *Caller, path string, version int32) wire.ErrCode {
	if !hasParent(path) || special(path) {
		return wire.ErrBadArguments
	}
	parent, pc := t.find(Parent(path))
	if parent == nil {
		return t.absent()
	}
	if !by.allowed(parent, wire.PermDelete) {
		return wire.ErrNoAuth
	}
	n, c := t.find(path)
	if n == nil {
		return t.absent()
	}
	if version != -1 && version != n.Version {
		return wire.ErrBadVersion
	}
	if n.NumChildren > 0 {
		return wire.ErrNotEmpty
	}
	t.delete(n, c, parent, pc)
	return t.outcome()
}

// Reaped deletes a container or TTL node on behalf of the leader, without
// permission, if it may still be deleted at the time of the command (see Node.Reapable). In this order:
//
//	no slash, a NUL, or a node that must exist          BadArguments
//	no node                                             NoNode
//	has children                                        NotEmpty
//	not to be deleted by now, or of another kind        BadVersion
//
// Differs from ZooKeeper, which deletes any node without children and session.
func (t *Tree) Reaped(path string, neverUsedMillis int64) wire.ErrCode {
	if !hasParent(path) || special(path) {
		return wire.ErrBadArguments
	}
	n, c := t.find(path)
	if n == nil {
		return t.absent()
	}
	if n.NumChildren > 0 {
		return wire.ErrNotEmpty
	}
	if !n.Reapable(t.now, neverUsedMillis) {
		return wire.ErrBadVersion
	}
	parent, pc := t.find(Parent(path))
	if parent == nil {
		return t.absent()
	}
	t.delete(n, c, parent, pc)
	return t.outcome()
}

// CloseSession deletes the ephemeral nodes of a session, in the order of their paths.
func (t *Tree) CloseSession(s wire.SessionID) {
	for _, path := range t.ephemerals(s) {
		n, c := t.find(path)
		parent, pc := t.find(Parent(path))
		if n == nil || parent == nil {
			continue // only if the store failed
		}
		t.delete(n, c, parent, pc)
	}
}

// ephemerals are those of the session as of now: what the store's index knows, less
// what the entry has deleted, and what the entry has created.
func (t *Tree) ephemerals(s wire.SessionID) []string {
	var paths []string
	err := t.store.Ephemerals(s, s, func(_ wire.SessionID, p []byte) bool {
		c := t.byPath[string(p)]
		if c == nil || c.node != nil && c.node.Owner == Owner(s) {
			paths = append(paths, string(p))
		}
		return true
	})
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("read ephemerals of session %s: %w", s, err)
	}
	for _, c := range t.newEphemerals {
		if c.node != nil && c.node.Owner == Owner(s) {
			paths = append(paths, c.path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths) // deleted and created again: in both
}

// delete removes the node, all having been judged.
func (t *Tree) delete(n *Node, c *change, parent *Node, pc *change) {
	pc = t.own(parent, pc)
	pc.node.NumChildren--
	pc.node.Pzxid = max(pc.node.Pzxid, t.zxid)
	if c == nil {
		c = t.touch(n.Path, n)
	}
	t.set(c, nil)
	c.parent = pc
	t.count(n, -1)
	t.chargeQuota(n.Path, -int64(len(n.Data)), -1)
	t.emit(wire.EventNodeDeleted, n, pc.node)
}
