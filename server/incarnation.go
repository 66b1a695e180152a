package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// incarnationFile holds the number of the latest run of this member.
const incarnationFile = "incarnation"

// nextIncarnation returns a number greater than that of any earlier run of this
// member, and has it on disk before it is used: commands of an older incarnation
// are ignored by the machine. It starts from the wall clock so that a member
// whose disk was replaced does not begin below its former self.
func (s *Server) nextIncarnation() (uint64, error) {
	fs := s.cfg.FS
	name := fs.PathJoin(s.cfg.DataDir, incarnationFile)
	last, err := readIncarnation(fs, name)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	next := max(last+1, uint64(s.now().UnixNano()))
	if err := replaceFile(fs, s.cfg.DataDir, incarnationFile, binary.BigEndian.AppendUint64(nil, next)); err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	return next, nil
}

func readIncarnation(fs vfs.FS, name string) (n uint64, err error) {
	f, err := fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%d bytes, want 8: the file is damaged; delete it if the clock is right", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
