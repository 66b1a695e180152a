package kafka

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/ensemble"
)

// Broker is one broker of a cluster, running or stopped.
type Broker struct {
	id       int
	port     int
	saslPort int    // of a second listener, with SCRAM, or 0
	dir      string // holds server.properties, data and log
	heapMiB  int
	program  *Installation
	holt     string // path of the command that runs instead of program, or ""

	mu   sync.Mutex
	proc *ensemble.Process // guarded by mu; nil before the first Start
}

// ID returns broker.id.
func (b *Broker) ID() int { return b.id }

// Addr returns host:port of the listener that is PLAINTEXT.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

func (b *Broker) saslAddr() string { return fmt.Sprintf("127.0.0.1:%d", b.saslPort) }

// DataDir returns log.dirs.
func (b *Broker) DataDir() string { return filepath.Join(b.dir, "data") }

// LogPath returns the file that receives everything the broker prints, over all its runs.
func (b *Broker) LogPath() string { return filepath.Join(b.dir, "log") }

func (b *Broker) name() string { return fmt.Sprint("broker ", b.id) }

// layOut writes server.properties; later settings win over earlier ones, as in Kafka.
func (b *Broker) layOut(settings []string) error {
	if err := os.MkdirAll(b.DataDir(), 0o755); err != nil {
		return err
	}
	lines := []string{
		fmt.Sprintf("broker.id=%d", b.id),
		"listeners=PLAINTEXT://" + b.Addr(),
		"log.dirs=" + b.DataDir(),
	}
	if b.saslPort != 0 {
		const jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		lines = append(lines,
			"listeners=PLAINTEXT://"+b.Addr()+",SASL_PLAINTEXT://"+b.saslAddr(),
			"sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
			"listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config="+jaas,
			"listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config="+jaas)
	}
	lines = append(lines, settings...)
	return os.WriteFile(b.propertiesPath(), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

func (b *Broker) propertiesPath() string { return filepath.Join(b.dir, "server.properties") }

// Start starts the process and returns at once; Ready waits for it.
func (b *Broker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.proc.Running() {
		return fmt.Errorf("%s runs already", b.name())
	}
	p, err := ensemble.StartProcess(b.name(), b.command(), b.LogPath())
	if err != nil {
		return err
	}
	b.proc = p
	return nil
}

// command returns the broker's process, which is bound to no context: it lives until it is stopped.
func (b *Broker) command() *exec.Cmd {
	if b.holt != "" {
		return exec.Command(b.holt, "broker", b.propertiesPath())
	}
	return b.program.java(context.Background(), b.heapMiB, "broker.log4j", "kafka.Kafka", b.propertiesPath())
}

func (b *Broker) current() *ensemble.Process {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.proc
}

// Running tells whether the process was started and has not ended.
func (b *Broker) Running() bool { return b.current().Running() }

// PID returns the process id of the present or last run; 0 before the first.
func (b *Broker) PID() int {
	if p := b.current(); p != nil {
		return p.PID()
	}
	return 0
}

// Signal sends sig to the process (SIGSTOP, SIGCONT) and does not wait.
func (b *Broker) Signal(sig syscall.Signal) error {
	p := b.current()
	if p == nil {
		return fmt.Errorf("signal %s: not started", b.name())
	}
	return p.Signal(sig)
}

// Kill ends the process with SIGKILL and returns when it is gone.
func (b *Broker) Kill() error { return b.end(syscall.SIGKILL) }

// Stop asks the process to hand over its partitions and end, and returns when it is gone.
func (b *Broker) Stop() error { return b.end(syscall.SIGTERM) }

func (b *Broker) end(sig syscall.Signal) error {
	const patience = 40 * time.Second // three tries to hand over, with pauses
	p := b.current()
	if p == nil {
		return fmt.Errorf("end %s: not started", b.name())
	}
	return p.End(sig, patience)
}

// Ready waits until the broker answers clients and is listed among the brokers. It gives up when
// the process ends, and then quotes the end of its log.
func (b *Broker) Ready(ctx context.Context) error {
	p := b.current()
	if p == nil {
		return fmt.Errorf("%s was not started", b.name())
	}
	for {
		listed, err := b.listed(ctx)
		switch {
		case listed:
			return nil
		case !p.Running():
			return fmt.Errorf("%s ended before it served: %s", b.name(), p.LogTail())
		}
		if waitErr := pause(ctx, 50*time.Millisecond); waitErr != nil {
			return fmt.Errorf("%s does not serve: %w: %v: %s", b.name(), waitErr, err, p.LogTail())
		}
	}
}

// listed reports whether the broker names itself when it is asked for the brokers.
func (b *Broker) listed(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RequestRetries(0))
	if err != nil {
		return false, err
	}
	defer client.Close()
	meta, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return false, err
	}
	for _, id := range meta.Brokers.NodeIDs() {
		if int(id) == b.id {
			return true, nil
		}
	}
	return false, nil
}

// pause waits d or until ctx ends, and then returns its error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
