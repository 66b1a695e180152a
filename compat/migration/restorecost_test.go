package migration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

var restoreNodes = flag.Int("restore-nodes", 0, "nodes of TestRestoreCost, 1000000 for the claim; 0 skips it")

const (
	// restorePauseMax bounds the time without an acknowledged write at any client, its reconnection included.
	restorePauseMax = 3 * time.Second
	// restoreTimeMax bounds a restore of 1,000,000 nodes, and of others in proportion, and restoreMemoryMax a member's memory during one.
	restoreTimeMax   = 90 * time.Second
	restoreMemoryMax = 1 << 30
	// lightly is the interval of a client's writes.
	lightly = 20 * time.Millisecond
)

// TestRestoreCost restores a snapshot into three members that hold as many nodes, while a client of each one writes, and
// prints how long it takes, how long writes pause for a client, and the memory that the members take meanwhile.
func TestRestoreCost(t *testing.T) {
	if *restoreNodes == 0 {
		t.Skip("a measurement: make bench-restore")
	}
	target.Kind(t)
	snapshot := writeSnapshot(t, *restoreNodes)
	e := must[*ensemble.Ensemble](t)(ensemble.New(t.Context(), ensemble.Config{Kind: ensemble.Holt, Members: 3, Dir: t.TempDir(), Operators: true}))
	t.Cleanup(func() { closeQuietly(e) })
	for _, m := range e.Members() {
		holt(t, "import", "--from-zookeeper", snapshot, "--to", m.DataDir(), "--myid", fmt.Sprint(m.ID()))
	}
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var loads []*lightLoad
	for i, addr := range e.Addrs() {
		loads = append(loads, startLightLoad(t, addr, uint64(i)))
	}
	pause(t, 3*time.Second) // warm
	leader := must[*ensemble.Member](t)(e.Leader(t.Context()))
	asked := e.Members()[leader.ID()%3] // not the leader
	for i, m := range e.Members() {
		forgetPeak(t, m)
		loads[i].longest(t)
	}
	pause(t, 3*time.Second)
	var idle []time.Duration
	for _, l := range loads {
		idle = append(idle, l.longest(t))
	}

	began := time.Now()
	answer := postSnapshot(t, asked.AdminURL(), snapshot)
	took := time.Since(began)
	pause(t, 3*time.Second) // what is left to do afterwards
	fmt.Printf("restore of %d nodes into three members under %d writes/s: %.1f s; %s\n", *restoreNodes, 3*int(time.Second/lightly), took.Seconds(), answer)
	if most := restoreTimeMax * time.Duration(max(*restoreNodes, 100_000)) / 1_000_000; took > most {
		t.Errorf("the restore took %v, more than %v", took, most)
	}
	for i, m := range e.Members() {
		role := "follower"
		switch m {
		case leader:
			role = "leader"
		case asked:
			role = "asked, a follower"
		}
		longest, peak := loads[i].longest(t), statusBytes(t, m, "VmHWM:")
		fmt.Printf("member %d (%s): longest pause of writes %v, until %.1f s (without a restore %v), peak memory %d MiB\n",
			m.ID(), role, longest.Round(time.Millisecond), loads[i].at.Sub(began).Seconds(), idle[i].Round(time.Millisecond), peak>>20)
		if longest > restorePauseMax {
			t.Errorf("member %d: writes paused for %v, more than %v", m.ID(), longest, restorePauseMax)
		}
		if peak > restoreMemoryMax {
			t.Errorf("member %d took %d MiB, more than %d", m.ID(), peak>>20, restoreMemoryMax>>20)
		}
	}
}

// pause is a span of measuring.
func pause(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// postSnapshot has a member restore the snapshot in a directory, and returns its answer.
func postSnapshot(t *testing.T, url, dir string) string {
	t.Helper()
	names := must[[]string](t)(filepath.Glob(filepath.Join(dir, "snapshot.*")))
	f := must[*os.File](t)(os.Open(names[0]))
	defer closeQuietly(f)
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/commands/restore", f))
	req.Header.Set("Authorization", "digest any:one")
	res := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer closeQuietly(res.Body)
	body := must[[]byte](t)(io.ReadAll(res.Body))
	if res.StatusCode != http.StatusOK {
		t.Fatalf("restore: %s\n%s", res.Status, body)
	}
	return strings.Join(strings.Fields(string(body)), " ")
}

// forgetPeak has the kernel measure the peak of a member's memory from here on.
func forgetPeak(t *testing.T, m *ensemble.Member) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", m.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// statusBytes is a size in the status of a member's process.
func statusBytes(t *testing.T, m *ensemble.Member, key string) int64 {
	t.Helper()
	status := must[[]byte](t)(os.ReadFile(fmt.Sprintf("/proc/%d/status", m.PID())))
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == key {
			return must[int64](t)(strconv.ParseInt(f[1], 10, 64)) << 10
		}
	}
	t.Fatalf("no %s in the status of member %d", key, m.ID())
	return 0
}

// lightLoad is a client that writes now and then, with one session over all its connections.
type lightLoad struct {
	mu   sync.Mutex
	last time.Time     // of the last acknowledged write
	most time.Duration // between two of them
	at   time.Time     // the end of that
	dead atomic.Bool
}

func startLightLoad(t *testing.T, addr string, seed uint64) *lightLoad {
	l := &lightLoad{last: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	c := dial(t, addr, client.Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer l.dead.Store(true)
		r := rand.New(rand.NewPCG(2, seed))
		tick := time.NewTicker(lightly)
		defer tick.Stop()
		for ctx.Err() == nil {
			path := fmt.Sprintf("/top/n%d", 2+r.IntN(*restoreNodes-2))
			_, err := c.SetData(ctx, path, []byte(path), -1)
			switch {
			case err == nil:
				l.acknowledged()
			case c.Err() == nil && ctx.Err() == nil:
				t.Errorf("write %s: %v", path, err)
				return
			default:
				again, err := client.Dial(ctx, addr, client.Options{Session: c.Session(), LastZxid: c.LastZxid()})
				if errors.Is(err, wire.ErrSessionExpired) {
					t.Errorf("the client of %s has lost its session", addr)
					return
				}
				if err == nil {
					c.Abort()
					c = again
					continue // at once, as clients do
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		c.Abort()
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

func (l *lightLoad) acknowledged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if gap := now.Sub(l.last); gap > l.most {
		l.most, l.at = gap, now
	}
	l.last = now
}

// longest is the longest time without an acknowledged write since the last call, one that lasts included.
func (l *lightLoad) longest(t *testing.T) time.Duration {
	t.Helper()
	if l.dead.Load() {
		t.Fatal("a client has ended")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	most := max(l.most, time.Since(l.last))
	l.most = 0
	return most
}
