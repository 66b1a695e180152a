package quorumtest

import (
	"errors"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// faultyDisk has a disk fail, as an errorfs.Injector.
type faultyDisk struct {
	mu     sync.Mutex
	armed  bool
	left   int // operations that still succeed
	failed bool
}

var errDisk = errors.New("disk error, simulated")

func (d *faultyDisk) String() string { return "faulty disk" }

// MaybeError implements errorfs.Injector. Removing files does not count: Pebble
// does it in the background, at no time that repeats.
func (d *faultyDisk) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed {
		return errDisk
	}
	if !d.armed || op.Kind == errorfs.OpRemove || op.Kind == errorfs.OpRemoveAll {
		return nil
	}
	if d.left--; d.left < 0 {
		d.failed = true
		return errDisk
	}
	return nil
}

// failAfter has the disk fail after n more writing operations.
func (d *faultyDisk) failAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.left = true, n
}

// mend takes failAfter back and reports whether the disk has failed already.
func (d *faultyDisk) mend() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = false
	return d.failed
}

func (d *faultyDisk) hasFailed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// isArmed: the disk has failed, or is going to.
func (d *faultyDisk) isArmed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.armed || d.failed
}

// try does a job that may use the disk. If the disk fails, Pebble may end the
// goroutine, or never let it go on; and a failure of its work in the background
// ends the member, too.
func (n *node) try(job func() error) (err error) {
	if !n.faulty.isArmed() {
		return job()
	}
	done := make(chan error, 1)
	go func() {
		err := errDisk // if the goroutine is ended
		defer func() {
			if v := recover(); v != nil {
				panicked, ok := v.(violation)
				if !ok {
					panic(v)
				}
				err = panicked
			}
			done <- err
		}()
		err = job()
	}()
	select {
	case err = <-done:
	case <-n.log.Failed():
		err = errDisk
	}
	var broken violation
	if errors.As(err, &broken) {
		panic(broken)
	}
	if n.faulty.hasFailed() {
		err = errDisk
	}
	return err
}

// abandon closes what belongs to a disk that has failed, as far as that ends.
func abandon(closers ...io.Closer) {
	for _, c := range closers {
		go c.Close()
	}
}
