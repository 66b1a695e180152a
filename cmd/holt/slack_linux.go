package main

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// systemSlack is the timer slack that Linux gives a process, in ns: how much later than asked
	// for it may be woken.
	systemSlack = 50_000
	// ownSlack is that of a server, in ns. It is meant for one thread, the Go runtime's monitor,
	// which sleeps 20 µs at a time while there is anything to do: with the system's slack it looks
	// 14,000 times a second whether a thread is in a system call for longer, and gives its processor to
	// another thread then, so that each sync of the log cost two more switches between threads. A server
	// does many short syncs. With half a millisecond, which most of them take less than, three
	// members' sets take a quarter less CPU; with two, a server alone waits for its syncs. Timers of the
	// server itself have whole milliseconds, and may well be late by half of one.
	ownSlack = 500_000
)

// relaxTimers sets the timer slack of all threads, by executing this program anew with the slack set: a
// thread inherits it from the one that starts it, and the monitor is started before main. Slack
// that somebody has set already (TimerSlackNSec= of systemd) stays as it is, and so does the system's
// where it cannot be changed. To be called before anything else is done: it may not return.
func relaxTimers() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || now != systemSlack {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, ownSlack, 0, 0, 0) == nil {
		// It returns only if it fails. The process does what it is to do then, at more CPU.
		_ = syscall.Exec(self, os.Args, os.Environ())
	}
}
