package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum/storage"
)

// foundingFile is in a data directory while Found works on it. A member does not
// start on it: it would begin with an empty tree, or half of one.
//
//	dataDir/founding       from before the first file until all are durable
//	dataDir/tree-1/        built meanwhile
//	dataDir/tree.current   names it; written last
const foundingFile = "founding"

// ErrInUse says that a data directory has a member's data already.
var ErrInUse = errors.New("the directory holds a member's data already")

// ErrNoData says that a directory has no member's data.
var ErrNoData = errors.New("no member's data")

// Found makes a data directory for a member that has not run yet, from a tree that build makes in
// the directory given to it, which does not exist and which build leaves closed. A
// crash at any point leaves a directory that a member refuses to start on, and that Found
// begins anew with, or the whole; an error leaves the directory as it was. logDir is where the member's
// log will be, "" for dataDir. The first member that starts on it needs the
// same tree on all others. ErrInUse if there is data.
func Found(fs vfs.FS, dataDir, logDir string, build func(treeDir string) error) error {
	if logDir == "" {
		logDir = dataDir
	}
	t := &treeState{fs: fs, dir: dataDir}
	if err := t.unused(logDir); err != nil {
		return err
	}
	if err := storage.MkdirAll(fs, dataDir); err != nil {
		return err
	}
	if err := replaceFile(fs, dataDir, foundingFile, []byte("an import or a restore has not ended: run it again\n")); err != nil {
		return err
	}
	err := errors.Join(fs.RemoveAll(t.path(1)), fs.RemoveAll(fs.PathJoin(dataDir, treeCurrentFile)))
	if err == nil {
		err = build(t.path(1))
	}
	if err == nil {
		err = syncDir(fs, dataDir)
	}
	if err != nil {
		undo := errors.Join(fs.RemoveAll(t.path(1)), fs.RemoveAll(fs.PathJoin(dataDir, foundingFile+".tmp")))
		if undo == nil {
			undo = fs.Remove(fs.PathJoin(dataDir, foundingFile))
		}
		return errors.Join(err, undo)
	}
	if err := t.writeCurrent(1); err != nil {
		return err
	}
	if err := fs.Remove(fs.PathJoin(dataDir, foundingFile)); err != nil {
		return err
	}
	return syncDir(fs, dataDir)
}

// unused returns ErrInUse if there is data that is not what a crash of Found left.
func (t *treeState) unused(logDir string) error {
	for _, name := range []string{t.fs.PathJoin(t.dir, treeCurrentFile), t.fs.PathJoin(logDir, "raft")} {
		if exists, err := fileExists(t.fs, name); err != nil {
			return err
		} else if !exists {
			continue
		}
		half, err := fileExists(t.fs, t.fs.PathJoin(t.dir, foundingFile))
		if err != nil {
			return err
		}
		if !half {
			return fmt.Errorf("%w: there is %s; take another directory, or remove it if it is not needed", ErrInUse, name)
		}
	}
	return nil
}

// refuseHalfFounded keeps a member from starting on what a crash of Found left.
func refuseHalfFounded(fs vfs.FS, dir string) error {
	half, err := fileExists(fs, fs.PathJoin(dir, foundingFile))
	if err != nil {
		return err
	}
	if half {
		return fmt.Errorf("%s holds half of an import or restore, which was interrupted: run it again, or remove the directory", dir)
	}
	return nil
}

func fileExists(fs vfs.FS, name string) (bool, error) {
	_, err := fs.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// TreeDir is the directory of the tree in a data directory whose member does not run.
func TreeDir(fs vfs.FS, dataDir string) (string, error) {
	if err := refuseHalfFounded(fs, dataDir); err != nil {
		return "", err
	}
	t := &treeState{fs: fs, dir: dataDir}
	number, err := t.readCurrent()
	if err != nil {
		return "", err
	}
	if number == 0 {
		return "", fmt.Errorf("%s holds %w: there is no %s", dataDir, ErrNoData, treeCurrentFile)
	}
	return t.path(number), nil
}
