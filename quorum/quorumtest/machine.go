package quorumtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum"
	"holt/quorum/storage"
)

// Machine is a state machine whose state is a digest of all entries. It keeps
// it in one file, replaced as a whole by Flush and Restore; what was applied since
// is lost in a crash.
type Machine struct {
	vol vfs.FS
	dir string

	mu      sync.Mutex
	now     state
	durable uint64

	flush sync.Mutex // one writer of the file at a time
}

type state struct{ index, term, digest, count uint64 }

// OpenMachine opens the state in dir, which it creates.
func OpenMachine(vol vfs.FS, dir string) (*Machine, error) {
	if err := storage.MkdirAll(vol, dir); err != nil {
		return nil, err
	}
	m := &Machine{vol: vol, dir: dir}
	s, err := readState(vol, vol.PathJoin(dir, "state"))
	if err != nil && !isNotExist(err) {
		return nil, err
	}
	m.now, m.durable = s, s.index
	return m, nil
}

// Apply implements quorum.StateMachine. It panics when entries are missing or
// come twice.
func (m *Machine) Apply(entries []quorum.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if e.Index != m.now.index+1 && (m.now.index != 0 || e.Index != 2) {
			panic(fmt.Sprintf("entry %d applied after %d", e.Index, m.now.index))
		}
		m.now = m.now.after(e)
	}
	return nil
}

func (s state) after(e quorum.Entry) state {
	h := fnv.New64a()
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], s.digest)
	binary.BigEndian.PutUint64(b[8:], e.Index)
	binary.BigEndian.PutUint64(b[16:], e.Term)
	h.Write(b[:])
	h.Write(e.Data)
	n := s.count
	if len(e.Data) > 0 {
		n++
	}
	return state{index: e.Index, term: e.Term, digest: h.Sum64(), count: n}
}

// Applied implements quorum.StateMachine.
func (m *Machine) Applied() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.index
}

// Digest implements StateMachine.
func (m *Machine) Digest() (index, digest uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.index, m.now.digest
}

// Count returns the number of entries with data.
func (m *Machine) Count() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.count
}

// Close implements StateMachine. It saves nothing.
func (m *Machine) Close() error { return nil }

// Durable implements quorum.StateMachine.
func (m *Machine) Durable() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.durable
}

// Flush implements quorum.StateMachine.
func (m *Machine) Flush() error {
	m.flush.Lock()
	defer m.flush.Unlock()
	m.mu.Lock()
	s := m.now
	m.mu.Unlock()
	return m.save(s)
}

func (m *Machine) save(s state) error {
	if err := writeState(m.vol, m.dir, "state", s); err != nil {
		return err
	}
	m.mu.Lock()
	m.durable = s.index
	m.mu.Unlock()
	return nil
}

// Checkpoint implements quorum.StateMachine.
func (m *Machine) Checkpoint(dir string) (index, term uint64, err error) {
	if err := m.vol.MkdirAll(dir, 0o700); err != nil {
		return 0, 0, fmt.Errorf("create %s: %w", dir, err)
	}
	m.mu.Lock()
	s := m.now
	m.mu.Unlock()
	return s.index, s.term, writeState(m.vol, dir, "state", s)
}

// Restore implements quorum.StateMachine.
func (m *Machine) Restore(dir string) error {
	s, err := readState(m.vol, m.vol.PathJoin(dir, "state"))
	if err != nil {
		return err
	}
	m.flush.Lock()
	defer m.flush.Unlock()
	m.mu.Lock()
	m.now = s
	m.mu.Unlock()
	return m.save(s)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func readState(vol vfs.FS, name string) (s state, err error) {
	f, err := vol.Open(name)
	if err != nil {
		return state{}, fmt.Errorf("open %s: %w", name, err)
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return state{}, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) != 40 {
		return state{}, fmt.Errorf("read %s: %d bytes", name, len(b))
	}
	h := fnv.New64a()
	h.Write(b[:32])
	if h.Sum64() != binary.BigEndian.Uint64(b[32:]) {
		return state{}, fmt.Errorf("read %s: wrong checksum", name)
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return state{at(0), at(1), at(2), at(3)}, nil
}

// writeState replaces the file atomically and durably.
func writeState(vol vfs.FS, dir, name string, s state) error {
	var b []byte
	for _, v := range []uint64{s.index, s.term, s.digest, s.count} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	h := fnv.New64a()
	h.Write(b)
	b = binary.BigEndian.AppendUint64(b, h.Sum64())
	tmp, final := vol.PathJoin(dir, name+".tmp"), vol.PathJoin(dir, name)
	f, err := vol.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create %s: %w", tmp, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", tmp, err)
	}
	if err := vol.Rename(tmp, final); err != nil {
		return fmt.Errorf("rename %s: %w", final, err)
	}
	return storage.SyncDir(vol, dir)
}
