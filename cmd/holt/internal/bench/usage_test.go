package bench

import (
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("42 (a) b (c) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 5 0 1 0 0\n"))
	if err != nil || got != 3*time.Second {
		t.Errorf("parseStat = %v, %v, want 3s", got, err)
	}
	for _, bad := range []string{"", "42 (x) S 1", "42 (x) S 1 1 1 0 -1 4194304 1 0 0 0 a 50 0\n"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) passed", bad)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	before := ownCPU()
	for ownCPU() < before+30*time.Millisecond { // more than two ticks of work
	}
	u, err := usageOf([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if u.cpu < 10*time.Millisecond || u.resident < 1<<20 || u.peak < u.resident {
		t.Errorf("usage = %+v", u)
	}
	if _, err := usageOf([]int{1 << 30}); err == nil {
		t.Error("usage of a process that is not there")
	}
}

func TestListeners(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if pids, err := listeners([]string{addr, addr}); err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
		t.Errorf("listeners = %v, %v, want this process", pids, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if pids, err := listeners([]string{addr}); err == nil {
		t.Errorf("listeners on a closed port = %v", pids)
	}
}
