package compare

import (
	"context"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/server"
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

// startProcess starts a server of its own for the test and returns it as a Side. settings are
// lines of zoo.cfg; those that begin with D: are properties of the JVM to the original.
func startProcess(t testing.TB, kind ensemble.Kind, name string, settings []string) *Side {
	t.Helper()
	return startEnsemble(t, kind, 1, name, settings)
}

// startEnsemble is startProcess for several members, to which the clients are dealt out in the
// order of their names.
func startEnsemble(t testing.TB, kind ensemble.Kind, members int, name string, settings []string) *Side {
	t.Helper()
	cfg := ensemble.Config{Kind: kind, Members: max(members, 1), Settings: baseSettings(),
		Properties: []string{"znode.container.checkIntervalMs=86400000"}, HeapMiB: 512}
	for _, s := range settings {
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
	addrs := e.Addrs()
	side := &Side{Name: name, Dial: dialer(addrs[0]), Sync: members > 1}
	if members > 1 {
		side.Dial = func(ctx context.Context, client string) (net.Conn, error) {
			h := fnv.New32()
			h.Write([]byte(client))
			return dialer(addrs[int(h.Sum32())%len(addrs)])(ctx, client)
		}
	}
	return side
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

// dialer returns a Side.Dial that always leads to addr.
func dialer(addr string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		return d.DialContext(ctx, "tcp4", addr)
	}
}

// startInside starts Holt within the test, with the same configuration file that startProcess would give
// the process.
func startInside(t testing.TB, settings []string) *Side {
	t.Helper()
	dir := t.TempDir()
	lines := []string{
		"dataDir=" + filepath.Join(dir, "data"), "clientPort=2181", "clientPortAddress=127.0.0.1", "4lw.commands.whitelist=*",
		"znode.container.checkIntervalMs=86400000",
	}
	lines = append(lines, baseSettings()...)
	for _, s := range settings {
		lines = append(lines, strings.TrimPrefix(s, "D:"))
	}
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := zoocfg.Read(path, zoocfg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	read.Config.ClientAddr = "127.0.0.1:0" // whatever port is free
	s, err := server.Start(read.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case <-t.Context().Done():
		t.Fatal("not ready")
	}
	return &Side{Name: "holt", Dial: dialer(s.ClientAddr().String())}
}
