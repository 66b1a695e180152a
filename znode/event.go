package znode

import "holt/wire"

// Event is a change that watches fire on.
type Event struct {
	Type wire.EventType // created, deleted or data changed
	Path string         // of the node; its parent, if any, has changed children unless Type is data changed
	Zxid wire.Zxid
	// ACL is the list that decides who may see the event: of a deleted node the
	// one it had. ParentACL is that of the parent, for its children-changed event.
	ACL, ParentACL *ACL
}

// Events returns what the entry has changed so far, in order; entries of a
// command lie between the lengths before and after it. Valid until the first Begin of the next entry.
func (t *Tree) Events() []Event { return t.events }

func (t *Tree) emit(typ wire.EventType, n *Node, parent *Node) {
	e := Event{Type: typ, Path: n.Path, Zxid: t.zxid, ACL: n.ACL}
	if parent != nil {
		e.ParentACL = parent.ACL
	}
	t.events = append(t.events, e)
}
