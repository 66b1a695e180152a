package partition

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// Log is one partition's log. Any number of goroutines may use it: appends
// follow one another, reads go on beside them.
//
// Lock order: flushing, writing, mu; then a segment's and the tail's.
type Log struct {
	dir  *Dir
	fs   disk
	name Name
	path string // changes when the log is deleted, under writing and mu
	id   [16]byte

	config atomic.Pointer[Config]
	jitter float64 // this log's part of SegmentJitterMillis

	// start, end and so on are written under writing and read without a lock.
	start         atomic.Int64
	end           atomic.Int64
	highWatermark atomic.Int64
	unstable      atomic.Int64 // first offset of a transaction that is open or not committed, noOffset none
	flushed       atomic.Int64 // before it everything is durable
	recovery      atomic.Int64 // before it recovery need not look; see harden
	cleaned       atomic.Int64 // before it there is nothing to compact
	unflushed     atomic.Int64 // records since the last flush
	lastFlush     atomic.Int64 // ms
	uncleanable   atomic.Bool  // compaction met a batch that it cannot read

	failure atomic.Pointer[error]

	// flushing is held while the disk is synced and while the log is truncated.
	flushing sync.Mutex

	// writing is held by whoever changes the log, during its writes too.
	writing   sync.Mutex
	producers producers
	nextGuard uint64
	scratch   []appendedBatch

	// mu guards what readers see. The slices are replaced, never changed, so that who has read
	// them under mu may go on using them.
	mu          sync.RWMutex
	segments    []*segment // by base, at least one; the last is active
	epochs      epochs
	truncations uint64 // how often readers may have seen what is not there any more
	namesDirty  bool   // the directory has names that are not durable
	epochsDirty bool   // the file has not what epochs has
	closed      bool

	// snapshots to be written before recovery may pass them: guarded by mu.
	snapshots []pendingSnapshot

	tail    tail
	waiters flushWaiters
}

// pendingSnapshot is the producers' state at a segment's begin, not on disk yet.
type pendingSnapshot struct {
	offset int64
	bytes  []byte
}

// ErrClosed is returned by everything that would touch the disk after Close or
// Delete.
var ErrClosed = errors.New("log is closed")

// ErrExists is returned by Create for a log that is there.
var ErrExists = errors.New("log exists")

// ErrTruncated is what those get who wait for records to be durable that a truncation has taken away.
var ErrTruncated = errors.New("log is truncated")

// DamageError says that a log has damage that no crash explains: what lies behind it is there. Nothing was
// changed.
type DamageError struct {
	File string
	Pos  int64 // in the file
	Err  error
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %v; intact batches follow, so it is not the end of a log cut short by a crash. "+
		"If other replicas have the partition, move its directory away and it is copied from them", e.File, e.Pos, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

// FailedError says that a log does not go on because its disk failed: nothing is
// written to it any more until the directory is opened again. What was
// acknowledged before is there.
type FailedError struct {
	Dir string
	Err error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("log directory %s has failed: %v", e.Dir, e.Err)
}
func (e *FailedError) Unwrap() error { return e.Err }

// Name returns the partition.
func (l *Log) Name() Name { return l.name }

// TopicID returns the id of the topic that the log was made for; zeros if it was
// made before topics had ids.
func (l *Log) TopicID() [16]byte { return l.id }

// Config returns the settings in force.
func (l *Log) Config() Config { return *l.config.Load() }

// SetConfig changes the settings, for whatever happens from now on.
func (l *Log) SetConfig(c Config) { l.config.Store(&c) }

// StartOffset returns the first offset that may be read.
func (l *Log) StartOffset() int64 { return l.start.Load() }

// EndOffset returns the offset that the next record gets (LEO).
func (l *Log) EndOffset() int64 { return l.end.Load() }

// HighWatermark returns the offset before which records are committed, as far
// as this replica was told.
func (l *Log) HighWatermark() int64 { return l.highWatermark.Load() }

// FlushedOffset returns the offset before which everything is on stable
// storage.
func (l *Log) FlushedOffset() int64 { return l.flushed.Load() }

// LastStableOffset returns the offset before which no transaction is open or
// waits for its marker to be committed; it is never beyond the high watermark.
func (l *Log) LastStableOffset() int64 {
	hw := l.highWatermark.Load()
	if u := l.unstable.Load(); u != noOffset && u < hw {
		return u
	}
	return hw
}

// SetHighWatermark raises the high watermark to hw, but not beyond the log's
// end, and returns what it is then. Only truncation lowers it.
func (l *Log) SetHighWatermark(hw int64) int64 {
	for {
		old := l.highWatermark.Load()
		to := min(hw, l.end.Load())
		if to <= old {
			return old
		}
		if l.highWatermark.CompareAndSwap(old, to) {
			l.tail.committed(to)
			if u := l.unstable.Load(); u != noOffset && u < to {
				l.settleTransactions()
			}
			return to
		}
	}
}

// settleTransactions looks which transactions have a committed marker now.
func (l *Log) settleTransactions() {
	l.writing.Lock()
	l.producers.settle(l.highWatermark.Load())
	l.unstable.Store(l.producers.unstable())
	l.writing.Unlock()
}

// Size returns the bytes of all batches in the log.
func (l *Log) Size() int64 {
	var n int64
	for _, s := range l.view() {
		n += s.size.Load()
	}
	return n
}

// Segments returns how many segments there are.
func (l *Log) Segments() int { return len(l.view()) }

func (l *Log) view() []*segment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.segments
}

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// Err returns why nothing can be written: a *FailedError, ErrClosed, or nil.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return l.dir.Err()
}

