// Package target gives the suites of compat the servers they run against.
//
// A suite asks Start for an ensemble and gets real processes of the kind named
// by the flag -target: zookeeper or holt. Without the flag the test is skipped,
// so that a plain go test of the whole module stays quick and needs neither
// Java nor spare ports:
//
//	go test ./compat/clients -target=holt
//	go test ./compat/clients -target=zookeeper
//
// Require says what a suite needs besides Go, and installs it from Debian's
// packages where it may.
//
// Left out: servers inside the test's own process; those tests live beside the
// server.
package target

import (
	"flag"
	"os"
	"testing"

	"holt/compat/ensemble"
)

// name is the value of -target. It is a flag of the test binary, set once before any test runs.
var name = flag.String("target", "", "servers to test: zookeeper or holt; empty skips")

// Named reports whether a kind of server was named: a test that can do without processes asks.
func Named() bool { return *name != "" }

// Kind returns the kind of server under test, and skips the test when none was named.
func Kind(t testing.TB) ensemble.Kind {
	t.Helper()
	if *name == "" {
		t.Skip("needs server processes: give -target=holt or -target=zookeeper")
	}
	kind, err := ensemble.ParseKind(*name)
	if err != nil {
		t.Fatal(err)
	}
	return kind
}

// Start starts an ensemble of the kind under test, which ends with the test; cfg.Kind is set
// here. When the test fails, the end of each member's log is printed.
func Start(t testing.TB, cfg ensemble.Config) *ensemble.Ensemble {
	t.Helper()
	e := New(t, cfg)
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// New is Start without starting the processes.
func New(t testing.TB, cfg ensemble.Config) *ensemble.Ensemble {
	t.Helper()
	cfg.Kind = Kind(t)
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	e, err := ensemble.New(t.Context(), cfg)
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
	return e
}

// printLogs puts the last part of each member's log into the test's output: the directory is
// gone when somebody reads it.
func printLogs(t testing.TB, e *ensemble.Ensemble) {
	const most = 2000
	for _, m := range e.Members() {
		b, err := os.ReadFile(m.LogPath())
		if err != nil {
			continue // it never started
		}
		t.Logf("member %d, last of its log:\n%s", m.ID(), b[max(0, len(b)-most):])
	}
}

// Leader returns the member that leads e.
func Leader(t testing.TB, e *ensemble.Ensemble) *ensemble.Member {
	t.Helper()
	m, err := e.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}
