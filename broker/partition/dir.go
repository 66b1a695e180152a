package partition

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Dir is one entry of log.dirs: the logs in one directory, what they share, and
// the goroutines that look after them. Any number of goroutines may use it.
type Dir struct {
	path    string
	fs      disk
	options Options
	lock    io.Closer
	tails   tailPool
	flusher flusher

	failure atomic.Pointer[error]
	failing sync.WaitGroup // the goroutine of Options.Failed

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	keepers sync.WaitGroup

	// mu guards what follows; it comes after all locks of a log.
	mu     sync.Mutex
	meta   Meta
	logs   map[Name]*Log
	doomed []doomed
	closed bool

	checkpoints checkpoints
}

// doomed is a file or a directory that is removed when it is due.
type doomed struct {
	path string
	due  time.Time
}

// Open opens a directory, which is made if need be, and all logs in it. After a
// crash it looks at all that was not flushed and cuts off what is torn; a
// *DamageError says that a log has damage that no crash explains. Nobody else may
// have the directory open.
func Open(path string, o Options) (_ *Dir, err error) {
	o = o.withDefaults()
	d := &Dir{path: path, fs: disk{o.FS}, options: o, logs: make(map[Name]*Log)}
	d.tails.max = o.TailBytes
	d.flusher.init()
	d.ctx, d.cancel = context.WithCancel(context.Background())
	if err := d.fs.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make log directory %s: %w", path, err)
	}
	if err := d.fs.syncDir(d.fs.PathDir(path)); err != nil { // its own name, if it is new
		return nil, err
	}
	d.lock, err = d.fs.Lock(d.fs.PathJoin(path, fileLock))
	if err != nil {
		return nil, fmt.Errorf("lock log directory %s, which another process may have open: %w", path, err)
	}
	defer func() {
		if err != nil {
			d.cancel()
			err = errors.Join(err, d.lock.Close())
		}
	}()
	if d.meta, err = ReadMeta(o.FS, path); err != nil {
		return nil, err
	}
	if err := d.checkpoints.read(d); err != nil {
		return nil, err
	}
	if err := d.openLogs(); err != nil {
		return nil, err
	}
	d.flusher.start(flushWorkers)
	for _, l := range d.Logs() {
		d.flusher.harden(l)
	}
	d.keepers.Go(d.keep)
	if !o.CleanerOff {
		d.keepers.Go(d.clean)
	}
	return d, nil
}

// Usage returns how large the file system of the directory is and how much of it the process may still
// take, in bytes; -1 for what the system does not tell.
func (d *Dir) Usage() (total, usable int64) {
	u, err := d.fs.GetDiskUsage(d.path)
	if err != nil {
		return -1, -1 // asked for by people; a disk that fails is noticed when it is written to
	}
	return int64(min(u.TotalBytes, math.MaxInt64)), int64(min(u.AvailBytes, math.MaxInt64))
}

// openLogs opens what is in the directory.
func (d *Dir) openLogs() error {
	marker := d.fs.PathJoin(d.path, fileCleanShutdown)
	_, err := d.fs.Stat(marker)
	if err != nil && !missing(err) {
		return fmt.Errorf("stat %s: %w", marker, err)
	}
	clean := err == nil
	names, err := d.fs.List(d.path)
	if err != nil {
		return fmt.Errorf("list log directory %s: %w", d.path, err)
	}
	slices.Sort(names)
	var found []Name
	for _, name := range names {
		switch n, ok := parseName(name); {
		case strings.HasSuffix(name, dirDeleted):
			d.doom(d.fs.PathJoin(d.path, name), 0)
		case strings.HasSuffix(name, dirFuture), strings.HasSuffix(name, dirStray):
			d.options.Logger.Warn("log is left alone", zap.String("path", d.fs.PathJoin(d.path, name)))
		case ok:
			if st, err := d.fs.Stat(d.fs.PathJoin(d.path, name)); err != nil {
				return fmt.Errorf("stat %s: %w", d.fs.PathJoin(d.path, name), err)
			} else if st.IsDir() {
				found = append(found, n)
			}
		}
	}
	if err := d.loadAll(found, clean); err != nil {
		return err
	}
	if err := d.checkpoints.dropAbsent(d); err != nil {
		return err
	}
	// From now on files change. Not earlier: an open that fails leaves the marker.
	if err := d.fs.remove(marker); err != nil {
		return err
	}
	return d.fs.syncDir(d.path)
}

