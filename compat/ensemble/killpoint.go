package ensemble

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// KillPoint is a system call at the entry of which a process is killed by SIGKILL, so that the call has no
// effect any more: one of Calls, by strace's names, that names one of Paths. strace does it; the program knows
// nothing of it.
type KillPoint struct {
	Calls string // several are separated by commas
	Paths []string
}

// fileCalls are those by which a program changes what a crash leaves of its files. Writes are left
// out: what they leave out or half done is seen from the calls that follow.
const fileCalls = "openat,mkdirat,renameat,renameat2,linkat,unlinkat,fsync,fdatasync,fchmod,fchmodat"

func (p KillPoint) String() string {
	if len(p.Paths) == 0 {
		return p.Calls
	}
	return p.Calls + " " + filepath.Base(p.Paths[0])
}

func (p KillPoint) args() []string {
	args := []string{"-f", "-o", os.DevNull, "-e", "trace=" + p.Calls, "-e", "inject=" + p.Calls + ":signal=SIGKILL"}
	for _, path := range p.Paths {
		args = append(args, "-P", path)
	}
	return args
}

// Run runs a program to its end, or to the point; killed tells which. output is what it printed.
func (p KillPoint) Run(program string, args ...string) (killed bool, output []byte, err error) {
	// Without --seccomp-bpf, with which strace 6.1 misses some calls.
	cmd := exec.Command("strace", append(append(p.args(), "-qq", program), args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err = cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		// strace ends as the program did.
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true, output, nil
		}
	}
	return false, output, err
}

// Trap waits for a running process to come to a point.
type Trap struct {
	cmd  *exec.Cmd
	ends chan struct{} // closed when strace has ended
}

// Set has a running process be killed at the point. It returns when the process would be. Close ends it.
func (p KillPoint) Set(pid int) (*Trap, error) {
	cmd := exec.Command("strace", append(p.args(), "-p", fmt.Sprint(pid))...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &Trap{cmd: cmd, ends: make(chan struct{})}
	lines := bufio.NewScanner(out)
	said := ""
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "attached") {
			go func() {
				for lines.Scan() { // of threads; it must not block
				}
				_ = cmd.Wait() // strace ends as the process did
				close(t.ends)
			}()
			return t, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("strace does not take process %d (it may be forbidden: run as root, or set kernel.yama.ptrace_scope=0): %s", pid, said), cmd.Wait())
}

// Close lets a process that has not come to the point go on.
func (t *Trap) Close() error {
	err := t.cmd.Process.Signal(syscall.SIGTERM) // which has strace let go of it
	<-t.ends
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// KillPoints runs a program to its end and returns the points at which it changes files below dir, each
// once, in the order in which it came to them first.
func KillPoints(dir, program string, args ...string) ([]KillPoint, error) {
	f, err := os.CreateTemp("", "trace-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return nil, err
	}
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-o", f.Name(), "-e", "trace=" + fileCalls, program}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("strace %s: %w: %s", program, err, out)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, err
	}
	return parsePoints(dir, string(text)), nil
}

var (
	callName = regexp.MustCompile(`^\d+ +(\w+)\(`)
	callPath = regexp.MustCompile(`"([^"]+)"|<(/[^>]*)>`)
)

// parsePoints reads the trace of a run.
func parsePoints(dir, trace string) (points []KillPoint) {
	seen := map[string]bool{}
	for line := range strings.Lines(trace) {
		call := callName.FindStringSubmatch(line)
		if call == nil || call[1] == "openat" && !strings.Contains(line, "O_CREAT") {
			continue
		}
		args := line
		if i := strings.LastIndex(line, ") = "); i > 0 {
			args = line[:i]
		}
		path := ""
		for _, m := range callPath.FindAllStringSubmatch(args, -1) {
			if found := m[1] + m[2]; found == dir || strings.HasPrefix(found, dir+"/") {
				path = found // of a rename the later one
			}
		}
		if key := call[1] + " " + path; path != "" && !seen[key] {
			seen[key] = true
			points = append(points, KillPoint{Calls: call[1], Paths: []string{path}})
		}
	}
	return points
}
