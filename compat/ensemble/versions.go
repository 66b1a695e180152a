package ensemble

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoHistory: the checkout does not have the commit that was to be built.
var ErrNoHistory = errors.New("the commit is not in this checkout: fetch its history with 'git fetch --unshallow'")

// BuildHoltAt builds cmd/holt as it was at a commit of this repository into the cache directory, unless it is
// there, and returns its path. ErrNoHistory, if the checkout is a shallow one or none of git.
func BuildHoltAt(ctx context.Context, commit string) (string, error) {
	return buildAside(ctx, "holt-"+commit, func(path string) error {
		root, err := moduleRoot()
		if err != nil {
			return err
		}
		if err := exec.CommandContext(ctx, "git", "-C", root, "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
			return fmt.Errorf("commit %s: %w", commit, ErrNoHistory)
		}
		files, err := exec.CommandContext(ctx, "git", "-C", root, "archive", commit).Output()
		if err != nil {
			return fmt.Errorf("git archive %s: %w", commit, err)
		}
		dir, err := os.MkdirTemp("", "holt-"+commit+"-")
		if err != nil {
			return err
		}
		err = unpack(bytes.NewReader(files), dir)
		if err == nil {
			err = goBuild(ctx, dir, path)
		}
		return errors.Join(err, os.RemoveAll(dir))
	})
}

// BuildHoltTagged builds cmd/holt of the working tree with a build tag into the cache directory and returns its
// path.
func BuildHoltTagged(ctx context.Context, tag string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "holt-"+tag)
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	return path, goBuild(ctx, root, path, "-tags", tag)
}

// buildAside has build make a file of the cache directory, once.
func buildAside(ctx context.Context, name string, build func(path string) error) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, name)
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := build(path + ".new"); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}

func goBuild(ctx context.Context, dir, to string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", to}, flags...), "./cmd/holt")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/holt in %s: %w: %s", dir, err, out)
	}
	return nil
}

// unpack writes the files of a tar archive below dir.
func unpack(from io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read archive: %w", err)
		case h.Typeflag == tar.TypeDir:
			err = root.MkdirAll(filepath.Clean(h.Name), 0o755)
		case h.Typeflag == tar.TypeReg:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = root.WriteFile(filepath.Clean(h.Name), b, os.FileMode(h.Mode).Perm())
			}
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}
