package kafka

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// producer is a running kafka-verifiable-producer: it writes 0, 1, 2, … and prints what was
// acknowledged.
type producer struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when its output ended

	mu     sync.Mutex
	acked  map[string]int // guarded by mu: value and how often it was acknowledged
	failed int            // guarded by mu: records that were given up
	last   time.Time      // guarded by mu: when something was acknowledged last
}

// sent is a line of kafka-verifiable-producer.
type sent struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// produce starts a producer with acks=all and idempotence, at most perSecond records a second.
func produce(t *testing.T, c *Cluster, topic string, perSecond int) *producer {
	t.Helper()
	settings := filepath.Join(t.TempDir(), "producer.properties")
	// The tool would send each record once; a real application tries again.
	check(t, os.WriteFile(settings, []byte("retries=2147483647\nenable.idempotence=true\nacks=all\ndelivery.timeout.ms=40000\nlinger.ms=2\n"), 0o644))
	p := &producer{acked: map[string]int{}, done: make(chan struct{}), cmd: c.Tool(t.Context(), "kafka-verifiable-producer",
		"--bootstrap-server", c.Bootstrap(), "--topic", topic, "--max-messages", "-1", "--acks", "-1",
		"--throughput", fmt.Sprint(perSecond), "--producer.config", settings)}
	out, err := p.cmd.StdoutPipe()
	check(t, err)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(t, p.cmd.Start())
	go p.read(out)
	return p
}

func (p *producer) read(out io.Reader) {
	defer close(p.done)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var s sent
		if json.Unmarshal(lines.Bytes(), &s) != nil {
			continue
		}
		p.mu.Lock()
		switch s.Name {
		case "producer_send_success":
			p.acked[s.Value]++
			p.last = time.Now()
		case "producer_send_error":
			p.failed++
		}
		p.mu.Unlock()
	}
}

func (p *producer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked)
}

// more waits until n more records were acknowledged than are now, and returns how long that
// took.
func (p *producer) more(t *testing.T, n int, most time.Duration) time.Duration {
	t.Helper()
	began, want := time.Now(), p.count()+n
	ctx := within(t, most)
	for p.count() < want {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			t.Fatalf("%d of %d records acknowledged: %v", p.count(), want, err)
		}
	}
	return time.Since(began)
}

// stop lets the producer finish what it has sent and returns the acknowledged values.
func (p *producer) stop(t *testing.T) map[string]int {
	t.Helper()
	check(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-within(t, time.Minute).Done():
		t.Fatal("the producer does not end")
	}
	_ = p.cmd.Wait() // its status is the signal
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Logf("%d records acknowledged, %d given up", len(p.acked), p.failed)
	return p.acked
}

// consume reads a whole topic with kafka-console-consumer and returns how often each value came.
func consume(t *testing.T, c *Cluster, topic, group string) map[string]int {
	t.Helper()
	n := endOffsets(t, c, topic)
	out := tool(t, c, "", "kafka-console-consumer", "--bootstrap-server", c.Bootstrap(), "--topic", topic, "--from-beginning",
		"--group", group, "--max-messages", fmt.Sprint(n), "--timeout-ms", "30000")
	values := map[string]int{}
	for line := range strings.Lines(out) {
		values[strings.TrimSpace(line)]++
	}
	return values
}

// compare holds what was read against what was acknowledged: nothing may be missing, and nothing
// be there twice, since the producer was idempotent.
func compare(t *testing.T, acked, read map[string]int) {
	t.Helper()
	missing, twice := 0, 0
	for value := range acked {
		if read[value] == 0 {
			missing++
		}
	}
	for _, n := range read {
		if n > 1 {
			twice++
		}
	}
	if missing > 0 || twice > 0 || len(acked) == 0 {
		t.Errorf("%d of %d acknowledged records are missing, %d of %d are there twice", missing, len(acked), twice, len(read))
	}
}
