package storage

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Identity says whose log this is.
type Identity struct {
	Member uint64
	// Store is drawn at random when the log is created. A member that comes
	// back with another one has lost its memory.
	Store [16]byte
}

// Hard is Raft's hard state.
type Hard struct{ Term, Vote, Commit uint64 }

// Conf is the configuration in force from Index on.
type Conf struct {
	Index uint64
	State *raftpb.ConfState
	// Members is the caller's: who the members are and where. Opaque here.
	Members []byte
	// Forget are members whose identity (Write.Peer) is not theirs any more. Not
	// part of the configuration: it is empty in what ConfAt returns.
	Forget []uint64
}

// Install is a snapshot whose files lie in Dir and which the state machine is
// about to take over.
type Install struct {
	Index, Term uint64
	Dir         string
}

// begin is the entry before the first one kept.
type begin struct {
	index, term uint64
	crc         uint32
}

// Log is a member's durable memory. It implements raft.Storage except
// Snapshot, which the embedding type adds.
//
// One goroutine calls Write, Found and EndInstall; all other methods may be
// called from anywhere, also during a write.
type Log struct {
	dir  string
	fs   vfs.FS
	db   *pebble.DB
	opts Options
	// failed is closed when mu.err is set.
	failed  chan struct{}
	metrics Metrics
	opened  time.Time // what durations are measured from

	// Owned by the writer.
	hardOnDisk Hard
	seq        uint64 // number of the last batch
	watermark  watermark

	mu struct {
		sync.RWMutex
		id      Identity
		hard    Hard
		begin   begin
		last    uint64 // index of the last entry, begin.index when there is none
		confs   []Conf // ascending by index; the first one is in force at begin.index
		install *Install
		peers   map[uint64][16]byte
		recent  recent
		bytes   int64 // estimate of the size of the entries kept
		err     error // the first failure; nothing is written after it
		horked  bool  // it came from Pebble's work in the background
		closed  bool
	}
}

// Founded reports whether the log has been given its identity and first
// configuration. A log that has not is empty.
func (l *Log) Founded() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.id.Member != 0
}

// Identity returns what Found wrote, the zero value before it.
func (l *Log) Identity() Identity {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.id
}

// HardState returns the last hard state handed to Write, including a commit
// index that has not been written because nothing depends on it.
func (l *Log) HardState() Hard {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.hard
}

// Peer returns the store id that member id was first seen with. If it is
// unknown, store becomes it: new is true, and the caller has to write it down by
// Write.Peer.
func (l *Log) Peer(id uint64, store [16]byte) (first [16]byte, new bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.mu.peers[id]; ok {
		return first, false
	}
	l.mu.peers[id] = store
	return store, true
}

// Seen returns the store id that member id was first seen with, false if it was not.
func (l *Log) Seen(id uint64) (store [16]byte, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	store, ok = l.mu.peers[id]
	return store, ok
}

// PendingInstall returns the snapshot whose installation has begun, if any.
func (l *Log) PendingInstall() (Install, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.install == nil {
		return Install{}, false
	}
	return *l.mu.install, true
}

// ConfAt returns the configuration in force at index: the newest one from at
// or before it. False if the log does not reach back that far.
func (l *Log) ConfAt(index uint64) (Conf, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := len(l.mu.confs) - 1; i >= 0; i-- {
		if l.mu.confs[i].Index <= index {
			return l.mu.confs[i], true
		}
	}
	return Conf{}, false
}

// Bytes estimates the size of the entries kept.
func (l *Log) Bytes() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.bytes
}

// Err returns the failure after which the log refuses to write, nil while it
// works.
func (l *Log) Err() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.err
}

// Failed is closed when the log fails. A write that is under way then may
// never return.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// FirstIndex implements raft.Storage.
func (l *Log) FirstIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.begin.index + 1, nil
}

// LastIndex implements raft.Storage.
func (l *Log) LastIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.last, nil
}

