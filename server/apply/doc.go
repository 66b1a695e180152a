// Package apply is the replicated state machine: it takes committed entries of
// commands, changes tree and session table, and tells what happened.
//
//	Apply(entry)
//	  1. no lock: each command is decoded and judged against the tree and what
//	     the entry changed so far; results of this member's own commands are
//	     encoded
//	  2. the store writes ONE batch: nodes, sessions, numbering, applied index
//	  3. write lock: the batch becomes what readers see; then, command by command,
//	     changes and result go to the Sink
//
// # Contract
//
// Apply is a function of state and entry: no clock, randomness, environment,
// goroutine, float, log, or map order that can be seen. What may differ between
// members is settled before an entry is proposed: identities, session ids,
// passwords, negotiated timeouts by the origin; the time, expiry and reaping by
// the leader. Settings of one process (EnforceQuota, SkipACL, TTLEnabled) travel
// as Flags of the command. What a sink does with results is local.
//
// # Zxids
//
// Each command takes one, also a rejected one (as in ZooKeeper), except attach
// and commands that are ignored. The counter starts at 1 in a new epoch; the
// epoch grows by at least one with each Raft term, and when the counter is used
// up. The first entry of a term, which holds no command, moves the last zxid to
// the new epoch's 0.
//
// # Numbering
//
// Commands of a member are numbered within its incarnation. The machine takes
// each number once and in order: a number that was taken, one of an older
// incarnation, and one behind a gap are ignored, without a zxid or result. So a
// member may send again what it has not seen applied.
//
// # Concurrency
//
// Apply is called from one goroutine. Readers take RLock; between RLock and
// RUnlock tree, sessions and LastZxidLocked are of one state.
//
// Left out: sessions' liveness (session.Tracker), watches (server/watch),
// connections.
package apply
