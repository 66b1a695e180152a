package server

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
)

// TestRestoreUnderCrashes crashes members, the one that was asked too, at random while a snapshot is staged, made a tree
// of and switched to. In the end all members have the old state or all have the new one, and that if the answer said so.
func TestRestoreUnderCrashes(t *testing.T) {
	restored, kept := 0, 0
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			disks := map[uint64]*vfs.MemFS{}
			e := newTestEnsembleOf(t, func(id uint64, c *Config) {
				if disks[id] == nil {
					disks[id] = vfs.NewCrashableMem()
				}
				c.FS = disks[id]
			})
			e.leader(1, 2, 3)
			e.awaitFormat()
			asked := 1 + r.Uint64N(3)
			c := connect(t, e.servers[asked], wire.ConnectRequest{})
			c.call(wire.OpCreate, create("/large", strings.Repeat("x", 600_000), 0), nil)
			c.call(wire.OpCreate, create("/n", "old", 0), nil)
			snapshot := snapshotOf(t, e.servers[asked])
			c.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("new"), Version: -1}, nil)
			e.net.SetAll(slowLink)
			crash := func(id uint64) {
				host := fmt.Sprintf("m%d", id)
				e.net.Isolate(host) // or others would hold what the disk has forgotten for a promise
				image := disks[id].CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
				e.stop(id)
				disks[id] = image
				e.net.Rejoin(host)
				e.start(id)
			}
			done := make(chan error, 1)
			go func(s *Server) {
				_, err := s.restoreSnapshot(context.Background(), bytes.NewReader(snapshot))
				done <- err
			}(e.servers[asked])
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			for range 1 + r.IntN(3) {
				crash(1 + r.Uint64N(3))
				time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
			}
			err := <-done
			e.leader(1, 2, 3)
			for _, s := range e.servers {
				<-s.Ready()
				for s.machine.Staging().ID.Member != 0 {
					time.Sleep(time.Second)
				}
			}
			e.same()
			got := data(t, connect(t, e.servers[asked], wire.ConnectRequest{}), "/n")
			switch {
			case got == "old":
				restored++
			case got == "new" && err != nil:
				kept++
			default:
				t.Errorf("seed %d: /n is %q, and the restore said %v", seed, got, err)
			}
		})
	}
	t.Logf("%d restored, %d not", restored, kept)
	if restored == 0 || kept == 0 {
		t.Errorf("%d restored, %d not: the test shows less than it should", restored, kept)
	}
}
