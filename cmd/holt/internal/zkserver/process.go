package zkserver

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// readPID reads a pid file.
func readPID(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid <= 1 { // 0 and below are groups, and 1 is never ours to end
		return 0, fmt.Errorf("%s holds %q and no pid", path, bytes.TrimSpace(text))
	}
	return pid, nil
}

// alive says whether a process runs. One that ended and that its parent has not
// asked for does not.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && err != syscall.EPERM {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no such file system here
	}
	// pid (name) state ...; the name may have any character.
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	return !bytes.HasPrefix(bytes.TrimSpace(rest), []byte("Z"))
}

func signalProcess(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("kill: (%d) - %w", pid, err)
	}
	return nil
}

// gone waits until a process has ended, for at most the given time.
func gone(pid int, most time.Duration) bool {
	for end := time.Now().Add(most); alive(pid); time.Sleep(pollEvery) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// ended says whether a child of this process ends within the given time.
func ended(pid int, within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(pollEvery) {
		got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		if got == pid || err == syscall.ECHILD {
			return true
		}
	}
	return false
}
