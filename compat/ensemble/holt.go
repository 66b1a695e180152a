package ensemble

import (
	"context"
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
	return path, goBuild(ctx, root, path)
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
