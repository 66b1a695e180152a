package storage

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
)

// Options of a Log. The zero value means the defaults.
type Options struct {
	// FS holds the database. Default: the operating system's.
	FS vfs.FS
	// RecentBytes bounds the newest entries kept in memory. Default 8 MiB.
	RecentBytes int64
	// MemTableBytes bounds each of Pebble's write buffers, of which at most two
	// are in use. Default 8 MiB.
	MemTableBytes uint64
	// OnFatal is called when Pebble's work in the background fails, from one of
	// its goroutines, with the error that Err returns. The member has to stop.
	// Default: nothing.
	OnFatal func(error)
	// Logger receives Pebble's errors. Default: none.
	Logger *zap.Logger
	// Quiet keeps Pebble from compacting by itself, so that a simulation repeats
	// exactly.
	Quiet bool
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.RecentBytes == 0 {
		o.RecentBytes = 8 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 8 << 20
	}
	if o.OnFatal == nil {
		o.OnFatal = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// Open opens the log in dir, which it creates, and verifies all of it. It
// fails if anything is damaged or of a newer format.
func Open(dir string, o Options) (*Log, error) {
	l := &Log{dir: dir, opts: o.withDefaults(), failed: make(chan struct{}), opened: time.Now()}
	l.fs = l.opts.FS
	l.mu.peers = map[uint64][16]byte{}
	l.mu.recent.limit = l.opts.RecentBytes
	if err := MkdirAll(l.fs, dir); err != nil {
		return nil, err
	}
	db, err := l.openPebble()
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	l.db = db
	if err := l.loadChecked(); err != nil {
		return nil, errors.Join(fmt.Errorf("read log %s: %w", dir, err), db.Close())
	}
	return l, nil
}

// loadChecked reads every record and compares with the watermark.
func (l *Log) loadChecked() error {
	if err := l.load(); err != nil {
		return err
	}
	w, durable, err := openWatermark(l.fs, l.dir, !l.Founded())
	if err != nil {
		return err
	}
	l.watermark = w
	if l.seq < durable {
		err := fmt.Errorf("the last of %d writes is missing, found %d: the end of the log is damaged", durable, l.seq)
		return errors.Join(err, w.close())
	}
	return nil
}

// openPebble turns a panic, Pebble's answer to some failures of the disk, into
// an error, and does not wait for what such a failure has left undone.
func (l *Log) openPebble() (*pebble.DB, error) {
	type opened struct {
		db  *pebble.DB
		err error
	}
	done := make(chan opened, 1)
	go func() {
		var o opened
		defer func() {
			if r := recover(); r != nil {
				o.err = fmt.Errorf("%v", r)
			} else if o.db == nil && o.err == nil {
				o.err = l.Err() // the goroutine was ended by Fatalf
			}
			done <- o
		}()
		o.db, o.err = pebble.Open(l.dir, l.pebbleOptions())
	}()
	select {
	case o := <-done:
		if o.err == nil {
			o.err = l.Err() // of a directory, see sealedFS; what is open is abandoned
		}
		return o.db, o.err
	case <-l.failed:
		return nil, l.Err()
	}
}

func (l *Log) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          sealedFS{l.fs, l},
		CacheSize:                   1 << 20,
		Comparer:                    pebble.DefaultComparer,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		MemTableSize:                l.opts.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       16,
		L0StopWritesThreshold:       1000,
		MaxOpenFiles:                64,
		// Statistics let tables that truncation has emptied be dropped unread. They
		// are collected in the background, which a simulation does without.
		DisableTableStats:           l.opts.Quiet,
		DisableAutomaticCompactions: l.opts.Quiet,
		Logger:                      pebbleLogger{l},
		EventListener: &pebble.EventListener{
			BackgroundError: l.background,
			FlushEnd:        l.metrics.flushed,
			CompactionEnd:   l.metrics.compacted,
			// The reader that found it gets an error, too.
			DataCorruption: func(info pebble.DataCorruptionInfo) { l.fatal(info.Details) },
		},
	}
	// Entries live for minutes: compression would cost more than it saves.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return o
}

// pebbleLogger hands Pebble's complaints on. Fatalf must not return, and may
// be called from any goroutine: it ends that goroutine only, since the process
// has an orderly way to stop.
type pebbleLogger struct{ l *Log }

func (p pebbleLogger) Infof(string, ...any) {}

func (p pebbleLogger) Errorf(format string, args ...any) {
	p.l.opts.Logger.Error("log store", zap.String("text", fmt.Sprintf(format, args...)))
}

