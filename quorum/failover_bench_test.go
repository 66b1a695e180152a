package quorum_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum"
	"holt/quorum/quorumtest"
)

// childFlag makes the test binary run one member: id, directory and all
// addresses.
var childFlag = flag.String("child", "", "run a member: id,dir,addr,addr,...")

// runChild is a process with one member. When it leads it proposes all the
// time; it says "serving" when the first entry of its term is applied.
func runChild(spec string) error {
	words := strings.Split(spec, ",")
	var id uint64
	if _, err := fmt.Sscan(words[0], &id); err != nil {
		return err
	}
	cfg := quorum.Config{ID: id, Dir: words[1]}
	for i, addr := range words[2:] {
		cfg.Members = append(cfg.Members, quorum.MemberConfig{ID: uint64(i + 1), Addr: addr})
	}
	own := cfg.Members[id-1].Addr
	cfg.Listen = func() (net.Listener, error) { return net.Listen("tcp", own) }
	leads := make(chan quorum.Leadership, 100)
	cfg.OnLeadership = func(l quorum.Leadership) { leads <- l }
	sm, err := quorumtest.OpenMachine(vfs.Default, filepath.Join(words[1], "state"))
	if err != nil {
		return err
	}
	applied := make(chan struct{}, 1)
	cfg.StateMachine = telling{sm, applied}
	m, err := quorum.Open(cfg)
	if err != nil {
		return err
	}
	for {
		select {
		case err := <-m.Failed():
			return err
		case l := <-leads:
			fmt.Printf("leader %d\n", l.Leader)
			if !l.Self {
				continue
			}
			for m.ProposeInTerm(l.Term, make([]byte, 500)) == nil {
				<-applied
				fmt.Println("serving")
			}
		}
	}
}

// telling says when entries are applied.
type telling struct {
	*quorumtest.Machine
	applied chan struct{}
}

func (t telling) Apply(ents []quorum.Entry) error {
	err := t.Machine.Apply(ents)
	select {
	case t.applied <- struct{}{}:
	default:
	}
	return err
}

type child struct {
	cmd   *exec.Cmd
	lines chan string
}

func startChild(b *testing.B, spec string) *child {
	cmd := exec.Command(os.Args[0], "-child", spec)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	c := &child{cmd: cmd, lines: make(chan string, 1<<16)}
	go func() {
		r := bufio.NewScanner(out)
		for r.Scan() {
			select {
			case c.lines <- r.Text():
			default:
			}
		}
		io.Copy(io.Discard, out)
		close(c.lines)
	}()
	return c
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// serving waits for one of the children to commit entries, and returns it.
func serving(b *testing.B, children []*child) int {
	deadline := time.After(time.Minute)
	for {
		for i, c := range children {
			if c == nil {
				continue
			}
			select {
			case line := <-c.lines:
				if line == "serving" {
					return i
				}
			default:
			}
		}
		select {
		case <-deadline:
			b.Fatal("nobody serves")
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// BenchmarkFailover kills the leader of three processes with SIGKILL and
// measures until the next one has committed an entry.
func BenchmarkFailover(b *testing.B) {
	var addrs []string
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addrs = append(addrs, ln.Addr().String())
		ln.Close()
	}
	root := b.TempDir()
	spec := func(i int) string {
		return fmt.Sprintf("%d,%s,%s", i+1, filepath.Join(root, fmt.Sprint(i)), strings.Join(addrs, ","))
	}
	var children []*child
	for i := range addrs {
		children = append(children, startChild(b, spec(i)))
	}
	defer func() {
		for _, c := range children {
			if c != nil {
				c.kill()
			}
		}
	}()
	var took []time.Duration
	for b.Loop() {
		i := serving(b, children)
		time.Sleep(700 * time.Millisecond) // the one restarted last is back
		for _, c := range children {
			for len(c.lines) > 0 {
				<-c.lines
			}
		}
		killed := children[i]
		children[i] = nil
		start := time.Now()
		killed.kill()
		serving(b, children)
		took = append(took, time.Since(start))
		children[i] = startChild(b, spec(i))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "ms-p50")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1e3, "ms-max")
	b.ReportMetric(0, "ns/op")
}
