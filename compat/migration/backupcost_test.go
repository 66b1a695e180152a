package migration

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

var costNodes = flag.Int("backup-nodes", 0, "nodes of TestBackupCost, 4000000 for the claim; 0 skips it")

const (
	costWriters = 20
	costRounds  = 3
	// costRatioMax is how much slower the slowest hundredth of writes may be under a backup.
	costRatioMax = 2
)

// TestBackupCost measures how long writes take with and without a backup of the same member
// going on, in turns, and prints the slowest hundredth of both.
func TestBackupCost(t *testing.T) {
	if *costNodes == 0 {
		t.Skip("a measurement: make bench-backup")
	}
	target.Kind(t)
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	dir := filepath.Join(t.TempDir(), "data")
	holt(t, "import", "--from-zookeeper", writeSnapshot(t, *costNodes), "--to", dir)
	s := startHolt(t, dir, freePort(t))
	load := startWrites(t, s.addr)
	load.window(t, 3*time.Second) // warm
	var without, with []time.Duration
	for round := range costRounds {
		without = append(without, load.window(t, 8*time.Second)...)
		to := filepath.Join(t.TempDir(), "backups") // a new one: every backup copies all
		began := time.Now()
		cmd := exec.Command(bin, "backup", "create", "--from", dir, "--to", to)
		load.open()
		out, err := cmd.CombinedOutput()
		during := load.close()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		with = append(with, during...)
		t.Logf("round %d, %.1f s: %s", round, time.Since(began).Seconds(), out)
	}
	a, b := percentile(without), percentile(with)
	fmt.Printf("p99 of writes, %d writers, %d nodes: %s without a backup (%d writes), %s under one (%d writes), %.2f times\n",
		costWriters, *costNodes, a, len(without), b, len(with), float64(b)/float64(a))
	if float64(b) > costRatioMax*float64(a) {
		t.Errorf("writes under a backup are %.2f times as slow, more than %d", float64(b)/float64(a), costRatioMax)
	}
}

func percentile(v []time.Duration) time.Duration {
	slices.Sort(v)
	return v[len(v)*99/100].Round(10 * time.Microsecond)
}

// writes is a load whose latencies are kept while somebody wants them.
type writes struct {
	wanted atomic.Bool
	mu     sync.Mutex
	took   []time.Duration
}

// startWrites has writers set random nodes, each as soon as its last write was answered, until the test ends.
func startWrites(t *testing.T, addr string) *writes {
	w := &writes{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range uint64(costWriters) {
		c := dial(t, addr, client.Options{})
		r := rand.New(rand.NewPCG(1, i))
		wg.Go(func() {
			data := make([]byte, 100)
			random := rand.NewChaCha8([32]byte{byte(i)})
			for ctx.Err() == nil {
				path := fmt.Sprintf("/top/n%d", 2+r.IntN(*costNodes-2))
				_, _ = random.Read(data) // never fails
				began := time.Now()
				if err := c.Send(wire.OpSetData, &wire.SetDataRequest{Path: path, Data: data, Version: -1}).Wait(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("write %s: %v", path, err)
					return
				}
				if took := time.Since(began); w.wanted.Load() {
					w.mu.Lock()
					w.took = append(w.took, took)
					w.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

func (w *writes) open() { w.wanted.Store(true) }

func (w *writes) close() []time.Duration {
	w.wanted.Store(false)
	w.mu.Lock()
	defer w.mu.Unlock()
	took := w.took
	w.took = nil
	return took
}

func (w *writes) window(t *testing.T, d time.Duration) []time.Duration {
	w.open()
	select {
	case <-time.After(d): // a span of measuring
	case <-t.Context().Done():
	}
	return w.close()
}