func (p pebbleLogger) Fatalf(format string, args ...any) {
	p.l.fatal(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// background ends the log because of a failed flush or compaction, and the
// goroutine of it, which would begin the next attempt at once, without end: the
// log is abandoned, so nobody waits for it. Close does if it came first.
func (l *Log) background(err error) {
	if l.fatal(err) {
		runtime.Goexit()
	}
}

// fatal ends the log because of what went wrong beside it, and reports whether that
// leaves Pebble abandoned: Close may be closing it.
func (l *Log) fatal(err error) (abandoned bool) {
	err = fmt.Errorf("log %s: %w", l.dir, err)
	l.mu.Lock()
	abandoned = !l.mu.closed
	l.mu.horked = l.mu.horked || abandoned
	l.mu.Unlock()
	l.fail(err)
	l.opts.OnFatal(err)
	return abandoned
}

// load reads every record.
func (l *Log) load() (err error) {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var ld loader
	ld.l = l
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := ld.record(it.Key(), v); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	return ld.check()
}

// loader takes records in the order of their keys: begin, configurations,
// entries, hard state, identity, peers, pending snapshot, number of writes.
type loader struct {
	l    *Log
	any  bool
	crc  uint32
	term uint64
}

func (ld *loader) record(key, v []byte) (err error) {
	m := &ld.l.mu
	ld.any = true
	switch {
	case string(key) == string(keyBegin):
		m.begin, err = decodeBegin(v)
		m.last, ld.crc, ld.term = m.begin.index, m.begin.crc, m.begin.term
	case string(key) == string(keyHard):
		m.hard, err = decodeHard(v)
		ld.l.hardOnDisk = m.hard
	case string(key) == string(keyIdentity):
		m.id, err = decodeIdentity(v)
	case string(key) == string(keySeq):
		ld.l.seq, err = decodeSeq(v)
	case string(key) == string(keyInstall):
		var in Install
		in, err = decodeInstall(v)
		m.install = &in
	case len(key) == indexKeyLen && key[0] == prefixPeer:
		m.peers[keyIndex(key)], err = decodePeer(v)
	case len(key) == indexKeyLen && key[0] == prefixConf:
		var c Conf
		c, err = decodeConf(keyIndex(key), v)
		m.confs = append(m.confs, c)
	case len(key) == indexKeyLen && key[0] == prefixEntry:
		err = ld.entry(keyIndex(key), v)
	default:
		err = fmt.Errorf("unknown record %q: written by a newer version", key)
	}
	return err
}

func (ld *loader) entry(index uint64, v []byte) error {
	m := &ld.l.mu
	if index != m.last+1 {
		return fmt.Errorf("entry %d follows entry %d: the log has lost entries", index, m.last)
	}
	e, crc, err := readEntry(index, v)
	if err != nil {
		return err
	}
	if want := entryCRC(ld.crc, index, v[4:]); crc != want {
		return fmt.Errorf("entry %d: checksum %08x, want %08x: the log is damaged", index, crc, want)
	}
	if e.GetTerm() < ld.term {
		return fmt.Errorf("entry %d has term %d after term %d", index, e.GetTerm(), ld.term)
	}
	ld.crc, ld.term, m.last = crc, e.GetTerm(), index
	m.recent.push(e, crc)
	m.bytes += int64(len(v) + indexKeyLen)
	return nil
}

// check judges what the records say together.
func (ld *loader) check() error {
	m := &ld.l.mu
	switch {
	case !ld.any:
		return nil
	case m.id.Member == 0:
		return errors.New("records without an identity")
	case len(m.confs) == 0:
		return errors.New("no configuration")
	case m.confs[0].Index > m.begin.index:
		return fmt.Errorf("first configuration at %d, log begins after %d", m.confs[0].Index, m.begin.index)
	case m.confs[len(m.confs)-1].Index > m.hard.Commit:
		return fmt.Errorf("configuration at %d beyond the commit index %d", m.confs[len(m.confs)-1].Index, m.hard.Commit)
	case m.hard.Commit < m.begin.index || m.hard.Commit > m.last:
		return fmt.Errorf("commit index %d outside the log (%d, %d]", m.hard.Commit, m.begin.index, m.last)
	case ld.term > m.hard.Term:
		return fmt.Errorf("last entry has term %d, the hard state %d", ld.term, m.hard.Term)
	}
	return nil
}

// readCRC reads the checksum of an entry that is not held in memory.
func (l *Log) readCRC(i uint64) (uint32, error) {
	v, closer, err := l.db.Get(indexKey(prefixEntry, i))
	if err != nil {
		return 0, fmt.Errorf("read log entry %d: %w", i, err)
	}
	_, crc, err := readEntry(i, v)
	return crc, errors.Join(err, closer.Close())
}
