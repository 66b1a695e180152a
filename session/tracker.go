package session

import (
	"cmp"
	"slices"

	"holt/wire"
)

// Tracker tells which sessions have been silent for their timeout. Time is
// divided into ticks; a session silent since s expires at the first end of a tick
// after s+timeout, that is within (timeout, timeout+tick] (ZooKeeper: ExpiryQueue). Times
// are milliseconds of any clock that does not go back.
//
//	slots, by the time at whose end they are looked at
//	 3000: a b        a touch changes only the entry's due time; a session found in its
//	 6000: c          slot before it is due moves on to the slot of that time, so a touch
//	33000: d          costs no more than finding the entry
type Tracker struct {
	tickMillis int64
	sessions   map[wire.SessionID]*tracked
	slots      map[int64][]wire.SessionID
	metrics    Metrics
}

type tracked struct {
	attached      uint32 // as in Facts
	timeoutMillis int32
	due           int64 // a multiple of the tick
	slot          int64 // where it is listed; other slots may hold it from former times
}

// NewTracker returns a tracker of no sessions. tickMillis must be positive.
func NewTracker(tickMillis int64) *Tracker {
	t := &Tracker{tickMillis: tickMillis}
	t.Reset()
	return t
}

// Reset forgets all sessions.
func (t *Tracker) Reset() {
	t.sessions, t.slots = make(map[wire.SessionID]*tracked), make(map[int64][]wire.SessionID)
}

// Add begins to track a session, or tells of a new connection of one that is tracked, perhaps with another
// timeout; it was heard of just now.
func (t *Tracker) Add(f Facts, now int64) {
	e := t.sessions[f.ID]
	if e == nil {
		e = &tracked{slot: -1}
		t.sessions[f.ID] = e
	}
	e.timeoutMillis, e.attached = f.TimeoutMillis, f.Attached
	e.due = t.due(e, now)
	if e.slot == -1 || e.due < e.slot {
		t.list(f.ID, e)
	}
}

// Touch notes that the session was heard of. It reports false, and does nothing, if
// the session is not tracked.
func (t *Tracker) Touch(id wire.SessionID, now int64) bool {
	e := t.sessions[id]
	if e == nil {
		return false
	}
	e.due = max(e.due, t.due(e, now))
	t.metrics.Touches.Inc()
	return true
}

// Remove stops tracking a session, if it is tracked.
func (t *Tracker) Remove(id wire.SessionID) { delete(t.sessions, id) }

// Len is the number of sessions tracked.
func (t *Tracker) Len() int { return len(t.sessions) }

// Expiry is a session whose time is up, as of the connection that was silent.
type Expiry struct {
	ID       wire.SessionID
	Attached uint32 // as in Facts
}

// Expired returns the sessions whose time is up, by id. The caller proposes to close them and calls
// Remove when they are. Until then they stay, with another timeout from now, since a proposal may be lost: they are
// returned again after it.
func (t *Tracker) Expired(now int64) []Expiry {
	var ripe []int64
	for slot := range t.slots {
		if slot <= now {
			ripe = append(ripe, slot)
		}
	}
	var expired []Expiry
	for _, slot := range ripe {
		ids := t.slots[slot]
		delete(t.slots, slot)
		for _, id := range ids {
			e := t.sessions[id]
			if e == nil || e.slot != slot {
				continue // removed, or listed anew since
			}
			if e.due <= now {
				expired = append(expired, Expiry{id, e.attached})
				e.due = t.due(e, now)
			}
			t.list(id, e)
		}
	}
	t.metrics.Expired.Add(int64(len(expired)))
	slices.SortFunc(expired, func(a, b Expiry) int { return cmp.Compare(a.ID, b.ID) })
	return expired
}

func (t *Tracker) due(e *tracked, now int64) int64 {
	return ((now+int64(e.timeoutMillis))/t.tickMillis + 1) * t.tickMillis
}

func (t *Tracker) list(id wire.SessionID, e *tracked) {
	e.slot = e.due
	t.slots[e.due] = append(t.slots[e.due], id)
}

// Deadline returns when a session expires unless touched; false if it is not
// tracked.
func (t *Tracker) Deadline(id wire.SessionID) (millis int64, ok bool) {
	e, ok := t.sessions[id]
	if !ok {
		return 0, false
	}
	return e.due, true
}
