// Package quorum is one Raft member: it replicates entries, which it does not
// understand, and applies them to a state machine. An ensemble of one is the same
// code.
//
// # Vocabulary
//
// A member has an id and votes, or is a learner and only follows. The leader
// of a term proposes entries; one that a majority of voters has on disk is committed,
// and every member applies it. The log begins after an index that the state machine
// holds durably; a member that fell behind that is sent a checkpoint of the state
// machine, a snapshot.
//
// # Core and shell
//
// All decisions are made by [Core], a struct that is stepped by one caller at
// a time and does nothing by itself: no goroutine, no clock, no connection, no write.
// [Member] is the shell that owns goroutines and hands work to and fro; quorumtest
// steps cores on simulated time, network and disks.
//
//	Propose ──┐ blocks at MaxUnsaved                             ┌── peers' receivers
//	ReadBarrier ──┐                                              │   (block on a full inbox)
//	              ▼                                              ▼
//	        ┌─ inbox ──────────────────────────────────────────────┐
//	        │  messages, proposals, barriers, reports, calls       │◀─── ticker
//	        └──────┬───────────────────────────────────────────────┘
//	               ▼ all at once
//	            loop: Core ──────── messages ────────▶ transport: one sender per lane and peer
//	               │     │
//	       Append  │     │ Apply, barriers with their index
//	               ▼     ▼
//	   append: all jobs that wait,        apply: StateMachine.Apply, then the barriers
//	   one batch, one fsync; then         whose index is reached; Checkpoint, Restore
//	   what they promise goes out ──▶ transport
//	   and the gate of Propose opens
//
// The way of a lone proposal: caller, loop, append goroutine, Pebble's
// log writer and back, loop, apply goroutine; beside it, from the loop, the senders to the
// followers, which do the same. No timer is involved: what arrives while something is under
// way goes along next time.
//
// Goroutines of a member: loop, append, apply, notices (Config.OnLeadership),
// upkeep (flushes, removal of files); of its transport: accept, and per peer two
// senders with a watcher each, two receivers with one that sends signs of life
// each, and one per snapshot on its way.
//
// # What holds
//
//   - Nobody is told of a term, a vote or an entry before it is on disk. The
//     leader's own disk counts like a follower's, and is waited for beside them.
//   - A commit index is never written for its own sake, and a follower does not answer a
//     message that tells of nothing else: it would say once more what it said when it had saved
//     the entry. Once in a tick it does, as the first answer may have been lost.
//   - Entries are applied in order, each once; a configuration is durable before
//     the state machine sees the entry that brought it.
//   - The log is never truncated past what the state machine holds durably.
//   - A failure of log, state machine or Raft's own checks stops the member
//     ([Member.Failed]); nothing is tried again. A log that has lost what was
//     acknowledged is refused ([ErrLogLost]), at the start or when the leader's
//     first heartbeat tells.
//   - A barrier is released at an index that a majority confirmed after it was
//     asked for, under a context used once.
//   - A member that comes back with another log than the one it was first seen
//     with is not spoken to.
//
// # Elections
//
// Pre-votes and the leader's check of its quorum keep members that are cut off
// or have just come back from disturbing the others. A leader whose process ends is
// replaced sooner than the election timeout: its connections break and its address
// refuses new ones, so that the others forget it and campaign in turns, or at once where
// the one before cannot be elected (core_elect.go).
// A leader that closes hands over first; so does one whose disk stands still.
//
// Not here: what entries mean, who may connect (the caller's Listen and Dial),
// and reading from a state machine without a barrier.
package quorum
