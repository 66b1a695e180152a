package server

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holt/server/apply"
	"holt/wire"
)

// TestRollingUpgrade: three members of an old version become those of a new one, one after another, under
// load. The format is raised when the last one is new, and then an old one is refused.
func TestRollingUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version := map[uint64]uint64{1: 1, 2: 1, 3: 1}
		e := newTestEnsembleOf(t, func(id uint64, c *Config) { c.formatMax = version[id] })
		e.leader(1, 2, 3)
		format := func(want uint64) {
			t.Helper()
			time.Sleep(10 * time.Second)
			for id, s := range e.servers {
				if got := s.machine.Format(); got != want {
					t.Fatalf("member %d is at format %d, want %d", id, got, want)
				}
			}
		}
		format(1)
		for id := uint64(1); id <= 3; id++ {
			format(1)
			e.stop(id)
			version[id] = 2
			e.start(id)
			<-e.servers[id].Ready()
			c := connect(t, e.servers[id], wire.ConnectRequest{})
			if h := c.call(wire.OpCreate, create("/n-", "", 2), nil); h.Err != wire.OK {
				t.Fatal(h.Err)
			}
		}
		format(2)
		// Back to the old version: its data is refused, in one line.
		back := others(e.leader(1, 2, 3))[0]
		e.stop(back)
		cfg := Config{MemberID: back, DataDir: "data", FS: e.fs[back], ClientAddr: Off, formatMax: 1}
		var refused *apply.FormatError
		if s, err := Start(cfg); !errors.As(err, &refused) || refused.Format != 2 || refused.Max != 1 {
			t.Errorf("an old version started on new data: %v", err)
			if err == nil {
				s.Close()
			}
		}
	})
}

// TestOldMemberEnds: one that was away while the format was raised, which cannot happen by itself, ends when it
// meets the command.
func TestOldMemberEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, func(id uint64, c *Config) { c.formatMax = 1 })
		leader := e.leader(1, 2, 3)
		time.Sleep(10 * time.Second)
		e.servers[leader].proposeInternal(&apply.Command{Op: apply.OpFormat, Body: apply.AppendFormat(nil, 2)})
		for id, s := range e.servers {
			var refused *apply.FormatError
			if err := <-s.Failed(); !errors.As(err, &refused) {
				t.Errorf("member %d ends with %v", id, err)
			}
		}
	})
}
