package partition

import (
	"errors"
	"fmt"
	"maps"
	"sync"
)

// kind is one of the checkpoint files of a directory.
type kind int

const (
	kindRecovery kind = iota
	kindStart
	kindHighWatermark
	kindCleaner
	kinds
)

func (k kind) file() string {
	return [...]string{fileRecovery, fileLogStart, fileHighWatermark, fileCleaner}[k]
}

// of returns what a log has for the file; false: nothing.
func (k kind) of(l *Log) (int64, bool) {
	switch k {
	case kindRecovery:
		return l.recovery.Load(), true
	case kindStart:
		start := l.start.Load()
		return start, start > l.view()[0].base // where it says no more than the files, as Kafka does
	case kindHighWatermark:
		return l.highWatermark.Load(), true
	}
	cleaned := l.cleaned.Load()
	return cleaned, cleaned > 0
}

// checkpoints are the files of a directory that have one offset for each log.
type checkpoints struct {
	mu     sync.Mutex // held during writes; comes after all locks of a log
	onDisk [kinds]offsets
}

// read reads what is there; a file that is not stands for no offsets.
func (c *checkpoints) read(d *Dir) error {
	for k := range kinds {
		name := d.fs.PathJoin(d.path, k.file())
		b, err := d.fs.read(name)
		if missing(err) {
			c.onDisk[k] = offsets{}
			continue
		}
		if err == nil {
			c.onDisk[k], err = decodeOffsets(b)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return nil
}

// get returns what the file has for a log, or otherwise.
func (c *checkpoints) get(k kind, n Name, otherwise int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.onDisk[k][n]; ok {
		return v
	}
	return otherwise
}

// write writes a file anew unless it is as it should be.
func (c *checkpoints) write(d *Dir, k kind) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := make(offsets)
	for _, l := range d.Logs() {
		if v, ok := k.of(l); ok {
			now[l.name] = v
		}
	}
	return c.replaceLocked(d, k, now)
}

func (c *checkpoints) replaceLocked(d *Dir, k kind, now offsets) error {
	if maps.Equal(now, c.onDisk[k]) {
		return nil
	}
	if err := d.fs.replace(d.fs.PathJoin(d.path, k.file()), now.encode()); err != nil {
		return err
	}
	if err := d.fs.syncDir(d.path); err != nil {
		return err
	}
	c.onDisk[k] = now
	return nil
}

func (c *checkpoints) writeAll(d *Dir) error {
	var errs []error
	for k := range kinds {
		errs = append(errs, c.write(d, k))
	}
	return errors.Join(errs...)
}

// lower makes sure that a file has no more for a log than offset.
func (c *checkpoints) lower(d *Dir, k kind, n Name, offset int64) error {
	return c.change(d, k, func(o offsets) {
		if v, ok := o[n]; ok && v > offset {
			o[n] = offset
		}
	})
}

// set makes a file have offset for a log.
func (c *checkpoints) set(d *Dir, k kind, n Name, offset int64) error {
	return c.change(d, k, func(o offsets) { o[n] = offset })
}

// forget makes sure that no file has anything for n.
func (c *checkpoints) forget(d *Dir, n Name) error {
	for k := range kinds {
		if err := c.change(d, k, func(o offsets) { delete(o, n) }); err != nil {
			return err
		}
	}
	return nil
}

// dropAbsent makes the files have nothing for logs that are not there.
func (c *checkpoints) dropAbsent(d *Dir) error {
	for k := range kinds {
		if err := c.change(d, k, func(o offsets) {
			maps.DeleteFunc(o, func(n Name, _ int64) bool { return d.Log(n) == nil })
		}); err != nil {
			return err
		}
	}
	return nil
}

func (c *checkpoints) change(d *Dir, k kind, f func(offsets)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := maps.Clone(c.onDisk[k])
	f(now)
	return c.replaceLocked(d, k, now)
}
