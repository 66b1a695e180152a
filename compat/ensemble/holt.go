package ensemble

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// holtBinary is a built holt command.
type holtBinary struct{ path string }

// BuildHolt builds cmd/holt of this module into the cache directory and returns its path.
func BuildHolt(ctx context.Context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "holt")
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/holt")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/holt: %w: %s", err, out)
	}
	return path, nil
}

func loadHolt(ctx context.Context) (program, error) {
	path, err := BuildHolt(ctx)
	if err != nil {
		return nil, err
	}
	return holtBinary{path}, nil
}

func (h holtBinary) command(cfgPath string, _ int, _ []string) *exec.Cmd {
	return exec.Command(h.path, "serve", cfgPath)
}

func (h holtBinary) settings(properties []string) []string {
	// All members would take the AdminServer's port.
	return append([]string{"admin.enableServer=false"}, properties...)
}
