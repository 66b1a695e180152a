// Package journal keeps a coordinator's state in the partitions of an internal topic: the groups
// in __consumer_offsets, the transactions in __transaction_state. Whoever leads a partition
// coordinates what hashes to it; its state is what the partition's log replays to.
//
// # Vocabulary
//
// A core is the state of one partition: a struct stepped by its caller, with times handed in, that
// reads no clock, starts no goroutine and does no IO. A [Core] asks for what has to happen outside
// through its [Outbox]: an answer to a client, a batch to append. [Shards] is the shell around the
// cores of one topic. The [Log] is the topic's partitions as the broker replicates them.
//
// # Life of a shard
//
//	          Gained(epoch)            replayed
//	absent ────────────────▶ loading ───────────▶ owned ◀─┐ Gained(epoch+1): the
//	  ▲                        │  ▲ │               │ │   │ same leader again, the
//	  │                        │  └─┘ read failed:  │ └───┘ state stands
//	  └──── Lost, Close ───────┴──── later again ───┘
//	        every waiting request is answered       Gained(a later epoch): somebody may have
//	                                                led in between; loads anew
//
// Requests get COORDINATOR_LOAD_IN_PROGRESS while loading, NOT_COORDINATOR when absent,
// COORDINATOR_NOT_AVAILABLE after Close.
//
// # The way of a change
//
//	request ─▶ lock ─▶ core decides ─▶ outbox ─▶ unlock ─▶ Log.Append ─▶ done ─▶ lock ─▶ core
//	                                                                              applies, answers
//
// What a core puts into its outbox happens in that order, one after the other, and never under
// the lock. Appends carry the leader epoch under which they were decided, so that nothing of a
// former term gets into the log of a later one. A write is in flight until the Log calls done;
// when the leadership is lost, all that is in flight is done with NOT_LEADER_OR_FOLLOWER at
// once, so no client waits for an append that nobody will acknowledge.
//
// # Concurrency
//
// One mutex per shard. Shards may be used by any goroutine. Its goroutines: one clock for all
// shards, which steps cores that have something due, and one loader per loading shard, of which
// a few read at a time. Close ends them and waits. Lock order: Shards.mu, a shard's mu; neither
// is held during an effect.
//
// The queue of a shard has no bound of its own: each entry belongs to a request that waits, or to
// a timer of the core, and both are bounded (connections; the core's own limits).
package journal
