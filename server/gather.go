package server

// Every entry costs each member a message or two, a sync of its log and a round of its goroutines, whatever is in
// it: under load most of what they do. What arrives while others are being written collects by itself, but a
// leader may have several entries under way, so that it forms the next one as soon as anything has come. So while
// commands are under way already it waits until there are some for the next entry, or until those are applied:
//
//	under way   waiting
//	 ≥ 8         < 48     wait: for more of them, or for the commit of what is under way
//	 else                 form entries of all that waits
//
// Entries and not one entry: where sessions read between their writes, what waits may be several rounds
// (pipeline.go). They go one right behind the other, into one message and one sync; to wait for the first with
// the second would have each client wait for as many commits as it has rounds under way.
//
// It costs a command at most the time that those before it take, and only where the ensemble is busy; a
// few clients that wait for each reply never notice.

// gatherMin is how many commands are under way before the next ones wait for company, and entryCommandsMin how
// many these then are. Measured with 200 requests in flight, of which all or three in ten are writes: 8 to 24 and 24
// to 96 are alike.
const (
	gatherMin        = 8
	entryCommandsMin = 48
)

// underway are the entries that this member has formed as a leader and not applied yet.
type underway struct {
	entries  []int // commands of each, oldest first
	commands int   // of all
	moved    bool  // one was applied since the last tick
}

func (u *underway) formed(commands int) {
	if commands > 0 {
		u.entries = append(u.entries, commands)
		u.commands += commands
	}
}

// applied notes that an entry was applied, in general the oldest of these. It may be one of an earlier leader:
// then too few count for a while, and less is gathered.
func (u *underway) applied() {
	u.moved = true
	if len(u.entries) > 0 {
		u.commands -= u.entries[0]
		u.entries = u.entries[1:]
	}
}

// gatherLocked says whether to wait with the next entry.
func (p *pipeline) gatherLocked() bool {
	if p.draining || p.underway.commands < gatherMin || p.waiting >= entryCommandsMin {
		return false
	}
	n := p.waiting
	if p.leader == p.srv.cfg.MemberID {
		n += len(p.inflight) - p.sent + len(p.fresh)
	}
	return n < entryCommandsMin
}

// formLocked chooses the commands of the next entry.
func (p *pipeline) formLocked(m *entryMaker) {
	m.batch = p.chooseLocked(m.batch[:0], m.seen)
	p.draining = p.waiting > 0 && len(m.batch) > 0 // else what waits is not admitted yet
	if !p.srv.cfg.Standalone() {
		p.underway.formed(len(m.batch))
	}
}

// applied tells the proposer that an entry was applied. Not for a member alone, who has nobody to spare messages and
// gathers nothing.
func (p *pipeline) applied() {
	p.mu.Lock()
	defer p.mu.Unlock()
	gathering := p.gatherLocked()
	p.underway.applied()
	if gathering && !p.gatherLocked() {
		p.propWake.Signal()
	}
}

// stopGatheringLocked is for the ticker: where nothing is applied any more, waiting saves nothing.
func (p *pipeline) stopGatheringLocked() {
	if len(p.underway.entries) > 0 && !p.underway.moved {
		p.underway = underway{}
		p.propWake.Signal()
	}
	p.underway.moved = false
}
