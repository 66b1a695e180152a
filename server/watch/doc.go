// Package watch is the table of watches of one member: who is to be told of
// which change. It decides what fires; delivery and access control are the
// business of the watcher.
//
// # Vocabulary
//
// A watcher is a connection. A watch is its wish to hear of a path. There are
// three lists of watches per path:
//
//	list       set by                        told of             gone after
//	data       exists, getData, persistent   the node itself     one event, unless persistent
//	child      getChildren, persistent       its children        one event, unless persistent
//	recursive  persistent recursive          it and all below    –
//
// ZooKeeper keeps the recursive ones in its data table; here they have a list of their own
// so that a change walks up the tree past as few watches as possible. What operators see
// (Counts, Each) is ZooKeeper's data table, the first and the third list.
//
// # What a change fires
//
//	change     data and recursive list of P   child list of P              child list of the parent
//	created    NodeCreated                    –                            NodeChildrenChanged
//	deleted    NodeDeleted                    NodeDeleted, to those        NodeChildrenChanged
//	                                          who did not get it already
//	data       NodeDataChanged                –                            –
//
// In that order, and each column tells a watcher at most once, however many watches
// of his match.
//
// # Memory
//
// A watch costs about 70 bytes, in arrays without pointers; a path and a
// watcher are kept once each.
//
//	paths[]    name, first watch of each list ─┐
//	                                           ▼
//	watches[]  ◀─▶ ring of a path's list ◀─▶ watch ◀─▶ ring of a watcher's watches ◀─▶
//	                                           ▲
//	watchers[] the Watcher, first of its own ──┘
//
// # Concurrency
//
// A Table may be used by any goroutine; it has a lock of its own. Watchers are
// notified while it is held: after Remove or RemoveAll has returned, nothing that was
// removed fires any more. Lock order: the machine's, the table's, the watcher's own.
//
// Registration and the read that goes with it are one step only if the caller
// makes them so, by holding off changes (the machine's read lock) during both.
//
// # Left out
//
// Access control: an Event carries the list that decides, and the watcher asks. A watch that
// fired for somebody who may not read is consumed nevertheless.
package watch
