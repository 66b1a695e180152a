package znode

import (
	"fmt"
	"slices"
	"strings"

	"holt/wire"
)

// The methods here judge nothing: they repeat what another server has judged, when a
// tree is made from its files. They may find that something was done already, as
// a file written while the tree changed may hold what came later. No event comes of
// them. (ZooKeeper: DataTree.processTxn.)

// Plant puts a node into the tree with all its numbers, but for NumChildren, which
// counts the children it has here. n is the tree's from then on. A node that
// must exist is replaced but for its children; any other that is there already is NodeExists. NoNode
// if there is no parent, NoChildrenForEphemerals if it is a session's.
func (t *Tree) Plant(n *Node) wire.ErrCode {
	if n.Path == Root {
		was, c := t.find(Root)
		if was == nil {
			return t.absent()
		}
		return t.supplant(was, c, n)
	}
	parent, pc := t.find(Parent(n.Path))
	if parent == nil {
		return t.absent()
	}
	if was, c := t.child(n.Path, parent); was != nil {
		if !special(n.Path) {
			return wire.ErrNodeExists
		}
		return t.supplant(was, c, n)
	}
	if parent.Owner.IsSession() {
		return wire.ErrNoChildrenForEphemerals
	}
	pc = t.own(parent, pc)
	n.NumChildren = 0
	t.enter(n, pc)
	return t.outcome()
}

// supplant replaces a node by another one at its path, that has its children.
func (t *Tree) supplant(was *Node, c *change, n *Node) wire.ErrCode {
	n.NumChildren = was.NumChildren
	if n.Path == Root {
		t.state.DataBytes += int64(len(n.Data) - len(was.Data))
		n.StoreFlags = was.StoreFlags
		c = t.own(was, c)
		t.set(c, n)
		return t.outcome()
	}
	parent, pc := t.find(Parent(n.Path))
	if parent == nil {
		return t.absent()
	}
	if c == nil {
		c = t.touch(n.Path, was)
	}
	n.StoreFlags = was.StoreFlags
	t.count(was, -1)
	t.set(c, n)
	t.count(n, +1)
	c.parent = t.own(parent, pc)
	return t.outcome()
}

// child is find for a path whose parent is known.
func (t *Tree) child(path string, parent *Node) (*Node, *change) {
	if parent.NumChildren == 0 {
		c := t.byPath[path]
		if c == nil {
			return nil, nil
		}
		return c.node, c
	}
	return t.find(path)
}

// enter puts a new node below its parent, which is pc's.
func (t *Tree) enter(n *Node, pc *change) {
	c := t.byPath[n.Path]
	if c == nil {
		c = t.touch(n.Path, nil)
	}
	t.set(c, n)
	c.parent = pc
	pc.node.NumChildren++
	t.count(n, +1)
	if n.Owner.IsSession() {
		t.newEphemerals = append(t.newEphemerals, c)
	}
}

// ReplayCreate repeats a create at the zxid and time of Begin. parentCversion is
// the parent's counter afterwards, −1 if it is one more than before. NodeExists and NoNode change nothing.
func (t *Tree) ReplayCreate(path string, data []byte, acl []wire.ACL, o Owner, parentCversion int32) wire.ErrCode {
	parent, pc := t.find(Parent(path))
	if parent == nil {
		return t.absent()
	}
	if was, _ := t.child(path, parent); was != nil {
		return wire.ErrNodeExists
	}
	if parent.Owner.IsSession() {
		return wire.ErrNoChildrenForEphemerals // a later one than the parent that was: that one's end comes yet
	}
	n := &Node{
		ACL: t.store.Intern(acl), Owner: o,
		Czxid: t.zxid, Mzxid: t.zxid, Pzxid: t.zxid,
		Ctime: t.now, Mtime: t.now,
	}
	n.SetContents(path, data)
	pc = t.own(parent, pc)
	t.raiseCversion(pc.node, parentCversion)
	t.enter(n, pc)
	t.createdQuota(n)
	t.chargeQuota(n.Path, int64(len(data)), 1)
	return t.outcome()
}

// raiseCversion moves a parent's counter and pzxid, unless it has gone further already.
func (t *Tree) raiseCversion(n *Node, cversion int32) {
	if cversion == -1 {
		cversion = n.Cversion + 1
	}
	if cversion > n.Cversion {
		n.Cversion, n.Pzxid = cversion, t.zxid
	}
}

