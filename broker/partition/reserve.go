package partition

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A file system that allocates late, as ext4 and XFS do, reserves a block for each page that is written, and looks for
// its place when it writes back. Blocks that are there before the bytes spare it both, which is about a tenth of
// the processor time of three brokers under load.
const (
	reserveFrom = 1 << 20  // a segment smaller than that reserves nothing: there may be thousands
	reserveMax  = 32 << 20 // and none reserves more than that
)

// reserve has blocks allocated ahead for the active segment, which is about to hold end bytes and is going to hold
// limit at most. It asks for as many as it has, so that no file takes more than twice what is in it. The length of
// the file does not change. h is the segment's file.
//
// It is a favour: where the file system does not know it, or has no room, the segment does without. A write that
// has no room says so itself.
func (s *segment) reserve(h *handle, end, limit int64) {
	if end <= s.reserved || end < reserveFrom {
		return
	}
	to := min(end+min(end, reserveMax), limit)
	if to <= end {
		return
	}
	from := s.size.Load()
	if err := h.Preallocate(from, to-from); err != nil {
		to = math.MaxInt64
	}
	s.reserved = to
}

// unreserve gives back what was reserved and not used.
func (s *segment) unreserve() error {
	if s.reserved <= s.size.Load() {
		return nil
	}
	h, err := s.open()
	if err != nil {
		return err
	}
	s.reserved = 0
	return errors.Join(s.log.fs.trim(s.name(suffixLog), h, s.size.Load()), h.release())
}

// trim frees the blocks of a file behind its end, which is at size.
func (d disk) trim(name string, f vfs.File, size int64) error {
	if f.Fd() == vfs.InvalidFd {
		return nil // in memory: there are none
	}
	if err := syscall.Ftruncate(int(f.Fd()), size); err != nil {
		return fmt.Errorf("free the blocks behind %d in %s: %w", size, name, err)
	}
	return nil
}
