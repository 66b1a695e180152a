package server

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/wire"
)

// commandList is what waits of one member.
type commandList struct {
	member  uint64
	blocked bool // until a reconfig of the member is applied
	items   [][]byte
	head    int
}

// add puts commands of a member, or with member 0 of the leader itself, into
// its list. Past the bound they are dropped: their member sends again.
func (p *pipeline) add(member uint64, batch [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting >= proposerQueueMax {
		return
	}
	p.listLocked(member).items = append(p.listLocked(member).items, batch...)
	p.waiting += len(batch)
	p.propWake.Signal()
}

func (p *pipeline) listLocked(member uint64) *commandList {
	for _, l := range p.lists {
		if l.member == member {
			return l
		}
	}
	l := &commandList{member: member}
	p.lists = append(p.lists, l)
	return l
}

// runProposer forms Raft entries on the leader until close. What arrives while an
// entry is being written goes into the next one together; a command that is
// alone goes out at once.
func (p *pipeline) runProposer() {
	m := entryMaker{seen: make(map[wire.SessionID]struct{})}
	for p.waitFor(&p.propWake, p.toProposeLocked) {
		p.proposeSome(&m)
	}
}

// entryMaker is memory that proposeSome uses again.
type entryMaker struct {
	batch, own [][]byte
	seen       map[wire.SessionID]struct{}
}

func (p *pipeline) toProposeLocked() bool {
	if p.admission.holding {
		return p.admission.look
	}
	if p.gatherLocked() {
		return false
	}
	if p.leader == p.srv.cfg.MemberID && p.pendingLocked() {
		return true
	}
	if p.waiting == 0 {
		return false
	}
	for _, l := range p.lists {
		if l.blocked || l.head == len(l.items) {
			continue
		}
		if !needsAdmission(l.items[l.head]) || !p.srv.now().Before(p.admission.retry) {
			return true
		}
	}
	return false
}

// proposeSome proposes one entry of what waits, if something does.
func (p *pipeline) proposeSome(m *entryMaker) {
	self := p.srv.cfg.MemberID
	p.mu.Lock()
	if p.leader == self && p.pendingLocked() {
		m.own, _ = p.takeLocked(m.own[:0], entryBytesMax)
		l := p.listLocked(self)
		l.items = append(l.items, m.own...)
		p.waiting += len(m.own)
		clear(m.own)
	}
	if l := p.toAdmitLocked(); l != nil {
		p.admission.holding = true
		b := l.items[l.head]
		p.mu.Unlock()
		p.admit(l, b)
		return
	}
	p.formLocked(m)
	p.mu.Unlock()
	if len(m.batch) > 0 {
		p.propose(m.batch)
	}
	clear(m.batch)
}

// chooseLocked takes from each list what one entry can have. A command whose
// session has reads waiting behind an earlier command of the same entry ends its
// list's part, so that those reads see a state without it. One that wants an entry alone gets one when its
// list is first. The members take turns at being first.
func (p *pipeline) chooseLocked(batch [][]byte, seen map[wire.SessionID]struct{}) [][]byte {
	clear(seen)
	size := 0
	p.turn++
	for i := range p.lists {
		l := p.lists[(p.turn+i)%len(p.lists)]
		for !l.blocked && l.head < len(l.items) && len(batch) < entryCommandsMax && size < entryBytesMax {
			b := l.items[l.head]
			session, flags := apply.PeekCommand(b)
			alone := flags&apply.Alone != 0
			if _, ok := seen[session]; ok && flags&apply.AfterRead != 0 || flags&apply.Admit != 0 || alone && len(batch) > 0 {
				break
			}
			seen[session] = struct{}{}
			batch = append(batch, b)
			size += len(b)
			if alone {
				size = max(size, entryBytesMax) // full
			}
			l.items[l.head] = nil
			l.head++
		}
		l.compact()
	}
	p.waiting -= len(batch)
	return batch
}

// compact gives the space of what was taken back once it is the larger part.
func (l *commandList) compact() {
	if l.head < 1024 && l.head < len(l.items) || l.head*2 < len(l.items) {
		return
	}
	n := copy(l.items, l.items[l.head:])
	clear(l.items[n:])
	l.items, l.head = l.items[:n], 0
}

func (p *pipeline) propose(batch [][]byte) {
	entry := apply.AppendEntry(nil, p.srv.stamp(), batch...)
	m := p.srv.metrics
	m.EntryCommands.Observe(int64(len(batch)))
	m.EntryBytes.Observe(int64(len(entry)))
	m.EntryLast.Set(int64(len(entry)))
	err := p.srv.peers.Propose(entry)
	if err == nil {
		return
	}
	// The members send again to whoever leads next.
	p.mu.Lock()
	p.dropLocked()
	p.mu.Unlock()
	if !errors.Is(err, quorum.ErrNotLeader) && !errors.Is(err, quorum.ErrClosed) {
		p.srv.log.Warn("propose", zap.Error(err))
	}
}

// dropLocked forgets what waited here for an entry: the members send again to
// whoever leads.
func (p *pipeline) dropLocked() {
	p.lists, p.waiting, p.draining, p.underway = nil, 0, false, underway{}
	p.admission.next(time.Time{})
}
