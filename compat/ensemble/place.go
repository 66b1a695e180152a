package ensemble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// moduleRoot returns the directory of go.mod, searched upward from the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory: run from a checkout")
		}
		dir = parent
	}
}

// CacheDir returns compat/.cache of this checkout, created if need be.
func CacheDir() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "compat", ".cache")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	return dir, nil
}

// lockFile takes an exclusive lock that other processes of this package respect, so that test
// binaries running side by side install a program once.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// FreePorts returns n ports of 127.0.0.1 that nothing listens on. They lie below 32768, where
// the kernel takes no port for an outgoing connection, so they stay free while a member is down.
func FreePorts(n int) ([]int, error) {
	const low, high = 12000, 32000
	var ports []int
	taken := make(map[int]bool)
	for try := 0; len(ports) < n; try++ {
		if try > 1000 {
			return nil, fmt.Errorf("no %d free ports between %d and %d", n, low, high)
		}
		port := low + rand.IntN(high-low)
		if taken[port] {
			continue
		}
		taken[port] = true
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
