package storage

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3/raftpb"
)

// staged is the state of the log after a batch, and how memory gets there.
type staged struct {
	l       *Log
	b       *pebble.Batch
	hard    Hard
	begin   begin
	last    uint64
	lastCRC uint32 // of entry last
	confs   []Conf
	install *Install
	bytes   int64
	reset   bool // the entries held in memory are void
	forget  []uint64
	// durable: there is something that has to be on disk; promised: a hard state
	// has to, if it is not.
	durable, promised bool
	pushes            []recentEntry
}

func (l *Log) stage(b *pebble.Batch) *staged {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := &staged{
		l: l, b: b, hard: l.mu.hard, begin: l.mu.begin, last: l.mu.last,
		confs: l.mu.confs, install: l.mu.install, bytes: l.mu.bytes, lastCRC: l.mu.begin.crc,
	}
	if s.last > s.begin.index {
		// The last entry is always held.
		s.lastCRC, _ = l.mu.recent.crcAt(s.last)
	}
	return s
}

func (s *staged) add(w *Write) error {
	s.promised = s.promised || w.Sync
	s.durable = s.durable || len(w.Entries) > 0 || len(w.Confs) > 0 || w.Install != nil
	if w.Install != nil {
		if err := s.addInstall(w); err != nil {
			return err
		}
	}
	if w.Hard != nil {
		s.hard = *w.Hard
	}
	if len(w.Entries) > 0 {
		if err := s.addEntries(w.Entries); err != nil {
			return err
		}
	}
	if w.Install == nil {
		for _, c := range w.Confs {
			if err := s.addConf(c); err != nil {
				return err
			}
		}
	}
	if w.Peer != nil {
		if err := s.b.Set(indexKey(prefixPeer, w.Peer.Member), encodePeer(w.Peer.Store), nil); err != nil {
			return fmt.Errorf("write peer %d: %w", w.Peer.Member, err)
		}
	}
	if w.Truncate > s.begin.index {
		return s.addTruncate(w.Truncate)
	}
	return nil
}

func (s *staged) addEntries(ents []*raftpb.Entry) error {
	first := ents[0].GetIndex()
	if first <= s.begin.index || first > s.last+1 {
		return fmt.Errorf("append at %d to a log that holds (%d, %d]", first, s.begin.index, s.last)
	}
	if first <= s.last {
		crc, err := s.crcAt(first - 1)
		if err != nil {
			return err
		}
		s.lastCRC = crc
		if err := s.b.DeleteRange(indexKey(prefixEntry, first), indexKey(prefixEntry, s.last+1), nil); err != nil {
			return fmt.Errorf("replace entries from %d: %w", first, err)
		}
		s.bytes -= s.average() * int64(s.last-first+1)
	}
	for i, e := range ents {
		if e.GetIndex() != first+uint64(i) {
			return fmt.Errorf("entry %d follows %d", e.GetIndex(), first+uint64(i)-1)
		}
		op := s.b.SetDeferred(indexKeyLen, entrySize(e))
		copy(op.Key, indexKey(prefixEntry, e.GetIndex()))
		s.lastCRC = putEntry(op.Value, s.lastCRC, e)
		if err := op.Finish(); err != nil {
			return fmt.Errorf("append entry %d: %w", e.GetIndex(), err)
		}
		s.pushes = append(s.pushes, recentEntry{e, s.lastCRC})
		s.bytes += int64(entrySize(e) + indexKeyLen)
	}
	s.last = first + uint64(len(ents)) - 1
	return nil
}

// crcAt finds the checksum of an entry the new ones follow.
func (s *staged) crcAt(i uint64) (uint32, error) {
	if i == s.begin.index {
		return s.begin.crc, nil
	}
	for j := len(s.pushes) - 1; j >= 0; j-- {
		if s.pushes[j].e.GetIndex() == i {
			return s.pushes[j].crc, nil
		}
	}
	s.l.mu.RLock()
	crc, ok := s.l.mu.recent.crcAt(i)
	s.l.mu.RUnlock()
	if ok {
		return crc, nil
	}
	return s.l.readCRC(i)
}

