package ensemble

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Member is one server process of an ensemble, running or stopped.
type Member struct {
	id   int
	port int
	// Spec is what stands behind the equals sign of the member's server line; changes have an effect on
	// members laid out later.
	Spec string

	reconfigurable bool     // of Config
	settings       []string // of this member alone
	prog           program  // guarded by mu
	heapMiB        int
	dir            string // holds zoo.cfg and log
	dataDir        string

	properties []string // of Config

	adminPort, metricsPort, securePort int // 0: there is none

	mu   sync.Mutex
	proc *Process // guarded by mu; nil before the first Start
}

// ID returns the number of the member, which is also its myid.
func (m *Member) ID() int { return m.id }

// Addr returns host:port of the client port.
func (m *Member) Addr() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }

// SecureAddr returns host:port of the client port for TLS; Config.Secure opens it.
func (m *Member) SecureAddr() string { return fmt.Sprintf("127.0.0.1:%d", m.securePort) }

// AdminURL returns http://host:port of the AdminServer; Config.Operators opens it.
func (m *Member) AdminURL() string { return fmt.Sprintf("http://127.0.0.1:%d", m.adminPort) }

// MetricsURL returns that of the Prometheus page; Config.Metrics opens it.
func (m *Member) MetricsURL() string {
	return fmt.Sprintf("http://127.0.0.1:%d/metrics", m.metricsPort)
}

// DataDir returns the directory in which the member keeps its data.
func (m *Member) DataDir() string { return m.dataDir }

// LogPath returns the file that receives everything the member prints, over all its runs.
func (m *Member) LogPath() string { return filepath.Join(m.dir, "log") }

func (m *Member) name() string { return fmt.Sprint("member ", m.id) }

// ConfigPath is the member's zoo.cfg.
func (m *Member) ConfigPath() string { return m.cfgPath() }

func (m *Member) cfgPath() string { return filepath.Join(m.dir, "zoo.cfg") }

// UseHolt has the following starts run another build of Holt, as an upgrade does.
func (m *Member) UseHolt(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prog = holtBinary{path}
}

// Start starts the process and returns at once; Ready waits for it.
func (m *Member) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc.Running() {
		return fmt.Errorf("member %d runs already", m.id)
	}
	p, err := StartProcess(m.name(), m.prog.command(m.cfgPath(), m.heapMiB, m.properties), m.LogPath())
	if err != nil {
		return err
	}
	m.proc = p
	return nil
}

// Running tells whether the process was started and has not ended.
func (m *Member) Running() bool { return m.current().Running() }

// PID returns the process id of the present or last run; 0 before the first.
func (m *Member) PID() int {
	if p := m.current(); p != nil {
		return p.PID()
	}
	return 0
}

func (m *Member) current() *Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proc
}

// Kill ends the process with SIGKILL and returns when it is gone.
func (m *Member) Kill() error { return m.end(syscall.SIGKILL) }

// Stop asks the process to end with SIGTERM and returns when it is gone; after ten seconds it
// is killed, which is an error.
func (m *Member) Stop() error { return m.end(syscall.SIGTERM) }

// Signal sends sig to the process (SIGSTOP, SIGCONT) and does not wait.
func (m *Member) Signal(sig syscall.Signal) error {
	p := m.current()
	if p == nil {
		return fmt.Errorf("signal member %d: not started", m.id)
	}
	return p.Signal(sig)
}

func (m *Member) end(sig syscall.Signal) error {
	const patience = 10 * time.Second
	p := m.current()
	if p == nil {
		return fmt.Errorf("end %s: not started", m.name())
	}
	return p.End(sig, patience)
}

// Wait returns the exit status of a process that ends by itself: its code, or −1 if a signal
// ended it.
func (m *Member) Wait(ctx context.Context) (int, error) {
	p := m.current()
	if p == nil {
		return 0, fmt.Errorf("wait for member %d: not started", m.id)
	}
	return p.Wait(ctx)
}

// Ready waits until the member serves clients: until it tells its mode. It gives up when the
// process ends, and then quotes the end of its log.
func (m *Member) Ready(ctx context.Context) error {
	p := m.current()
	if p == nil {
		return fmt.Errorf("member %d was not started", m.id)
	}
	for {
		if _, err := m.Mode(ctx); err == nil {
			return nil
		}
		if !p.Running() {
			return fmt.Errorf("member %d ended before it served (%v): %s", m.id, p.err, p.LogTail())
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("member %d does not serve: %w: %s", m.id, err, p.LogTail())
		}
	}
}

// Mode returns what the member says it is: standalone, leader, follower, observer or
// read-only. It is an error if it does not serve.
func (m *Member) Mode(ctx context.Context) (string, error) {
	text, err := m.FourLetterWord(ctx, "srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if mode, ok := strings.CutPrefix(strings.TrimSpace(line), "Mode: "); ok {
			return mode, nil
		}
	}
	return "", fmt.Errorf("member %d does not serve: %q", m.id, text)
}

// FourLetterWord sends word to the client port and returns the whole answer.
func (m *Member) FourLetterWord(ctx context.Context, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp4", m.Addr())
	if err != nil {
		return "", err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(c, word); err != nil {
		return "", fmt.Errorf("send %s: %w", word, err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		return "", fmt.Errorf("read answer to %s: %w", word, err)
	}
	return string(b), nil
}

// Monitor returns the answer to mntr as a map from key, without its zk_ prefix, to value.
func (m *Member) Monitor(ctx context.Context) (map[string]string, error) {
	text, err := m.FourLetterWord(ctx, "mntr")
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			values[strings.TrimPrefix(key, "zk_")] = value
		}
	}
	return values, nil
}
