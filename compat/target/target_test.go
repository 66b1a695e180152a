package target

import (
	"testing"

	"holt/compat/ensemble"
)

// TestEnsembleLifecycle starts three members, kills the leader, sees another one lead, and
// brings the first one back.
func TestEnsembleLifecycle(t *testing.T) {
	e := Start(t, ensemble.Config{Members: 3})
	first := Leader(t, e)
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if first.Running() || len(e.PIDs()) != 2 {
		t.Fatalf("after kill: running %v, pids %v", first.Running(), e.PIDs())
	}
	if second := Leader(t, e); second == first {
		t.Fatal("a killed member still leads")
	}
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range e.Members() {
		values, err := m.Monitor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if values["znode_count"] != "5" {
			t.Errorf("member %d counts %q nodes, want 5", m.ID(), values["znode_count"])
		}
	}
}

// TestStandalone starts one member, asks its mode, and stops it in order.
func TestStandalone(t *testing.T) {
	e := Start(t, ensemble.Config{})
	m := e.Members()[0]
	if mode, err := m.Mode(t.Context()); err != nil || mode != "standalone" {
		t.Fatalf("mode = %q, %v", mode, err)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}
