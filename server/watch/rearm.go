package watch

import "holt/wire"

// NodeState is what SetWatches must know of a node. The zero value is that of no node.
type NodeState struct {
	Exists       bool
	Mzxid, Pzxid wire.Zxid
}

// SetWatches restores the watches that the client of w had on an earlier
// connection (ZooKeeper: DataTree.setWatches). A watch that would have fired since
// req.RelativeZxid fires at once, with the zxid −1, and is not registered:
//
//	list        no node        node exists
//	data        NodeDeleted    NodeDataChanged if its mzxid is later
//	exist       –              NodeCreated
//	child       NodeDeleted    NodeChildrenChanged if its pzxid is later
//	persistent  –              –    neither kind is told of what it missed
//
// Changes must be held off during the call, so that what lookup says and what is
// registered fit. An error of lookup ends the call and is returned; what was registered by then stays.
func (t *Table) SetWatches(req *wire.SetWatches2, w Watcher, lookup func(path string) (NodeState, error)) error {
	for _, path := range req.DataWatches {
		n, err := lookup(path)
		switch {
		case err != nil:
			return err
		case !n.Exists:
			missed(w, wire.EventNodeDeleted, path)
		case n.Mzxid > req.RelativeZxid:
			missed(w, wire.EventNodeDataChanged, path)
		default:
			t.AddData(path, w)
		}
	}
	for _, path := range req.ExistWatches {
		n, err := lookup(path)
		switch {
		case err != nil:
			return err
		case n.Exists:
			missed(w, wire.EventNodeCreated, path)
		default:
			t.AddData(path, w)
		}
	}
	for _, path := range req.ChildWatches {
		n, err := lookup(path)
		switch {
		case err != nil:
			return err
		case !n.Exists:
			missed(w, wire.EventNodeDeleted, path)
		case n.Pzxid > req.RelativeZxid:
			missed(w, wire.EventNodeChildrenChanged, path)
		default:
			t.AddChild(path, w)
		}
	}
	for _, path := range req.PersistentWatches {
		t.AddPersistent(path, false, w)
	}
	for _, path := range req.PersistentRecursiveWatches {
		t.AddPersistent(path, true, w)
	}
	return nil
}

func missed(w Watcher, typ wire.EventType, path string) {
	w.Notify(&Event{Type: typ, Path: path, Zxid: -1})
}
