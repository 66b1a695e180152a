package server

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

// TestStandstillExpiresNoSession: a process that is stopped, or whose machine is, for longer than a
// session's timeout finds its clock ahead and what clients said unread. The time is not the clients'.
func TestStandstillExpiresNoSession(t *testing.T) {
	for name, local := range map[string]bool{"of the leader": false, "local sessions": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stood [4]atomic.Int64 // by member: how long it did
				e := newTestEnsembleOf(t, func(id uint64, c *Config) {
					c.LocalSessions = local
					c.clock = func() time.Time { return time.Now().Add(time.Duration(stood[id].Load())) }
				})
				leader := e.leader(1, 2, 3)
				here := others(leader)[0]
				c := connect(t, e.servers[here], wire.ConnectRequest{TimeoutMillis: 4000})
				standing := leader
				if local {
					standing = here
				}
				for range 3 {
					time.Sleep(time.Second)
					stood[standing].Add(int64(7 * time.Second))
					time.Sleep(2 * time.Second)
					if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: "/"}, nil); h.Err != wire.OK {
						t.Fatalf("after a standstill: %v", h.Err)
					}
				}
				// Silence counts as ever.
				start := time.Now()
				if !c.closed() {
					t.Fatal("the client got something else than the end")
				}
				if took := time.Since(start); took < 4*time.Second || took > 8*time.Second {
					t.Errorf("expired after %v, want 4 to 8 s", took)
				}
			})
		})
	}
}