// ReplayCversion does for a create whose node was there already what a create does to the parent.
func (t *Tree) ReplayCversion(path string, cversion int32) wire.ErrCode {
	n, c := t.find(path)
	if n == nil {
		return t.absent()
	}
	if cversion == -1 || cversion > n.Cversion {
		t.raiseCversion(t.own(n, c).node, cversion)
	}
	return t.outcome()
}

// ReplayDelete repeats a delete. A node that is gone already moves its parent's pzxid all the
// same, as in ZooKeeper. Children that are there, as only what came later can have
// created them, go with it: they will be created again.
func (t *Tree) ReplayDelete(path string) wire.ErrCode {
	parent, pc := t.find(Parent(path))
	if parent == nil || path == Root {
		return t.absent()
	}
	if t.zxid > parent.Pzxid {
		pc = t.own(parent, pc)
		parent = pc.node
		parent.Pzxid = t.zxid
	}
	n, _ := t.child(path, parent)
	if n == nil {
		return t.absent()
	}
	if n.NumChildren > 0 {
		t.uproot(path)
	}
	t.pull(path)
	return t.outcome()
}

// pull deletes a node that has no children.
func (t *Tree) pull(path string) {
	n, c := t.find(path)
	parent, pc := t.find(Parent(path))
	if n == nil || parent == nil {
		return // the store failed
	}
	pc = t.own(parent, pc)
	pc.node.NumChildren--
	if c == nil {
		c = t.touch(n.Path, n)
	}
	t.set(c, nil)
	c.parent = pc
	t.count(n, -1)
	t.chargeQuota(n.Path, -int64(len(n.Data)), -1)
}

// uproot deletes all below path, deepest first.
func (t *Tree) uproot(path string) {
	var below []string
	err := t.store.Subtree(path, func(p []byte, _ int) { below = append(below, string(p)) })
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("walk %q: %w", path, err)
	}
	for _, c := range t.changes {
		if c.node != nil && strings.HasPrefix(c.path, path+"/") {
			below = append(below, c.path)
		}
	}
	// Deepest first, which sorting backwards does: a path follows its own beginnings.
	slices.Sort(below)
	for _, p := range slices.Backward(slices.Compact(below)) {
		t.pull(p)
	}
}

// ReplaySetData repeats a setData; version is that afterwards.
func (t *Tree) ReplaySetData(path string, data []byte, version int32) wire.ErrCode {
	n, c := t.find(path)
	if n == nil {
		return t.absent()
	}
	grown := int64(len(data) - len(n.Data))
	t.state.DataBytes += grown
	n = t.own(n, c).node
	n.SetContents(n.Path, data)
	n.Mzxid, n.Mtime, n.Version = t.zxid, t.now, version
	t.chargeQuota(path, grown, 0)
	return t.outcome()
}

// ReplaySetACL repeats a setACL; version is the list's afterwards.
func (t *Tree) ReplaySetACL(path string, acl []wire.ACL, version int32) wire.ErrCode {
	n, c := t.find(path)
	if n == nil {
		return t.absent()
	}
	n = t.own(n, c).node
	n.ACL, n.Aversion = t.store.Intern(acl), version
	return t.outcome()
}

// EphemeralsNow are the paths of a session's nodes, those that this entry has changed included.
func (t *Tree) EphemeralsNow(s wire.SessionID) []string { return t.ephemerals(s) }

// RecountQuotas counts anew what every quota covers, as ZooKeeper does when it
// starts. Nothing of the entry may have been changed before.
func (t *Tree) RecountQuotas() error {
	var quotas []string
	err := t.store.Subtree(QuotaRoot, func(path []byte, _ int) {
		if quota, ok := strings.CutSuffix(string(path), "/"+limitsName); ok {
			quotas = append(quotas, quota)
		}
	})
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("walk %q: %w", QuotaRoot, err)
	}
	for _, quota := range quotas {
		if n, _ := t.find(quota + "/" + statsName); n != nil {
			t.createdQuota(n)
		}
	}
	return t.err
}

// Changed is how many nodes the entry has changed so far.
func (t *Tree) Changed() int { return len(t.changes) }