// Term implements raft.Storage.
func (l *Log) Term(i uint64) (uint64, error) {
	l.mu.RLock()
	b, last := l.mu.begin, l.mu.last
	e := l.mu.recent.at(i)
	l.mu.RUnlock()
	switch {
	case i == b.index:
		return b.term, nil
	case i < b.index:
		return 0, raft.ErrCompacted
	case i > last:
		return 0, raft.ErrUnavailable
	case e != nil:
		return e.GetTerm(), nil
	}
	e, err := l.readOne(i)
	if err != nil {
		return 0, err
	}
	return e.GetTerm(), nil
}

// Entries implements raft.Storage. Entries are shared and must not be changed.
func (l *Log) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	l.mu.RLock()
	if lo <= l.mu.begin.index {
		l.mu.RUnlock()
		return nil, raft.ErrCompacted
	}
	if hi > l.mu.last+1 {
		l.mu.RUnlock()
		return nil, raft.ErrUnavailable
	}
	ents, ok := l.mu.recent.slice(lo, hi, maxSize)
	l.mu.RUnlock()
	if ok {
		return ents, nil
	}
	return l.readRange(lo, hi, maxSize)
}

// readRange reads entries from disk. It finds a hole only if the log was
// truncated meanwhile, or is damaged.
func (l *Log) readRange(lo, hi, maxSize uint64) (ents []*raftpb.Entry, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{
		LowerBound: indexKey(prefixEntry, lo), UpperBound: indexKey(prefixEntry, hi),
	})
	if err != nil {
		return nil, l.readFailed(lo, err)
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			ents, err = nil, l.readFailed(lo, cerr)
		}
	}()
	var size uint64
	next := lo
	for ok := it.First(); ok && next < hi; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, l.readFailed(next, err)
		}
		if keyIndex(it.Key()) != next {
			break
		}
		e, _, err := readEntry(next, v)
		if err != nil {
			return nil, l.readFailed(next, err)
		}
		if size += raftSize(e); size > maxSize && len(ents) > 0 {
			return ents, nil
		}
		ents = append(ents, e)
		next++
	}
	if next == hi {
		return ents, nil
	}
	if first, _ := l.FirstIndex(); lo < first {
		return nil, raft.ErrCompacted
	}
	return nil, l.readFailed(next, fmt.Errorf("entry is missing"))
}

func (l *Log) readOne(i uint64) (*raftpb.Entry, error) {
	ents, err := l.readRange(i, i+1, 0)
	if err != nil {
		return nil, err
	}
	return ents[0], nil
}

// ReadError is a failure to read the log. Raft panics with it, since its
// Storage has no way to fail; whoever steps a RawNode recovers it.
type ReadError struct {
	Index uint64
	Err   error
}

func (e *ReadError) Error() string { return fmt.Sprintf("read log entry %d: %v", e.Index, e.Err) }
func (e *ReadError) Unwrap() error { return e.Err }

func (l *Log) readFailed(index uint64, err error) error {
	e := &ReadError{Index: index, Err: err}
	l.fail(e)
	return e
}

// fail remembers the first failure.
func (l *Log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err == nil {
		l.mu.err = err
		close(l.failed)
	}
}

// Close closes the database. If it failed in the background it is abandoned
// instead: parts of it may never finish. After a failure Close reports no further one.
func (l *Log) Close() error {
	l.mu.Lock()
	closed, failed, horked := l.mu.closed, l.mu.err, l.mu.horked
	l.mu.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if failed == nil {
		err = l.writeHard()
	}
	err = errors.Join(err, l.watermark.close())
	if !horked {
		err = errors.Join(err, l.closePebble())
	}
	if err != nil && failed == nil {
		return fmt.Errorf("close log %s: %w", l.dir, err)
	}
	return nil
}

// writeHard writes the commit index if it is only in memory: a member that
// ended in order then knows it at once when it starts.
func (l *Log) writeHard() error {
	s := l.stage(l.db.NewBatch())
	if !l.Founded() || s.hard == l.hardOnDisk {
		return s.b.Close()
	}
	if err := s.finish(); err != nil {
		return errors.Join(err, s.b.Close())
	}
	return l.commit(s.b, true)
}

func (l *Log) closePebble() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return l.db.Close()
}
