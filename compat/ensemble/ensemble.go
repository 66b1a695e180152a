package ensemble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config says what ensemble to start. Only Kind is required.
type Config struct {
	Kind Kind
	// Members is their number; 0 means 1, which is a standalone server.
	Members int
	// Dir holds everything the members write. Empty means a temporary directory that Close
	// removes.
	Dir string
	// DataDir overrides the data directory of member id (tests put one on a small disk).
	DataDir func(id int) string
	// Settings are further lines of every member's zoo.cfg; they win over the defaults.
	Settings []string
	// Properties are settings, name=value, that the original takes as properties of its JVM
	// only (znode.container.checkIntervalMs, jute.maxbuffer); Holt reads them in zoo.cfg.
	Properties []string
	// Observers is how many of the members, the last ones, do not vote.
	Observers int
	// Operators opens an AdminServer for each member, Metrics a Prometheus page, on ports of
	// their own.
	Operators, Metrics bool
	// Secure opens a port for TLS for each member. The stores are for Settings to name.
	Secure bool
	// Reconfigurable has the server lines tell role and client port, as a reconfig wants them, and
	// turns reconfiguration on.
	Reconfigurable bool
	// HeapMiB bounds the heap of a member that has such a bound (Java); 0 means 1000.
	HeapMiB int
}

// Ensemble is a set of member processes that Close ends.
type Ensemble struct {
	cfg     Config
	prog    program
	members []*Member
	ownDir  bool // Dir is ours to remove
}

// readyTimeout bounds the time from the start of all members until each one serves.
const readyTimeout = 60 * time.Second

