package quorum

import "errors"

// ErrBusy: too many read barriers wait.
var ErrBusy = errors.New("too many read barriers wait")

// ReadBarrier calls done once the state machine holds every entry that was
// committed, anywhere, when ReadBarrier was called. It runs on the goroutine that
// applies entries, so the state is exactly that of Applied, and must not block.
//
// Barriers survive the loss of a leader and are asked again, until Close: then
// done gets ErrClosed. With more than Config.MaxBarriers waiting, done gets ErrBusy,
// at once and on the caller's goroutine.
func (m *Member) ReadBarrier(done func(error)) {
	m.metrics.Barriers.Inc()
	if m.barriers.Add(1) > int64(m.cfg.MaxBarriers) {
		m.barriers.Add(-1)
		done(ErrBusy)
		return
	}
	if !m.in.addRead(done) {
		m.barriers.Add(-1)
		done(ErrClosed)
	}
}

func (in *inbox) addRead(done func(error)) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	in.ev.reads = append(in.ev.reads, done)
	in.signalLocked()
	return true
}

func (m *Member) barriersDone(done []func(error), err error) {
	m.barriers.Add(-int64(len(done)))
	for _, f := range done {
		f(err)
	}
}

// abandonReads takes back the barriers without an index, after the loop has
// ended.
func (m *Member) abandonReads() []func(error) {
	ev := m.in.take(&events{})
	return append(m.core.AbandonReads(), ev.reads...)
}
