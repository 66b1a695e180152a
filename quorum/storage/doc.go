// Package storage keeps what one Raft member must not forget: the log, the
// hard state (term, vote, commit), the configurations it went through and the
// place where the log begins. It is one Pebble database on a vfs.FS with a
// synchronous write-ahead log.
//
// # Layout
//
//	"i"            identity: format, member id, store id; written once, when the ensemble is founded
//	"h"            hard state: term, vote, commit
//	"b"            begin: index, term and checksum of the entry before the first one kept
//	"w"            the number of this write; see watermark.go
//	"s"            a snapshot whose installation has begun and not ended
//	"c" index(8)   the configuration in force from this index on
//	"p" member(8)  the store id that a peer was first seen with
//	"e" index(8)   an entry: crc(4) type(1) term(8) data
//
//	 begin          first                    last
//	   │              │                        │
//	   ▼              ▼                        ▼
//	 ──○──────────────●────●────●─ ... ─●──────●
//	   truncated      └ e: each crc covers the crc before it: a lost,
//	                    doubled or stale entry breaks the chain
//
// # Writing
//
// [Log.Write] turns any number of [Write]s into one batch and one fsync. One
// goroutine writes; any goroutine may read at the same time ([Log] is the
// raft.Storage of a RawNode with asynchronous storage writes, which never asks
// for what is still being written). A write that replaces entries at or below
// the last index drops everything after them in the same batch.
//
// An error of the disk is final: the Log remembers it, refuses every further
// write and is never retried, since after a failed fsync nobody knows what the
// kernel still holds. See [Log.Err].
//
// # Opening
//
// Open reads the whole log, which truncation keeps short, and checks indexes,
// terms, the chain of checksums and the number of writes. Damage is an error,
// never taken for the end of the log. Only after a power failure may damage to the
// last writes pass for a write cut short: then the state machine or the leader knows
// of entries which are not there, and the member refuses (quorum.ErrLogLost).
//
// # Memory
//
// The newest entries are kept decoded, bounded in bytes, so that what a leader
// sends to followers that keep up never touches the disk. Older ones are read
// from Pebble, whose block cache is tiny.
//
// Not here: snapshots' contents (files, see quorum) and the decision when to
// truncate.
package storage
