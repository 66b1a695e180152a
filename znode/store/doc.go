// Package store keeps a znode tree on disk, in Pebble, with the nodes in use in
// memory. It implements znode.Store.
//
// # Format
//
// One Pebble database without a write-ahead log. Keys, by their first byte:
//
//	'n' depth path                    node, see appendNode
//	'e' session(8) path               ephemeral node of the session, no value
//	'c' path                          container or TTL node; owner(8) ctime(8)
//	'i' path 0 czxid(8) name          child of a large node by creation, no value
//	's'                               znode.State
//	'v'                               version of this format
//	'x' key                           record of the caller
//
// depth is the number of slashes (0 for the root), one byte, or 255 and four bytes. So the children of a
// node are neighbours, sorted by name, with nothing between them: listing is a scan of
// one range and needs no set in memory.
//
// # Durability
//
// Prepare writes one batch, with the index of the entry in 's', or leaves that
// for later where an entry changes no more than values, see deferred. Batches are
// atomic and reach the disk in order, when memtables are flushed; so after a
// crash the database holds the tree as it was after some earlier entry, exactly, and
// 's' says which. Durable tells how far that is at least. Replaying the log
// from there, which the caller keeps, brings it back to where it was.
//
// Pebble merges nothing for the first seconds after Open, see compactions.
//
// # Views
//
//	          entry that creates or deletes              entry that changes values
//	Prepare:  batch applied, iterator opened             nothing
//	   │      (no reader can see it)
//	Publish:  it becomes the view, nothing is deferred   changed nodes are deferred
//	   │      changed nodes go to the cache              changed nodes go to the cache
//	   │      (caller holds off readers)
//	next
//	Prepare:  the former view is closed
//
// All reads of nodes go to the cache, then to what is deferred, then to clones of the view; scans
// find the same keys, in either case. So a batch that is in
// the database but not published is invisible. Clones outlive the view. An
// iterator serves better than a Pebble snapshot: closing one of those looks for
// compactions and waits for the manifest's sync when one ends.
//
// # Memory
//
// Set by Options and independent of the data: node cache, Pebble's block cache,
// memtables (up to three before writes wait), what is deferred (a sixteenth of a memtable), and 8 MiB for the filters of parents
// that get many children (see nursery).
//
// # Children by creation
//
// Paging through children by czxid (op code 71) would need to look at all of them for
// each page. Below Options.PageIndexMin children that is cheap and is what
// happens, keeping no more than a page. When a node gets more it also gets an
// index ('i'), written with the batch that made it so and maintained from then
// on, until it has less than half as many. So pages cost what they contain, at one more small key
// per child created or deleted under large nodes only.
//
// # Concurrency
//
// As for znode.Tree: one writer; readers under a lock held off around Publish. Flush writes what is
// deferred on the goroutine of its caller, so that the writer need not wait.
// Durable, Flush, Checkpoint, Metrics and Err may be called at any time until Close.
//
// # Failures
//
// An error of the disk, also one met by a flush in the background, is final: Err
// returns it from then on and so does each Prepare.
package store
