package compare

import (
	"context"
	"net"
	"strings"
	"testing"

	"holt/compat/ensemble"
)

// superPassword is the password of user super on every server that is started here.
const superPassword = "super:secret"

// baseSettings are lines of zoo.cfg of both servers. The superDigest is that of superPassword.
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
	cfg := ensemble.Config{Kind: kind, Settings: baseSettings(), Properties: []string{"znode.container.checkIntervalMs=86400000"}, HeapMiB: 512}
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
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Side{Name: name, Dial: dialer(e.Members()[0].Addr())}
}

// dialer returns a Side.Dial that always leads to addr.
func dialer(addr string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		return d.DialContext(ctx, "tcp4", addr)
	}
}

// startInside starts Holt within the test.
func startInside(t testing.TB, settings []string) *Side {
	t.Skip("no server yet")
	return nil
}
