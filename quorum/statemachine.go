package quorum

// Entry is one committed entry of the log.
type Entry struct {
	Index, Term uint64
	// Data is what was proposed, nil for a new leader's first entry and for
	// changes of membership that carry nothing for the state machine. It is
	// shared with the log: read only.
	Data []byte
}

// StateMachine is what the log's entries are applied to. It keeps its state on
// disk by itself and may lose the newest part of it in a crash: the log
// replays that part.
//
// Apply, Checkpoint and Restore are called from one goroutine at a time.
// Applied, Durable and Flush may be called from another one at the same time.
// Any error stops the member.
type StateMachine interface {
	// Apply applies entries in order. Their indexes ascend by one; the first
	// one follows Applied, except that index 1 exists nowhere: the first entry
	// ever applied has index 2.
	Apply(entries []Entry) error

	// Applied is the index of the last entry applied, 0 for none.
	Applied() uint64

	// Durable is the highest index whose effects, with those of all entries
	// before it, survive a crash. The log keeps everything after it.
	Durable() uint64

	// Flush makes what is applied at the time of the call durable. It may run
	// during Apply and must not hold it up for long.
	Flush() error

	// Checkpoint writes the present state as files into dir, which does not
	// exist yet and is on the state machine's file system, and returns the last
	// applied entry that it holds. The files must stay as they are while the state
	// machine goes on; hard links are best. It need not sync them.
	Checkpoint(dir string) (index, term uint64, err error)

	// Restore replaces the state by the files of a checkpoint, possibly another
	// member's, and makes it durable before it returns. The directory belongs to
	// the caller: link or copy, do not move. A crash at any point of Restore must
	// leave either the old state or the new one; it is then called again.
	Restore(dir string) error
}