// loadAll opens logs, several at a time.
func (d *Dir) loadAll(found []Name, clean bool) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
		next = make(chan Name)
	)
	for range min(d.options.RecoveryThreads, len(found)) {
		wg.Go(func() {
			for n := range next {
				l, err := d.load(n, clean)
				mu.Lock()
				if err != nil {
					errs = append(errs, fmt.Errorf("open log %s: %w", n, err))
				} else {
					d.logs[n] = l
				}
				mu.Unlock()
			}
		})
	}
	for _, n := range found {
		next <- n
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// FlushOnAck returns Options.FlushOnAck.
func (d *Dir) FlushOnAck() bool { return d.options.FlushOnAck }

// Logs returns the open logs, by name.
func (d *Dir) Logs() []*Log {
	d.mu.Lock()
	all := make([]*Log, 0, len(d.logs))
	for _, l := range d.logs {
		all = append(all, l)
	}
	d.mu.Unlock()
	slices.SortFunc(all, func(a, b *Log) int { return a.name.compare(b.name) })
	return all
}

// Len returns how many logs are open.
func (d *Dir) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.logs)
}

// Log returns an open log, or nil.
func (d *Dir) Log(n Name) *Log {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logs[n]
}

// Create makes the log of a partition, which begins at offset 0, and returns it:
// ErrExists if there is one. The log's name is durable afterwards.
func (d *Dir) Create(n Name, id [16]byte, c Config) (*Log, error) {
	if err := d.Err(); err != nil {
		return nil, err
	}
	if d.Log(n) != nil {
		return nil, fmt.Errorf("create log %s: %w", n, ErrExists)
	}
	// An earlier log of that name must not lend this one its offsets.
	if err := d.checkpoints.forget(d, n); err != nil {
		return nil, d.fail(err)
	}
	l, err := d.make(n, id, c)
	if err != nil {
		return nil, d.fail(fmt.Errorf("create log %s: %w", n, err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return nil, errors.Join(ErrClosed, l.shut())
	case d.logs[n] != nil:
		return nil, fmt.Errorf("create log %s: %w", n, ErrExists)
	}
	d.logs[n] = l
	return l, nil
}

// Delete ends a log: whatever uses it from now on gets ErrClosed, but for slices
// that were read before. Its directory gets another name, durably, and is
// removed after file.delete.delay.ms.
func (d *Dir) Delete(l *Log) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.isClosed() {
		return ErrClosed
	}
	d.mu.Lock()
	delete(d.logs, l.name)
	d.mu.Unlock()
	err := l.shut()
	l.tell(ErrClosed)
	to := d.fs.PathJoin(d.path, deletedDirName(l.name))
	if err == nil {
		err = d.fs.Rename(l.path, to)
	}
	if err == nil {
		err = d.fs.syncDir(d.path)
	}
	if err != nil {
		return d.fail(fmt.Errorf("delete log %s: %w", l.name, err))
	}
	d.doom(to, time.Duration(l.Config().FileDeleteDelayMillis)*time.Millisecond)
	return nil
}

// Err returns why nothing can be written to any log, as a *FailedError, or nil.
func (d *Dir) Err() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail makes the directory fail and returns the error that everybody gets.
func (d *Dir) fail(err error) error {
	if errors.Is(err, ErrClosed) {
		return err
	}
	var failed error = &FailedError{Dir: d.path, Err: err}
	if !d.failure.CompareAndSwap(nil, &failed) {
		return d.Err()
	}
	d.options.Logger.Error("log directory has failed", zap.String("path", d.path), zap.Error(err))
	if d.options.Failed != nil {
		d.failing.Go(func() { d.options.Failed(d, failed) })
	}
	for _, l := range d.Logs() {
		l.tell(failed)
	}
	return failed
}

// Close flushes all logs, says that it did so, and ends everything. The first
// call returns what went wrong, and the next start recovers then; it waits for
// the goroutine of Options.Failed too, so do not call it from there.
func (d *Dir) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.keepers.Wait()
	d.flusher.stop()
	var errs []error
	for _, l := range d.Logs() {
		errs = append(errs, l.close())
	}
	d.failing.Wait()
	errs = append(errs, d.Err())
	if errors.Join(errs...) == nil {
		errs = append(errs, d.markClean())
	}
	return errors.Join(append(errs, d.lock.Close())...)
}

// markClean says that all logs are as their checkpoints have them.
func (d *Dir) markClean() error {
	if err := d.checkpoints.writeAll(d); err != nil {
		return err
	}
	if err := d.fs.replace(d.fs.PathJoin(d.path, fileCleanShutdown), []byte(`{"version":0}`)); err != nil {
		return err
	}
	return d.fs.syncDir(d.path)
}

// doom has a file or directory removed after a while.
func (d *Dir) doom(path string, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doomed = append(d.doomed, doomed{path, time.Now().Add(after)})
}

// reap removes what is due.
func (d *Dir) reap() error {
	now := time.Now()
	var due []doomed
	d.mu.Lock()
	d.doomed = slices.DeleteFunc(d.doomed, func(x doomed) bool {
		if x.due.After(now) {
			return false
		}
		due = append(due, x)
		return true
	})
	d.mu.Unlock()
	var errs []error
	for _, x := range due {
		if err := d.fs.RemoveAll(x.path); err != nil && !missing(err) {
			errs = append(errs, fmt.Errorf("remove %s: %w", x.path, err))
		}
	}
	return errors.Join(errs...)
}
