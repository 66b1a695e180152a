package quorum

import (
	"errors"
	"sync"
	"time"
)

var (
	// ErrNotLeader: another member leads, or none does. See Leadership.
	ErrNotLeader = errors.New("not the leader")
	// ErrClosed: the member is closed or has failed.
	ErrClosed = errors.New("member is closed")

	errEmptyProposal = errors.New("empty proposal")
)

// proposer admits proposals: the gate that makes callers batch.
type proposer struct {
	max int

	mu      sync.Mutex
	cond    sync.Cond // unsaved has shrunk, or anything else has changed
	leading bool
	term    uint64
	unsaved int
	closed  bool
}

// Propose appends an entry to the log, if this member leads; ErrNotLeader
// otherwise. It takes data over, which must not be empty.
//
// It returns when the entry is on its way, not when it is committed: that is
// known when the state machine gets it. As long as leadership lasts, entries are
// not lost and keep the order of one caller's calls; when it ends (see
// Config.OnLeadership), those not applied yet may or may not be.
//
// Propose blocks while Config.MaxUnsaved earlier proposals are not on this
// member's disk, or more than Config.MaxUncommittedBytes are not on a majority's.
// A caller that collects what arrives in the meantime into its next entry gets
// batches that grow with the load, and no delay without load.
func (m *Member) Propose(data []byte) error { return m.ProposeInTerm(0, data) }

// ProposeInTerm is Propose for a caller whose decision holds for one term of
// leadership only; ErrNotLeader if that is over. Term 0 means any.
func (m *Member) ProposeInTerm(term uint64, data []byte) error {
	if len(data) == 0 {
		return errEmptyProposal
	}
	p := &m.proposer
	p.mu.Lock()
	if p.admits(term) && p.unsaved >= p.max {
		start := time.Now()
		for p.admits(term) && p.unsaved >= p.max {
			p.cond.Wait()
		}
		m.metrics.ProposeNanos.Observe(int64(time.Since(start)))
	}
	switch {
	case p.closed:
		p.mu.Unlock()
		return ErrClosed
	case !p.admits(term):
		p.mu.Unlock()
		return ErrNotLeader
	}
	p.unsaved++
	term = p.term
	// Under the lock, so that the order of calls is the order in the queue.
	m.in.add(func(ev *events) {
		if ev.term != term {
			ev.proposals, ev.term = ev.proposals[:0], term
		}
		ev.proposals = append(ev.proposals, data)
	})
	p.mu.Unlock()
	m.metrics.Proposals.Inc()
	m.metrics.ProposalBytes.Add(int64(len(data)))
	return nil
}

func (p *proposer) admits(term uint64) bool {
	return p.leading && !p.closed && (term == 0 || term == p.term)
}

// lead opens or closes the gate.
func (p *proposer) lead(l Leadership) {
	p.mu.Lock()
	p.leading, p.term, p.unsaved = l.Self, l.Term, 0
	p.mu.Unlock()
	p.cond.Broadcast()
}

// saved lets as many further proposals in.
func (p *proposer) saved(term uint64, n int) {
	p.mu.Lock()
	if p.leading && p.term == term {
		p.unsaved -= n
	}
	p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *proposer) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cond.Broadcast()
}
