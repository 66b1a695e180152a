package compare

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/quorum/simnet"
	"holt/server"
	"holt/server/admin"
	"holt/server/zoocfg"
)

// baseSettings are lines of zoo.cfg of both servers. The superDigest is that of super:secret.
func baseSettings() []string {
	return []string{
		"extendedTypesEnabled=true", "forceSync=no", "tickTime=2000", "maxClientCnxns=0",
		"DigestAuthenticationProvider.superDigest=super:" + superDigest,
	}
}

const superDigest = "lK75jTNcA+U9vtVEw5vB51mj/w4="

// layout says what server is to be started.
type layout struct {
	members  int           // of an ensemble; 0 or 1 is a server on its own
	settings []string      // lines of zoo.cfg; those that begin with D: are properties of the JVM to the original
	certs    *certificates // nil: no port for TLS
}

// startProcesses starts servers of their own for the test and returns them as a Side. To those of an
// ensemble the clients are dealt out in the order of their names.
func startProcesses(t testing.TB, kind ensemble.Kind, name string, l layout) *Side {
	t.Helper()
	members := max(l.members, 1)
	cfg := ensemble.Config{Kind: kind, Members: members, Settings: baseSettings(), Secure: l.certs != nil,
		Properties: []string{"znode.container.checkIntervalMs=86400000"}, HeapMiB: 512}
	if l.certs != nil {
		cfg.Settings = append(cfg.Settings, l.certs.settings()...)
	}
	for _, s := range l.settings {
		if property, ok := strings.CutPrefix(s, "D:"); ok {
			cfg.Properties = append(cfg.Properties, property)
		} else {
			cfg.Settings = append(cfg.Settings, s)
		}
	}
	cfg.Dir = t.TempDir()
	e, err := ensemble.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(t, e)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	ordered := leaderFirst(t, e)
	side := &Side{Name: name, Dial: roles(ordered, (*ensemble.Member).Addr)}
	if l.certs != nil {
		side.Secure = &Secure{Dial: roles(ordered, (*ensemble.Member).SecureAddr), Client: l.certs.client}
	}
	if members > 1 {
		side.Sync = true
		side.Lose = func(ctx context.Context, names ...string) error {
			// Killed, so that no leader hands over first: that would begin an epoch.
			return side.lose(ctx, len(ordered), names, func(i int) error { return ordered[i].Kill() })
		}
	}
	return side
}

// lose is Side.Lose for n members, the leader first, of which stop ends one.
func (s *Side) lose(ctx context.Context, n int, names []string, stop func(i int) error) error {
	gone := map[int]bool{}
	for _, name := range names {
		i := memberAt(name, n)
		if err := stop(i); err != nil {
			return err
		}
		gone[i] = true
	}
	for i, name := range memberNames {
		if i < n && !gone[i] {
			if err := s.awaitReadOnly(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// memberNames are the names of Side.Dial for particular members, the leader first.
var memberNames = [...]string{"leader", "follower", "follower2"}

// leaderFirst returns the members of an ensemble.
func leaderFirst(t testing.TB, e *ensemble.Ensemble) []*ensemble.Member {
	t.Helper()
	leader, err := e.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ordered := []*ensemble.Member{leader}
	for _, m := range e.Members() {
		if m != leader {
			ordered = append(ordered, m)
		}
	}
	return ordered
}

// roles returns a Side.Dial to the addresses addr of the members, the leader first. They must not
// elect another one.
func roles[T any](ordered []T, addr func(T) string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, member string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		return d.DialContext(ctx, "tcp4", addr(ordered[memberAt(member, len(ordered))]))
	}
}

// memberAt returns which of n members, the leader first, is meant by a name of Side.Dial.
func memberAt(name string, n int) int {
	if i := slices.Index(memberNames[:], name); i >= 0 {
		return i
	}
	h := fnv.New32()
	h.Write([]byte(name))
	return int(h.Sum32()) % n
}

// printLogs prints the end of each member's log: the directory is gone when somebody reads it.
func printLogs(t testing.TB, e *ensemble.Ensemble) {
	const most = 600
	for _, m := range e.Members() {
		if b, err := os.ReadFile(m.LogPath()); err == nil {
			t.Logf("%s: %s", m.LogPath(), b[max(0, len(b)-most):])
		}
	}
}

// startInside starts Holt within the test, with the same configuration file that startProcesses would give
// the processes.
func startInside(t testing.TB, l layout) *Side {
	t.Helper()
	members, settings := max(l.members, 1), l.settings
	if l.certs != nil {
		settings = append(append(l.certs.settings(), "secureClientPort=2281", "secureClientPortAddress=127.0.0.1"), settings...)
	}
	network := simnet.New(1)
	for id := range members {
		if members == 1 {
			break
		}
		// As long as 127.0.0.1 and the ports of processes: the configuration is part of the data.
		settings = append(settings, fmt.Sprintf("server.%d=member00%d:10001:10002", id+1, id+1))
	}
	var all []*server.Server
	hosts := map[*server.Server]string{}
	for id := range members {
		name := fmt.Sprintf("member00%d", id+1)
		var host *simnet.Host
		if members > 1 {
			host = network.Host(name)
		}
		s := startMember(t, id+1, settings, host)
		all, hosts[s] = append(all, s), name
	}
	for _, s := range all {
		awaitReady(t, s)
	}
	slices.SortStableFunc(all, func(a, b *server.Server) int { return cmp.Compare(place(a), place(b)) })
	side := &Side{Name: "holt", Sync: members > 1, Dial: roles(all, func(s *server.Server) string { return s.ClientAddr().String() })}
	if l.certs != nil {
		side.Secure = &Secure{Dial: roles(all, func(s *server.Server) string { return s.SecureClientAddr().String() }), Client: l.certs.client}
	}
	side.Lose = func(ctx context.Context, names ...string) error {
		// Cut off first, so that no leader hands over: that would begin an epoch.
		for _, name := range names {
			network.Isolate(hosts[all[memberAt(name, len(all))]])
		}
		return side.lose(ctx, len(all), names, func(i int) error { return all[i].Close() })
	}
	return side
}

// place sorts the leader first.
func place(s *server.Server) int {
	if s.Status().Mode == admin.Leader {
		return 0
	}
	return 1
}

func awaitReady(t testing.TB, s *server.Server) {
	t.Helper()
	select {
	case <-s.Ready():
	case <-t.Context().Done():
		t.Fatal("not ready")
	}
}

// startMember starts one member; host is where it meets the others.
func startMember(t testing.TB, id int, settings []string, host *simnet.Host) *server.Server {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	lines := []string{
		"dataDir=" + data, "clientPort=2181", "clientPortAddress=127.0.0.1", "4lw.commands.whitelist=*",
		"znode.container.checkIntervalMs=86400000", "initLimit=10", "syncLimit=5",
	}
	lines = append(lines, baseSettings()...)
	for _, s := range settings {
		lines = append(lines, strings.TrimPrefix(s, "D:"))
	}
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "myid"), fmt.Appendln(nil, id), 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := zoocfg.Read(path, zoocfg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := read.Config
	cfg.ClientAddr = "127.0.0.1:0" // whatever port is free
	if cfg.TLS.Addr != "" {
		cfg.TLS.Addr = cfg.ClientAddr
	}
	if host != nil {
		cfg.Dial = host.Dial
		cfg.Listen = func(addr string) (net.Listener, error) {
			if addr == cfg.ClientAddr {
				return net.Listen("tcp4", addr)
			}
			return host.Listen(addr)
		}
	}
	s, err := server.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