// average is the estimated size of one entry.
func (s *staged) average() int64 {
	if s.last == s.begin.index {
		return 0
	}
	return s.bytes / int64(s.last-s.begin.index)
}

func (s *staged) addConf(c Conf) error {
	v, err := encodeConf(c)
	if err != nil {
		return err
	}
	if err := s.b.Set(indexKey(prefixConf, c.Index), v, nil); err != nil {
		return fmt.Errorf("write configuration at %d: %w", c.Index, err)
	}
	// A member that restarts comes again to configurations it has written down
	// before. Copy, since readers hold the old slice.
	i, found := slices.BinarySearchFunc(s.confs, c.Index, func(c Conf, i uint64) int { return cmp.Compare(c.Index, i) })
	s.confs = slices.Clone(s.confs)
	for _, id := range c.Forget {
		if err := s.b.Delete(indexKey(prefixPeer, id), nil); err != nil {
			return fmt.Errorf("forget peer %d: %w", id, err)
		}
	}
	s.forget, c.Forget = append(s.forget, c.Forget...), nil
	if found {
		s.confs[i] = c
	} else {
		s.confs = slices.Insert(s.confs, i, c)
	}
	return nil
}

func (s *staged) addTruncate(to uint64) error {
	if to > s.last {
		return fmt.Errorf("truncate log to %d past its end %d", to, s.last)
	}
	if to > s.hard.Commit {
		return fmt.Errorf("truncate log to %d past the commit index %d", to, s.hard.Commit)
	}
	term, err := s.l.Term(to)
	if err != nil {
		return err
	}
	crc, err := s.crcAt(to)
	if err != nil {
		return err
	}
	if err := s.b.DeleteRange(indexKey(prefixEntry, 0), indexKey(prefixEntry, to+1), nil); err != nil {
		return fmt.Errorf("truncate log to %d: %w", to, err)
	}
	s.bytes -= s.average() * int64(to-s.begin.index)
	s.begin = begin{index: to, term: term, crc: crc}
	return s.pruneConfs(to)
}

// pruneConfs forgets the configurations nobody can ask for: all before the
// one in force at the beginning of the log.
func (s *staged) pruneConfs(to uint64) error {
	for len(s.confs) > 1 && s.confs[1].Index <= to {
		if err := s.b.Delete(indexKey(prefixConf, s.confs[0].Index), nil); err != nil {
			return fmt.Errorf("drop configuration: %w", err)
		}
		s.confs = s.confs[1:]
	}
	return nil
}

func (s *staged) addInstall(w *Write) error {
	in := w.Install
	if len(w.Confs) != 1 || w.Confs[0].Index != in.Index || len(w.Entries) > 0 {
		return fmt.Errorf("snapshot at %d without exactly its configuration", in.Index)
	}
	for _, r := range [][2]byte{{prefixEntry, prefixEntry + 1}, {prefixConf, prefixConf + 1}} {
		if err := s.b.DeleteRange([]byte{r[0]}, []byte{r[1]}, nil); err != nil {
			return fmt.Errorf("install snapshot at %d: %w", in.Index, err)
		}
	}
	if err := s.b.Set(keyInstall, encodeInstall(*in), nil); err != nil {
		return fmt.Errorf("install snapshot at %d: %w", in.Index, err)
	}
	s.begin = begin{index: in.Index, term: in.Term}
	s.last, s.lastCRC, s.bytes = in.Index, 0, 0
	s.reset, s.pushes, s.confs, s.install = true, nil, nil, in
	s.hard.Commit = max(s.hard.Commit, in.Index)
	return s.addConf(w.Confs[0])
}

// finish adds the records that every batch carries if they changed.
func (s *staged) finish() error {
	if s.hard != s.l.hardOnDisk {
		if err := s.b.Set(keyHard, encodeHard(s.hard), nil); err != nil {
			return fmt.Errorf("write hard state: %w", err)
		}
	}
	s.l.mu.RLock()
	old := s.l.mu.begin
	s.l.mu.RUnlock()
	if s.begin != old {
		if err := s.b.Set(keyBegin, encodeBegin(s.begin), nil); err != nil {
			return fmt.Errorf("write begin of log: %w", err)
		}
	}
	return nil
}
