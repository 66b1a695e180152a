// Package znode holds the rules of ZooKeeper's data tree: which operation is
// allowed, what it changes, which numbers it hands out. It does no IO of its
// own; nodes come from and go to a Store.
//
// # Vocabulary
//
// An entry is what is replicated as one: several commands. A command is one
// client's request; it has a zxid. A node is one znode as it was when some
// entry ended; a published *Node never changes. The view of a reader is the tree as
// of the last Commit.
//
// # The way of an entry
//
//	Begin(zxid, time)            a command starts
//	  Create, SetData, ...       judged against the view plus what this entry
//	  Mark, Rollback             changed so far; outcomes are wire.ErrCodes
//	Begin ...                    the next command
//	   │ changes, by path, in memory only: readers see none of it
//	   ▼
//	Prepare(applied, records)    digest; ONE store batch: nodes, indexes,
//	   │                         counters, the caller's records. Still unseen.
//	   ▼  caller takes its write lock
//	Commit()                     the view moves on; cannot fail
//
// A parent that got a thousand children within an entry is written once.
//
// # Concurrency
//
// One goroutine writes (everything from Begin to Commit). Any number read at
// the same time (Get, OpenChildren, ...), holding a read lock of the caller's
// whose write side is held around Commit. An iterator keeps the view
// it was opened in after that lock is released.
//
// # Failures
//
// An error of the store met by a mutator is kept: the mutator answers
// ErrSystemError, and Prepare returns the error. The tree must then be thrown
// away; readers have seen nothing of the entry.
//
// # Differences from ZooKeeper
//
//   - A create under a parent that has seen 2147483647 creations leaves the parent's counter where it
//     is, but still moves its pzxid. (ZooKeeper: neither moves.)
//   - createTTL without a TTL mode and a quota for "/" are refused with BadArguments;
//     in ZooKeeper the first stops every server and the second the one that applies it.
//   - Quotas are judged within a multi after the operations before; ZooKeeper judges all by what was committed before.
//   - The paths of a closing session go in the order of their bytes; ZooKeeper: of a hash set.
//   - Counts.DataBytes follows the statistics nodes of quotas; ZooKeeper's figure drifts.
//   - Unreadable text in a quota's statistics node counts as unset; ZooKeeper's server stops.
//
// Left out: sessions (package session), watches (server/watch; Changes is what
// they fire on), request decoding and replies (server/apply).
package znode
