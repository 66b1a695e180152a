package partition

import (
	"errors"
	"fmt"
)

func (l *Log) isClosed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed
}

// shut closes the log's files for ever. l.flushing and l.writing are held, or nobody else has the log.
func (l *Log) shut() error {
	l.mu.Lock()
	l.closed = true
	segments := l.segments
	l.mu.Unlock()
	err := ErrClosed
	l.failure.CompareAndSwap(nil, &err)
	l.tail.reset()
	var errs []error
	for _, s := range segments {
		errs = append(errs, s.retire())
	}
	return errors.Join(errs...)
}

// close makes all durable that the next start needs in order to begin where this one ends, and shuts the log.
func (l *Log) close() error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.isClosed() {
		return nil
	}
	err := l.Err()
	if err == nil {
		err = l.settle()
	}
	err = errors.Join(err, l.shut())
	l.tell(ErrClosed)
	if err != nil {
		return fmt.Errorf("close log %s: %w", l.name, err)
	}
	return nil
}

// settle writes the indexes and the producers' state, and flushes.
func (l *Log) settle() error {
	if err := l.active().seal(true); err != nil {
		return err
	}
	l.mu.Lock()
	l.snapshots = append(l.snapshots, pendingSnapshot{l.end.Load(), encodeSnapshot(&l.producers)})
	l.mu.Unlock()
	return l.flushLocked()
}

func (l *Log) writeSnapshot(p pendingSnapshot) error {
	return l.fs.replace(l.file(offsetName(p.offset, suffixSnapshot)), p.bytes)
}
