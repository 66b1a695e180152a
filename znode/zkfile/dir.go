package zkfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"holt/wire"
)

// versionDir is where snapshots and logs are below a data directory.
const versionDir = "version-2"

// SnapshotName is the name of a snapshot that lacks nothing up to zxid.
func SnapshotName(zxid wire.Zxid, c Compression) string {
	return "snapshot." + strconv.FormatUint(uint64(zxid), 16) + c.suffix()
}

// LogName is the name of a log whose first transaction is zxid.
func LogName(zxid wire.Zxid) string { return "log." + strconv.FormatUint(uint64(zxid), 16) }

// File is a snapshot or log.
type File struct {
	Path string
	Zxid wire.Zxid // in the name
	Size int64
}

// Dir is what there is in a data directory.
type Dir struct {
	// Snapshots are the newest first, Logs the oldest.
	Snapshots, Logs []File
	// MyID is the server's id, 0 if there is no file myid.
	MyID uint64
	// CurrentEpoch and AcceptedEpoch are −1 if their files are not there.
	CurrentEpoch, AcceptedEpoch int64
}

// ErrNothing says that a directory holds no file of ZooKeeper's.
var ErrNothing = errors.New("there is neither a snapshot nor a transaction log")

// OpenDir lists the files in a data directory, or in its version-2. logDir is where the
// logs are, "" for the same place.
func OpenDir(dir, logDir string) (*Dir, error) {
	if logDir == "" {
		logDir = dir
	}
	d := &Dir{CurrentEpoch: -1, AcceptedEpoch: -1}
	var err error
	if d.Snapshots, err = list(dir, "snapshot"); err != nil {
		return nil, err
	}
	if d.Logs, err = list(logDir, "log"); err != nil {
		return nil, err
	}
	slices.SortFunc(d.Snapshots, func(a, b File) int { return cmp.Compare(b.Zxid, a.Zxid) })
	slices.SortFunc(d.Logs, func(a, b File) int { return cmp.Compare(a.Zxid, b.Zxid) })
	if len(d.Snapshots)+len(d.Logs) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNothing)
	}
	top := dir
	if filepath.Base(dir) == versionDir {
		top = filepath.Dir(dir)
	}
	id, err := readNumber(filepath.Join(top, "myid"))
	if err != nil {
		return nil, err
	}
	d.MyID = uint64(max(id, 0))
	if d.CurrentEpoch, err = readNumber(filepath.Join(versioned(dir), "currentEpoch")); err != nil {
		return nil, err
	}
	d.AcceptedEpoch, err = readNumber(filepath.Join(versioned(dir), "acceptedEpoch"))
	return d, err
}

// versioned is dir/version-2, or dir if that is it or there is none.
func versioned(dir string) string {
	if sub := filepath.Join(dir, versionDir); filepath.Base(dir) != versionDir {
		if info, err := os.Stat(sub); err == nil && info.IsDir() {
			return sub
		}
	}
	return dir
}

func list(dir, prefix string) ([]File, error) {
	dir = versioned(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, e := range entries {
		zxid, ok := zxidOfName(e.Name(), prefix)
		if !ok || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, File{filepath.Join(dir, e.Name()), zxid, info.Size()})
	}
	return files, nil
}

// zxidOfName reads "prefix.hex" with or without a suffix.
func zxidOfName(name, prefix string) (wire.Zxid, bool) {
	digits, ok := strings.CutPrefix(name, prefix+".")
	if !ok {
		return 0, false
	}
	digits, suffix, _ := strings.Cut(digits, ".")
	if c := Compression(suffix); c != Plain && c != Gzip && c != Snappy || prefix == "log" && c != Plain {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 16, 64)
	return wire.Zxid(v), err == nil
}

// readNumber reads a file of decimal text, −1 if there is none.
func readNumber(name string) (int64, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds %.40q, not a number", name, b)
	}
	return n, nil
}

// logsFrom are the logs in which transactions from zxid on may be: the last one that
// begins before it, and all later ones.
func (d *Dir) logsFrom(zxid wire.Zxid) []File {
	first := 0
	for i, f := range d.Logs {
		if f.Zxid < zxid {
			first = i
		}
	}
	return d.Logs[first:]
}
