// Package group is the coordinator of consumer groups of the classic protocol: who is a member,
// which generation a group is in, what its leader assigned to whom, and which offsets it committed.
//
// # Vocabulary
//
// A group is a set of members with one protocol type. A member is dynamic, or static when it has an
// instance id, which it keeps over restarts (KIP-345). A generation is one round of joining; its
// leader is the member that assigns the partitions. A pending member has been given a member id and
// has not joined with it yet (KIP-394). A simple group has no members, just offsets.
//
// # States
//
//	         first member joins                  all joined, or time is up
//	Empty ───────────────────────▶ Preparing ─────────────────────────────▶ Completing
//	 ▲ │                           Rebalance   generation + 1               Rebalance
//	 │ │                            ▲  ▲  │                                  │    │
//	 │ │       no member is left ───┼──┼──┘    a member comes, goes, changes │    │
//	 └─┼────────────────────────────┘  └─────────────────────────────────────┘    │
//	   │                               ▲                                          │ leader's
//	   ▼ deleted, or no offsets left   │ a member comes, goes, changes            │ assignment
//	 Dead                           Stable ◀──────────────────────────────────────┘ is stored
//
// # Partitions and records
//
// A group belongs to the partition of __consumer_offsets that [Coordinator.PartitionFor] names, and lives on
// the broker that leads it. Its state is what the partition replays to; see broker/journal for how
// partitions come and go. Records are those of Kafka 3.9, so that tools which read the topic work:
//
//	key                                value
//	{1, group, topic, partition}       {3, offset, leader epoch, metadata, commit time}; version 1
//	                                   with an expiry when an old client asked for a retention
//	{2, group}                         {3, protocol type, generation, protocol, leader, since when,
//	                                   members {id, instance, client, host, timeouts,
//	                                   subscription, assignment}}
//	either                             null: gone (compaction removes it in the end)
//
// Offsets of a transaction are records of a transactional batch. They are pending, and seen by
// nobody, until the transaction's marker follows in the same partition.
//
// The log decides between two values of one thing: what comes later in it counts, in whatever
// order the appends are acknowledged.
//
// # Answers
//
// No answer that rests on a change leaves before the log has acknowledged it: assignments, the new
// member id of a static member in a stable group, commits, deletions. Only that a group became
// empty is written without anybody waiting, as in Kafka: an older generation that comes back has no
// living members.
//
// Each request is answered exactly once. A member that asks anew while its last request waits (it
// gave up the connection) has that one answered with REBALANCE_IN_PROGRESS.
//
// # Concurrency
//
// [Coordinator] may be used by any goroutine; it is a shell of journal.Shards, one lock per
// partition. The core reads no clock and starts no goroutine; scripts in testdata step it. Every
// member has a session timer, a group has two more, all in one heap per partition. A heartbeat
// moves no timer: it notes the new deadline, and the timer looks again when it fires.
//
// What is kept of a request is copied; its memory may be used again once the call returns.
//
// # Limits
//
// Bytes from outside are bounded: what a member brings (Config.MemberBytesMax), what a group's
// members bring together, members and pending members of a group, groups of a partition, the
// length of names that go into records and old protocol versions (32 KiB).
//
// # Left out
//
// Authorization, existence of topics, throttling: the caller's. The next protocol (KIP-848), share
// groups. Offsets in ZooKeeper (OffsetCommit and OffsetFetch v0): they go where all others go.
package group
