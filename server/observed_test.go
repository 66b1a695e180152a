package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

// TestObserversFigures: the leader shows what its observer sent, and how far it is.
func TestObserversFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, func(_ uint64, c *Config) { c.Members[2].Observer = true })
		leader := e.servers[e.leader(1, 2, 3)]
		c := connect(t, e.servers[3], wire.ConnectRequest{})
		var last wire.Zxid
		for i := range 10 {
			last = c.call(wire.OpCreate, create(fmt.Sprint("/n", i), "", 0), nil).Zxid
		}
		time.Sleep(time.Second) // until the leader has heard of the last
		shown := leader.Observers()
		if len(shown) != 1 || shown[0].ID != 3 || shown[0].Requests != 11 || shown[0].Zxid != last {
			t.Errorf("%+v, want 11 requests up to %v", shown, last)
		}
		leader.ResetObserverStats()
		if shown := leader.Observers(); shown[0].Requests != 0 || shown[0].Zxid != last {
			t.Errorf("after a reset: %+v", shown)
		}
	})
}

func TestObservedZxids(t *testing.T) {
	var o observed
	check := func(match uint64, want wire.Zxid) {
		t.Helper()
		if _, got := o.of(7, match); got != want {
			t.Errorf("at %d: %v, want %v", match, got, want)
		}
	}
	check(5, 0)
	for i := uint64(10); i < 10+2*observedKept+5; i += 2 { // every second is empty for the tree
		o.applied(i, wire.Zxid(i))
	}
	newest := uint64(10 + 2*observedKept + 4)
	oldest := newest - 2*(observedKept-1)
	check(newest, wire.Zxid(newest))
	check(newest+9, wire.Zxid(newest))
	check(newest-1, wire.Zxid(newest-2))
	check(oldest, wire.Zxid(oldest))
	check(oldest-1, 0)
}
