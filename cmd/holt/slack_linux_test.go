package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTimerSlack: all threads of a server have the slack that is meant for it, unless it was started with
// one of somebody's choice; the process, its arguments and its name are the same as before.
func TestTimerSlack(t *testing.T) {
	for _, c := range []struct {
		name         string
		before, want int
	}{
		{"the system's", systemSlack, ownSlack},
		{"somebody's", 70_000, 70_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startWithSlack(t, c.before, "dev", "--port", "0", "--kafka-port", "0", "-o", "json")
			if _, err := p.stdout.ReadString('\n'); err != nil {
				_, log := p.end()
				t.Fatalf("%v\n%s", err, log)
			}
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.cmd.Process.Pid))
			if want := filepath.Base(os.Args[0]); err != nil || !strings.HasPrefix(want, strings.TrimSpace(string(name))) {
				t.Errorf("the process is called %s, %v; want %s", name, err, want)
			}
			for _, thread := range threadsOf(t, p.cmd.Process.Pid) {
				got, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", thread))
				if os.IsPermission(err) {
					t.Skip("the slack of another process is for root to read: run the tests as root")
				}
				if err != nil {
					t.Fatal(err)
				}
				if n, err := strconv.Atoi(strings.TrimSpace(string(got))); err != nil || n != c.want {
					t.Errorf("thread %d has a slack of %s ns, %v; want %d", thread, bytes.TrimSpace(got), err, c.want)
				}
			}
			p.stop(syscall.SIGTERM)
		})
	}
}

// startWithSlack starts a process from a thread with a slack in ns, which the process inherits.
func startWithSlack(t *testing.T, slack int, args ...string) *process {
	t.Helper()
	runtime.LockOSThread() // for good: no other goroutine gets a thread like that
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	return startProcess(t, args...)
}

// threadsOf returns the ids of a process's threads.
func threadsOf(t *testing.T, pid int) []int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}
