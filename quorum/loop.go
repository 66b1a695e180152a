package quorum

import (
	"time"

	"go.uber.org/zap"
)

// runLoop owns the core: it feeds it events and ticks, and hands out what
// comes of them. It never waits for anything else.
func (m *Member) runLoop() {
	defer close(m.loopDone)
	ticker := time.NewTicker(m.cfg.TickInterval)
	defer ticker.Stop()
	var ev events
	if m.core == nil && !m.discover() {
		return
	}
	m.dispatchAll()
	for {
		ticks := 0
		select {
		case <-m.stopLoop:
			return
		case <-ticker.C:
			ticks = 1
		case <-m.in.wake:
		}
		ev = m.in.take(&ev)
		m.feed(&ev)
		// Messages first: a leader's word that waited while this process had no
		// CPU must count before the clock does.
		for ; ticks > 0; ticks-- {
			m.core.Tick()
		}
		if !m.dispatchAll() {
			return
		}
	}
}

func (m *Member) feed(ev *events) {
	c := m.core
	for _, a := range ev.appended {
		c.Appended(a)
	}
	for _, a := range ev.applied {
		c.Applied(a)
	}
	for _, msg := range ev.msgs {
		c.Step(msg)
	}
	if len(ev.proposals) > 0 {
		c.Propose(ev.term, ev.proposals...)
	}
	for _, f := range ev.calls {
		f(c) // Idle has to see what was proposed before it was asked
	}
	if len(ev.reads) > 0 {
		c.Read(ev.reads...)
	}
}

// dispatchAll hands out all the core wants done; false if it has failed.
func (m *Member) dispatchAll() bool {
	for m.core.HasReady() {
		rd := m.core.Ready()
		m.dispatch(&rd)
	}
	if err := m.core.Err(); err != nil {
		m.fail(err)
		return false
	}
	return true
}

func (m *Member) dispatch(rd *Ready) {
	if rd.Leadership != nil {
		m.leadershipChanged(*rd.Leadership)
	}
	var now time.Duration
	if rd.Append != nil && len(rd.Append.Entries) > 0 || len(rd.Apply) > 0 {
		now = m.now()
	}
	// The disk first: it takes longest.
	if rd.Append != nil {
		rd.Append.handed = now
		m.appends.put(rd.Append)
	}
	if len(rd.Send) > 0 {
		m.transport.SendRaft(rd.Send)
	}
	if n := len(rd.Apply); n > 0 {
		if last := rd.Apply[n-1].Entries; len(last) > 0 {
			m.stages.commit(&m.metrics, last[len(last)-1].Index, now)
		}
		for _, a := range rd.Apply {
			a.committed = now
			m.applies.put(applyTask{job: a})
		}
	}
	for _, r := range rd.Reads {
		m.metrics.BarrierRounds.Inc()
		m.applies.put(applyTask{read: r})
	}
	m.dispatchRare(rd)
}

func (m *Member) dispatchRare(rd *Ready) {
	if rd.Members != nil {
		m.zlog.Info("membership changed", zap.Stringers("members", rd.Members))
		r := m.core.roster
		m.moved(m.roster.Load(), &r)
		m.roster.Store(&r)
		m.setPeers()
		var gone []uint64
		for _, g := range r.removed {
			gone = append(gone, g.id)
		}
		m.transport.Disconnect(gone)
	}
	if rd.Flush {
		m.upkeep.put(m.flush)
	}
	if rd.Checkpoint {
		m.applies.put(applyTask{checkpoint: true})
	}
	if rd.DropCheckpoint {
		m.dropCheckpoint()
	}
	for _, s := range rd.Snapshots {
		m.sendSnapshot(s)
	}
	for _, dir := range rd.Discard {
		m.discard(dir)
	}
}

func (m *Member) leadershipChanged(l Leadership) {
	was := m.leads.Swap(&l)
	m.proposer.lead(l)
	m.notices.put(l)
	if l.Self && !was.Self {
		m.metrics.Elected.Inc()
	}
	if l.Leader != was.Leader {
		m.metrics.LeaderChanges.Inc()
		m.zlog.Info("leader changed", zap.Uint64("leader", l.Leader), zap.Uint64("term", l.Term))
	}
}

// runNotices tells of leadership in order. When the receiver is slow, what has
// been overtaken meanwhile is left out.
func (m *Member) runNotices() {
	var batch []Leadership
	for ok := true; ok; {
		if batch, ok = m.notices.take(batch); ok {
			m.cfg.OnLeadership(batch[len(batch)-1])
		}
	}
}

// runUpkeep does the slow work, one piece after another. The core asks for at
// most one of each kind.
func (m *Member) runUpkeep() {
	var batch []func()
	for ok := true; ok; {
		batch, ok = m.upkeep.take(batch)
		for _, f := range batch {
			f()
		}
	}
}
