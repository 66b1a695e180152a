package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// startMax is how long the program may take from its start to the end of a command
// that asks a server.
const startMax = 50 * time.Millisecond

// TestStartIsQuick looks at the best of several runs, which a busy machine does not spoil.
func TestStartIsQuick(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zkcli")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	address := startServer(t)
	best := time.Hour
	for range 10 {
		begin := time.Now()
		if out, err := exec.CommandContext(t.Context(), file, "-server", address, "ls", "/").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		best = min(best, time.Since(begin))
	}
	t.Logf("best of ten: %v", best)
	if best > startMax {
		t.Errorf("best of ten runs took %v, want at most %v", best, startMax)
	}
}
