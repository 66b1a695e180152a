package session

import (
	"math/rand/v2"
	"slices"
	"testing"

	"holt/wire"
)

// TestTrackerExpiry drives random sessions, touched at random, and asks at every
// millisecond: each must expire within (timeout, timeout+tick] of what was heard of it last, and again
// as long after, unless it is removed.
func TestTrackerExpiry(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	const tick, ids = 100, 50
	tracker := NewTracker(tick)
	type model struct {
		heard, timeout int64
		attached       uint32
	}
	alive := map[wire.SessionID]model{}
	expired := 0
	for now := int64(rnd.IntN(1000)); now < 20_000; now++ {
		for _, x := range tracker.Expired(now) {
			id := x.ID
			m, ok := alive[id]
			if silent := now - m.heard; !ok || silent <= m.timeout || silent > m.timeout+tick || x.Attached != m.attached {
				t.Fatalf("at %d: session %v, connection %d, expired after %d ms of silence, want connection %d, timeout %d", now, id, x.Attached, silent, m.attached, m.timeout)
			}
			expired++
			if rnd.IntN(3) == 0 {
				m.heard = now // as if; the proposal was lost
				alive[id] = m
				continue
			}
			tracker.Remove(id)
			delete(alive, id)
		}
		for id, m := range alive {
			if now-m.heard > m.timeout+tick {
				t.Fatalf("at %d: session %v did not expire", now, id)
			}
		}
		id := wire.SessionID(rnd.IntN(ids))
		m, ok := alive[id]
		switch rnd.IntN(20) {
		case 0: // again while it is tracked, too: a reconnect with another timeout
			m = model{now, int64(rnd.IntN(10 * tick)), rnd.Uint32()}
			tracker.Add(Facts{ID: id, TimeoutMillis: int32(m.timeout), Attached: m.attached}, now)
			alive[id] = m
		case 1:
			tracker.Remove(id)
			delete(alive, id)
		case 2:
			if tracker.Touch(id, now) != ok {
				t.Fatalf("at %d: Touch reports %v for session %v", now, !ok, id)
			}
			if ok {
				m.heard = now
				alive[id] = m
			}
		}
		if tracker.Len() != len(alive) {
			t.Fatalf("at %d: %d sessions, want %d", now, tracker.Len(), len(alive))
		}
	}
	if expired < 50 {
		t.Errorf("only %d sessions expired", expired)
	}
	if len(tracker.slots) > 20 {
		t.Errorf("%d slots left", len(tracker.slots))
	}
}

func TestTrackerOrder(t *testing.T) {
	tracker := NewTracker(10)
	for _, id := range []wire.SessionID{5, 3, 9, 1} {
		tracker.Add(Facts{ID: id, TimeoutMillis: int32(id), Attached: uint32(id)}, 0)
	}
	if got := tracker.Expired(9); got != nil {
		t.Errorf("early: %v", got)
	}
	if got, want := tracker.Expired(1000), []Expiry{{1, 1}, {3, 3}, {5, 5}, {9, 9}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if at, ok := tracker.Deadline(5); !ok || at != 1010 {
		t.Errorf("expired and not removed: due at %d, %v", at, ok)
	}
	tracker.Add(Facts{ID: 1, TimeoutMillis: 10}, 2000)
	tracker.Reset()
	if got := tracker.Expired(1 << 40); got != nil || tracker.Touch(1, 0) {
		t.Errorf("after Reset: %v", got)
	}
}

func BenchmarkTrackerTouch(b *testing.B) {
	tracker := NewTracker(2000)
	const n = 100_000
	for id := range wire.SessionID(n) {
		tracker.Add(Facts{ID: id, TimeoutMillis: 30_000}, 0)
	}
	b.ReportAllocs()
	now := int64(0)
	for b.Loop() {
		for id := range wire.SessionID(1000) {
			tracker.Touch(id*97%n, now)
		}
		now += 10
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/touch")
}
