package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3/raftpb"
)

// Write is what one step of Raft wants remembered. The zero value changes
// nothing.
type Write struct {
	// Hard replaces the hard state; nil leaves it.
	Hard *Hard
	// Entries are consecutive and start at or below the last index plus one;
	// what they overlap, and everything after them, is replaced. The log keeps
	// them: they must not be changed any more.
	Entries []*raftpb.Entry
	// Confs are configurations of committed entries, ascending.
	Confs []Conf
	// Install throws the whole log away and begins anew after its index. Confs
	// holds the one in force there, Entries is empty.
	Install *Install
	// Truncate drops the entries up to and including this index, 0 none. The
	// state machine must hold them durably.
	Truncate uint64
	// Peer is a peer's identity, nil for none.
	Peer *Identity
	// Sync: somebody will be told what rests on the hard state. Term and vote
	// have to be on disk then. A commit index never has to: it is found out again;
	// it is kept in memory and goes to disk with the next write that is made anyway.
	Sync bool
}

// ErrClosed is returned by writes after Close.
var ErrClosed = errors.New("log is closed")

// Write makes ws durable in order, with one batch and one fsync, or none if
// nothing rests on them. On any error nothing of ws may be relied
// upon, and the log refuses all further writes with the same error.
func (l *Log) Write(ws ...Write) error {
	if err := l.usable(); err != nil {
		return err
	}
	b := l.db.NewBatch()
	s := l.stage(b)
	for i := range ws {
		if err := s.add(&ws[i]); err != nil {
			l.fail(err)
			return errors.Join(err, b.Close())
		}
	}
	sync := s.durable || s.promised && !s.hard.SameVote(l.hardOnDisk)
	if !sync && b.Empty() {
		l.publish(s)
		return b.Close()
	}
	if err := s.finish(); err != nil {
		l.fail(err)
		return errors.Join(err, b.Close())
	}
	l.publishTruncation(s)
	if err := l.commit(b, sync); err != nil {
		err = fmt.Errorf("write log %s: %w", l.dir, err)
		l.fail(err)
		return err
	}
	l.publish(s)
	if sync {
		l.hardOnDisk = s.hard
	}
	return nil
}

func (l *Log) usable() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.closed {
		return ErrClosed
	}
	return l.mu.err
}

// commit numbers the batch, applies it and, if it is durable, moves the
// watermark.
func (l *Log) commit(b *pebble.Batch, sync bool) error {
	l.seq++
	if err := b.Set(keySeq, sealed(binary.BigEndian.AppendUint64(nil, l.seq)), nil); err != nil {
		return err
	}
	if err := l.apply(b, sync); err != nil {
		return err
	}
	// Pebble does not learn of a directory that could not be synced, see sealedFS.
	if err := l.Err(); err != nil {
		return err
	}
	if sync {
		return l.watermark.set(l.seq)
	}
	return nil
}

// apply applies the batch. Pebble reports a failed write or fsync of its log
// by an error of SyncWait only if asked to apply without waiting; by a panic or
// a call of Logger.Fatalf otherwise.
func (l *Log) apply(b *pebble.Batch, sync bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	size := int64(b.Len())
	if !sync {
		if err := l.db.Apply(b, pebble.NoSync); err != nil {
			return err
		}
		l.metrics.Unsynced.Inc()
		return b.Close()
	}
	started := time.Since(l.opened)
	if err := l.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return err
	}
	if err := b.SyncWait(); err != nil {
		return err
	}
	l.metrics.SyncNanos.Observe(int64(time.Since(l.opened) - started))
	l.metrics.SyncBytes.Observe(size)
	return b.Close()
}

// SameVote reports whether two hard states promise the same.
func (h Hard) SameVote(o Hard) bool { return h.Term == o.Term && h.Vote == o.Vote }

// publishTruncation makes readers see the new beginning before the entries
// are gone, so that a hole they find is a truncation and not damage.
func (l *Log) publishTruncation(s *staged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.reset || s.begin.index <= l.mu.begin.index || s.begin.index > l.mu.last {
		return
	}
	l.mu.begin = s.begin
	l.mu.recent.dropTo(s.begin.index)
}

func (l *Log) publish(s *staged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.reset {
		l.mu.recent.reset()
	}
	for _, p := range s.pushes {
		l.mu.recent.push(p.e, p.crc)
	}
	l.mu.recent.dropTo(s.begin.index)
	for _, id := range s.forget {
		delete(l.mu.peers, id)
	}
	l.mu.hard, l.mu.begin, l.mu.last = s.hard, s.begin, s.last
	l.mu.confs, l.mu.install, l.mu.bytes = s.confs, s.install, max(s.bytes, 0)
}

// Found gives an empty log its identity and its first configuration, and lets
// it begin after conf.Index, an entry that exists nowhere and that all founding
// members agree on. Since it is above 0, a member that joins later with an empty
// log can never be caught up from the log alone.
func (l *Log) Found(id Identity, conf Conf) error {
	if l.Founded() {
		return fmt.Errorf("log %s is founded already", l.dir)
	}
	b := l.db.NewBatch()
	s := l.stage(b)
	s.hard.Commit = conf.Index
	s.begin, s.last = begin{index: conf.Index}, conf.Index
	err := s.b.Set(keyIdentity, encodeIdentity(id), nil)
	if err == nil {
		err = s.addConf(conf)
	}
	if err == nil {
		err = s.finish()
	}
	if err == nil {
		err = l.commit(b, true)
	}
	if err != nil {
		err = fmt.Errorf("found log %s: %w", l.dir, err)
		l.fail(err)
		return err
	}
	l.publish(s)
	l.hardOnDisk = s.hard
	l.mu.Lock()
	l.mu.id = id
	l.mu.Unlock()
	return nil
}

// EndInstall notes that the state machine has taken the snapshot over. The
// note need not be durable: without it the installation is repeated.
func (l *Log) EndInstall() error {
	if err := l.usable(); err != nil {
		return err
	}
	b := l.db.NewBatch()
	err := b.Delete(keyInstall, nil)
	if err == nil {
		err = l.commit(b, true)
	}
	if err != nil {
		err = fmt.Errorf("end installation of snapshot: %w", err)
		l.fail(err)
		return err
	}
	l.mu.Lock()
	l.mu.install = nil
	l.mu.Unlock()
	return nil
}