// New lays out the directories of an ensemble and obtains its program. No process runs yet.
func New(ctx context.Context, cfg Config) (*Ensemble, error) {
	if cfg.Members == 0 {
		cfg.Members = 1
	}
	prog, err := cfg.Kind.load(ctx)
	if err != nil {
		return nil, err
	}
	e := &Ensemble{cfg: cfg, prog: prog}
	if cfg.Dir == "" {
		if e.cfg.Dir, err = os.MkdirTemp("", "ensemble-"); err != nil {
			return nil, err
		}
		e.ownDir = true
	}
	if err := e.layOut(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Start is New followed by starting every member and waiting until each one serves.
func Start(ctx context.Context, cfg Config) (*Ensemble, error) {
	e, err := New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := e.StartAll(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// StartAll starts the members that do not run and waits until every member serves.
func (e *Ensemble) StartAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, m := range e.members {
		if m.Running() {
			continue
		}
		if err := m.Start(); err != nil {
			return err
		}
	}
	for _, m := range e.members {
		if err := m.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Members returns the members, in the order of their ids, which begin at 1.
func (e *Ensemble) Members() []*Member { return e.members }

// Addrs returns the client addresses of all members.
func (e *Ensemble) Addrs() []string {
	var addrs []string
	for _, m := range e.members {
		addrs = append(addrs, m.Addr())
	}
	return addrs
}

// PIDs returns the process ids of the members that run.
func (e *Ensemble) PIDs() []int {
	var pids []int
	for _, m := range e.members {
		if m.Running() {
			pids = append(pids, m.PID())
		}
	}
	return pids
}

// Leader returns the member that says it leads (or is standalone), asking until one does or
// ctx ends.
func (e *Ensemble) Leader(ctx context.Context) (*Member, error) {
	for {
		for _, m := range e.members {
			if !m.Running() {
				continue
			}
			if mode, err := m.Mode(ctx); err == nil && (mode == "leader" || mode == "standalone") {
				return m, nil
			}
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("no member leads: %w", err)
		}
	}
}

// Close kills the members that still run and removes a temporary directory. It may be called
// twice.
func (e *Ensemble) Close() error {
	var errs []error
	for _, m := range e.members {
		if m.Running() {
			errs = append(errs, m.Kill())
		}
	}
	if e.ownDir {
		errs = append(errs, os.RemoveAll(e.cfg.Dir))
	}
	return errors.Join(errs...)
}

// layOut writes each member's zoo.cfg and myid.
func (e *Ensemble) layOut() error {
	ports, err := FreePorts(portsPerMember * e.cfg.Members)
	if err != nil {
		return err
	}
	for i := range e.cfg.Members {
		e.members = append(e.members, e.member(i+1, ports[portsPerMember*i:]))
	}
	for _, m := range e.members {
		if err := e.write(m, e.members); err != nil {
			return err
		}
	}
	return nil
}

// furtherPorts returns the settings that open the ports which not every ensemble has.
func (m *Member) furtherPorts(cfg *Config, admin, metrics, secure int) (settings []string) {
	if cfg.Secure {
		m.securePort = secure
		settings = append(settings, fmt.Sprintf("secureClientPort=%d", secure), "secureClientPortAddress=127.0.0.1",
			"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory") // the original's other one has no TLS
	}
	if cfg.Operators {
		m.adminPort = admin
		settings = append(settings, "admin.enableServer=true", "admin.serverAddress=127.0.0.1", fmt.Sprintf("admin.serverPort=%d", admin))
	}
	if cfg.Metrics {
		m.metricsPort = metrics
		settings = append(settings, "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
			"metricsProvider.httpHost=127.0.0.1", fmt.Sprintf("metricsProvider.httpPort=%d", metrics))
	}
	return settings
}

const portsPerMember = 6 // client, quorum, election, AdminServer's, metrics' port and the clients' one for TLS

func (e *Ensemble) member(id int, ports []int) *Member {
	m := &Member{
		id: id, port: ports[0], prog: e.prog, heapMiB: e.cfg.HeapMiB, properties: e.cfg.Properties,
		dir: filepath.Join(e.cfg.Dir, fmt.Sprint(id)), reconfigurable: e.cfg.Reconfigurable,
	}
	m.Spec = fmt.Sprintf("127.0.0.1:%d:%d", ports[1], ports[2])
	observer := id <= e.cfg.Members && id > e.cfg.Members-e.cfg.Observers
	switch {
	case observer:
		m.Spec += ":observer"
	case e.cfg.Reconfigurable:
		m.Spec += ":participant"
	}
	if e.cfg.Reconfigurable {
		m.Spec += fmt.Sprintf(";127.0.0.1:%d", m.port)
	}
	m.settings = m.furtherPorts(&e.cfg, ports[3], ports[4], ports[5])
	if observer {
		m.settings = append(m.settings, "peerType=observer")
	}
	m.dataDir = filepath.Join(m.dir, "data")
	if e.cfg.DataDir != nil {
		m.dataDir = e.cfg.DataDir(m.id)
	}
	return m
}

// write writes the files of a member that knows of others.
func (e *Ensemble) write(m *Member, known []*Member) error {
	var servers []string
	if len(known) > 1 {
		for _, k := range known {
			servers = append(servers, fmt.Sprintf("server.%d=%s", k.id, k.Spec))
		}
	}
	settings := slices.Concat(e.prog.settings(e.cfg.Properties), m.settings, e.cfg.Settings, servers)
	if e.cfg.Reconfigurable {
		settings = append([]string{"reconfigEnabled=true"}, settings...)
	}
	return m.layOut(settings)
}

// Newcomer lays out a further member, whose configuration lists it besides known. It is not
// started.
func (e *Ensemble) Newcomer(known []*Member) (*Member, error) {
	ports, err := FreePorts(portsPerMember)
	if err != nil {
		return nil, err
	}
	m := e.member(len(e.members)+1, ports)
	if err := e.write(m, append(slices.Clone(known), m)); err != nil {
		return nil, err
	}
	e.members = append(e.members, m)
	return m, nil
}

// Wipe removes what a member that does not run has written, and writes its configuration anew, with
// known.
func (e *Ensemble) Wipe(m *Member, known []*Member) error {
	if m.Running() {
		return fmt.Errorf("wipe %s: it runs", m.name())
	}
	if err := os.RemoveAll(m.dataDir); err != nil {
		return err
	}
	if !slices.Contains(known, m) {
		known = append(slices.Clone(known), m)
	}
	return e.write(m, known)
}

// layOut writes the member's files; settings override the defaults given here.
func (m *Member) layOut(settings []string) error {
	if err := os.MkdirAll(m.dataDir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	lines := []string{
		"tickTime=2000", "initLimit=10", "syncLimit=5",
		"dataDir=" + m.dataDir,
		"maxClientCnxns=0", "4lw.commands.whitelist=*",
	}
	if !m.reconfigurable {
		lines = append(lines, fmt.Sprintf("clientPort=%d", m.port), "clientPortAddress=127.0.0.1")
	}
	lines = override(lines, settings)
	if err := os.WriteFile(m.cfgPath(), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dataDir, "myid"), []byte(fmt.Sprintln(m.id)), 0o644)
}

// override returns lines with those of later added, each later one replacing an earlier one of
// the same key.
func override(lines, later []string) []string {
	at := make(map[string]int)
	var out []string
	for _, line := range append(lines, later...) {
		key, _, _ := strings.Cut(line, "=")
		if i, ok := at[key]; ok {
			out[i] = line
			continue
		}
		at[key] = len(out)
		out = append(out, line)
	}
	return out
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
