// Package apply is the replicated state machine: committed entries in, the new
// state of tree and sessions, results and changes out.
//
// # The contract
//
// Machine.Apply is a function of the state and the entry. Members that apply the same
// entries have the same tree, sessions, zxid and digest and give the same results,
// whatever they were started with, how often they restarted on the way and what is in their caches. So
// nothing here, in znode or in session looks at a clock, a random number, a setting of the process,
// or an order that a map happens to have. What may differ between members is settled
// before an entry is proposed, and travels in it:
//
//	by the origin    request as received, identities, session id, password and negotiated
//	                 timeout, settings that decide results (Flags)
//	by the leader    wall time; expiry of sessions, reaping of containers and TTL nodes
//
// Results that clients see may change only under a new format (format.go).
//
// # Vocabulary
//
// A command is one request that changes something. Its origin is the member whose client sent
// it; the leader has commands of its own, which have no origin (Member 0). An entry is
// what Raft replicates: the commands that a leader collected, with its time stamp.
// An own command is one that this run of this process is the origin of: only
// for these are replies encoded and results told.
//
//	entry     version(1) millis(8) { length(uvarint) command }...       nothing at all: a leader's first
//	command   flags(2) session(8) incarnation(8) member(uvarint) seq(uvarint) xid(varint) op(varint)
//	          identities(uvarint) { scheme, id, each with length(uvarint) }... body
//
// # The way of an entry
//
//	Apply ── phase 1, readers go on ───────────────────── phase 2, readers wait ─────────────
//	  decode │ number taken? │ zxid │ judge and change │ Prepare ║ Commit │ for each command:
//	         │ no: ignored   │      │ (seen by nobody) │ a batch ║        │   Sink.Change ...
//	         └───────────────┴──────┴──────────────────┘ to disk ║        │   Sink.Session...
//	          for each command                                   ║        │   Sink.Result
//
// So a client is told of a change before it can see it, and of all changes up to the zxid of
// a reply before that reply.
//
// # Numbers
//
// Commands of a member are numbered from 1 in each run of its process
// (incarnation). A number is taken once and in order: a command is ignored, with no
// zxid and no result, if its incarnation is over, its number was taken, or one
// before it is missing. A member may therefore send again all that it has
// not seen the result of, to any leader.
//
// Each command takes the next zxid, rejected or not, except attach and requests that break off (the original
// fails to read those before it takes one). The first entry of a Raft
// term begins the next epoch, from 1, with the counter at 0; so does a counter that is used up, with
// no change of leader.
//
// # Restores
//
// A snapshot may take the place of the state: it is staged by commands, as records beside the tree, and then an
// entry of one command has it built as a store, by Config.Restorer, and switched to (restore.go). The state
// after that entry is a function of the state before and the staged bytes, as ever.
//
// # Concurrency
//
// Apply and Replace belong to one goroutine. Everything else may be called by
// any, under the read lock where it says so.
//
// # Failures
//
// Outcomes are wire.ErrCodes in a Result. An error returned by Apply means that
// this member could not do its work, or that the log is not what it should be: the
// Machine must then not be used any more; readers have seen nothing of the entry.
//
// # Left out
//
// Reads and watches (server), what makes entries (server's pipeline and leader), replication (quorum),
// the rules of the tree (znode).
package apply
