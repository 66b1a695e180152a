package clients

import (
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"
)

// dialogue is an interactive program that a test types at and reads from.
type dialogue struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when the program's output ended

	mu      sync.Mutex
	unread  []byte        // guarded by mu: output that no expect has consumed
	arrived chan struct{} // guarded by mu: closed and replaced when output arrives
}

// talk starts cmd; it is killed when the test ends, if it still runs then.
func talk(t *testing.T, cmd *exec.Cmd) *dialogue {
	t.Helper()
	d := &dialogue{t: t, cmd: cmd, ended: make(chan struct{}), arrived: make(chan struct{})}
	var err error
	if d.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.collect(out)
	t.Cleanup(d.kill)
	return d
}

func (d *dialogue) collect(out io.Reader) {
	defer close(d.ended)
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		d.mu.Lock()
		d.unread = append(d.unread, buf[:n]...)
		close(d.arrived)
		d.arrived = make(chan struct{})
		d.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// send types one line.
func (d *dialogue) send(format string, args ...any) {
	d.t.Helper()
	if _, err := fmt.Fprintf(d.stdin, format+"\n", args...); err != nil {
		d.t.Fatalf("type %q: %v; output so far %q", format, err, d.unread)
	}
}

// expect waits until the output that no earlier expect consumed matches pattern, consumes it
// up to the end of the match, and returns the submatches.
func (d *dialogue) expect(pattern string) []string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		d.mu.Lock()
		arrived := d.arrived
		if at := re.FindSubmatchIndex(d.unread); at != nil {
			var groups []string
			for _, g := range re.FindSubmatch(d.unread) {
				groups = append(groups, string(g))
			}
			d.unread = d.unread[at[1]:]
			d.mu.Unlock()
			return groups
		}
		unread := string(d.unread)
		d.mu.Unlock()
		select {
		case <-arrived:
		case <-timeout:
			d.t.Fatalf("no %q in the output: %q", pattern, unread)
		}
	}
}

// ask is send and expect.
func (d *dialogue) ask(line, pattern string) []string {
	d.t.Helper()
	d.send("%s", line)
	return d.expect(pattern)
}

// kill ends the program with SIGKILL, if it still runs.
func (d *dialogue) kill() {
	if d.cmd.ProcessState != nil {
		return
	}
	d.cmd.Process.Kill()
	<-d.ended
	d.cmd.Wait() // the status of a killed program says nothing
}

// wait waits for the program to end by itself.
func (d *dialogue) wait() {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.t.Fatalf("%q does not end", d.cmd.Args)
	}
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("%q: %v", d.cmd.Args, err)
	}
}