// fail ends all writing to the log and to its directory.
func (l *Log) fail(err error) error {
	err = fmt.Errorf("log %s: %w", l.name, err)
	return l.dir.fail(err)
}

// file returns the path of one of the log's files.
func (l *Log) file(name string) string { return l.fs.PathJoin(l.path, name) }

// EpochEnd returns the largest leader epoch not above the given one, and the
// offset at which it ends, the log's end for the latest; -1 and -1 if the
// log does not know (KIP-101, KIP-279).
func (l *Log) EpochEnd(epoch int32) (int32, int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.end(epoch, l.end.Load())
}

// LatestEpoch returns the latest leader epoch that the log has heard of, -1 none.
func (l *Log) LatestEpoch() int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.latest()
}

// EpochAt returns the leader epoch in which an offset was written, -1 unknown.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.at(offset)
}

// AssignEpoch notes that a leader epoch begins at start, which a new leader does
// with the log's end before it appends anything. It costs no IO: a crash loses
// at most the entry of an epoch in which nothing was written.
func (l *Log) AssignEpoch(epoch int32, start int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	l.assignEpoch(epoch, start)
	return nil
}

func (l *Log) assignEpoch(epoch int32, start int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, changed := l.epochs.assign(epoch, start); changed {
		l.epochs, l.epochsDirty = e, true
	}
}

// ProducerState describes a producer that the log knows.
type ProducerState struct {
	ID               int64
	Epoch            int16
	LastSequence     int32 // -1 none
	LastTimestamp    int64
	CoordinatorEpoch int32 // -1 none
	TxnFirstOffset   int64 // of the open transaction, -1 none
}

// Producers describes all producers that the log knows, by id.
func (l *Log) Producers() []ProducerState {
	l.writing.Lock()
	defer l.writing.Unlock()
	var all []ProducerState
	for _, p := range l.producers.sorted() {
		all = append(all, ProducerState{
			ID: p.id, Epoch: p.epoch, LastSequence: p.lastSequence(), LastTimestamp: p.timestamp,
			CoordinatorEpoch: p.coordinatorEpoch, TxnFirstOffset: p.txnFirst,
		})
	}
	return all
}

// Verify begins the first append of a producer's transaction to this log
// (KIP-890): it returns 0 if the transaction has begun here already, or a guard.
// Whoever asked has the coordinator confirm the transaction and hands the guard
// to AppendAsLeader, which refuses it if a marker came in between.
func (l *Log) Verify(producerID int64, epoch int16) uint64 {
	l.writing.Lock()
	defer l.writing.Unlock()
	if p := l.producers.byID[producerID]; p != nil && p.txnFirst != noOffset && p.epoch == epoch {
		return 0
	}
	if g, ok := l.producers.guards[producerID]; ok && g.epoch == epoch {
		return g.id
	}
	if l.producers.guards == nil {
		l.producers.guards = make(map[int64]guard)
	}
	if len(l.producers.guards) >= guardsMax {
		clear(l.producers.guards) // their producers are refused once, with a code to retry by
	}
	l.nextGuard++
	l.producers.guards[producerID] = guard{id: l.nextGuard, epoch: epoch}
	return l.nextGuard
}

// guardsMax bounds the transactions that wait for their verification.
const guardsMax = 10_000

func (l *Log) logger() *zap.Logger {
	return l.dir.options.Logger.With(zap.Stringer("partition", l.name))
}
