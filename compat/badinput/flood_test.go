package badinput

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/wire"
)

// memoryBound is how far a member of Holt may grow over what it had at first, whatever clients
// do to it. The original has none but the limit of its heap.
const memoryBound = 256 << 20

// boundedMemory returns a check, to be called at the end, that the member's memory never went
// further than memoryBound above what it is now.
func boundedMemory(t *testing.T, m *ensemble.Member, kind ensemble.Kind) func() {
	t.Helper()
	before := memory(t, m, "VmRSS:")
	return func() {
		t.Helper()
		peak := memory(t, m, "VmHWM:")
		t.Logf("memory: %d MiB before, %d MiB at most", before>>20, peak>>20)
		if kind == ensemble.Holt && peak > before+memoryBound {
			t.Errorf("memory grew from %d to %d MiB, allowed are %d more", before>>20, peak>>20, memoryBound>>20)
		}
	}
}

func memory(t *testing.T, m *ensemble.Member, key string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == key {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in the status of member %d", key, m.ID())
	return 0
}

// TestClientThatNeverReads asks for far more than it takes. The member must stop serving it
// (by not reading on or by closing it), hold little for it, and serve others.
func TestClientThatNeverReads(t *testing.T) {
	m, kind := single(t)
	neverRead(t, m, kind, []witness{newWitness(t, m)}, func() *raw { return dialRaw(t, m.Addr()) })
}

// neverRead has clients ask for much and read nothing. The first of those beside prepares it.
func neverRead(t *testing.T, m *ensemble.Member, kind ensemble.Kind, beside []witness, dial func() *raw) {
	t.Helper()
	big := wire.CreateRequest{Path: "/big", Data: make([]byte, 500<<10), ACL: []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}}
	beside[0].write(request(1, wire.OpCreate, big.AppendTo(nil)))
	if did := beside[0].reaction(); did != "0 open" {
		t.Fatal(did)
	}
	check := boundedMemory(t, m, kind)
	asked := 4000 // two gigabytes
	if kind == ensemble.ZooKeeper {
		asked = 400 // which it keeps in its heap
	}
	get := wire.GetDataRequest{Path: "/big"}
	var greedy []*raw
	for range 4 {
		r := dial()
		r.open()
		greedy = append(greedy, r)
	}
	for i := range asked {
		r := greedy[i%len(greedy)]
		// A member that does not read on makes this block; that is as good as closing.
		if err := r.conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.conn.Write(request(wire.Xid(i+1), wire.OpGetData, get.AppendTo(nil))); err != nil {
			break
		}
		if i%100 == 0 {
			served(t, beside)
		}
	}
	served(t, beside)
	check()
}

// TestHalfHandshakes leaves many connections in the middle of their first frame: the member must
// serve others at once, and close the silent ones in the end.
func TestHalfHandshakes(t *testing.T) {
	m, kind := single(t)
	beside := newWitness(t, m)
	check := boundedMemory(t, m, kind)
	half := frame(connectRequest())[:20]
	var silent []*raw
	for range 1000 {
		r := dialRaw(t, m.Addr())
		r.write(half)
		silent = append(silent, r)
	}
	beside.served(t)
	deadline := time.Now().Add(3 * patience)
	for i, r := range silent {
		if err := r.conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := r.in.Next(); !isClosed(err) {
			t.Fatalf("connection %d: %v, want it closed by the member", i, err)
		}
	}
	check()
}

// TestTenThousandConnections opens them as fast as it can; all must get a session and be served.
func TestTenThousandConnections(t *testing.T) {
	const connections = 10_000
	raiseFileLimit(t, 2*connections)
	m, kind := single(t)
	beside := newWitness(t, m)
	check := boundedMemory(t, m, kind)
	var mu sync.Mutex
	var open []*raw
	var wg sync.WaitGroup
	start := time.Now()
	const dialers = 100
	for range dialers {
		wg.Go(func() {
			for range connections / dialers {
				r := dialRaw(t, m.Addr())
				if err := r.conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
					t.Error(err)
				}
				r.write(frame(connectRequest()))
				if _, err := r.in.Next(); err != nil {
					t.Errorf("no session: %v", err)
					return
				}
				mu.Lock()
				open = append(open, r)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d sessions in %v", len(open), time.Since(start).Round(time.Millisecond))
	if t.Failed() {
		return
	}
	beside.served(t)
	start = time.Now()
	get := wire.GetDataRequest{Path: "/"}
	for _, r := range open {
		r.extend()
		r.write(request(1, wire.OpGetData, get.AppendTo(nil)))
	}
	for i, r := range open {
		if _, err := r.in.Next(); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	t.Logf("one read on each in %v", time.Since(start).Round(time.Millisecond))
	beside.served(t)
	check()
}

// raiseFileLimit lets this process and the members it starts have n files open.
func raiseFileLimit(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Max = max(limit.Max, n)
	limit.Cur = max(limit.Cur, n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatalf("raise the limit of open files to %d: %v (ulimit -n)", n, err)
	}
}
