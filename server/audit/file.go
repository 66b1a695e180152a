package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// FileConfig names a file and says when it is put aside.
type FileConfig struct {
	// Path is that of the file that is written; it is appended to.
	Path string
	// BytesMax is the size past which it becomes Path.1, that Path.2, and so on; default 10 MB.
	BytesMax int64
	// Kept is how many of these there may be; default 10.
	Kept int
}

// file is a Sink that rolls over by size, as the original's usual appender does. Lines are
// handed to the system and not synced: a power failure may lose the last.
//
//	audit.log ─▶ audit.log.1 ─▶ … ─▶ audit.log.10 ─▶ removed
type file struct {
	cfg  FileConfig
	f    *os.File
	size int64
}

// OpenFile opens the file or makes it, readable by its owner and group alone.
func OpenFile(cfg FileConfig) (Sink, error) {
	if cfg.BytesMax == 0 {
		cfg.BytesMax = 10 << 20
	}
	if cfg.Kept == 0 {
		cfg.Kept = 10
	}
	f := &file{cfg: cfg}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return f, nil
}

func (f *file) open() error {
	opened, err := os.OpenFile(f.cfg.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.f, f.size = opened, info.Size()
	return nil
}

func (f *file) Write(lines []byte) error {
	if f.f == nil { // rolling over failed: it is tried again
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.size > 0 && f.size+int64(len(lines)) > f.cfg.BytesMax {
		if err := f.roll(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(lines)
	f.size += int64(n)
	return err
}

func (f *file) roll() error {
	err := f.f.Close()
	f.f = nil
	if err != nil {
		return err
	}
	for i := f.cfg.Kept; i >= 1; i-- {
		from := f.cfg.Path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		if err := os.Rename(from, f.cfg.Path+"."+strconv.Itoa(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.open()
}

func (f *file) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
