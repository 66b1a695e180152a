package storage

import (
	"fmt"
	"math"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// step is one call that changes a log.
type step struct {
	found   bool
	end     bool // EndInstall
	writes  []Write
	comment string
	// lazy: a power failure right after it may undo it. Nothing rests on it.
	lazy bool
}

func entry(index, term uint64, data string) *raftpb.Entry {
	return &raftpb.Entry{Index: new(index), Term: new(term), Type: raftpb.EntryNormal.Enum(), Data: []byte(data)}
}

func entriesOf(first, last, term uint64) (ents []*raftpb.Entry) {
	for i := first; i <= last; i++ {
		ents = append(ents, entry(i, term, fmt.Sprintf("%d.%d %0*d", term, i, i*7%200, 0)))
	}
	return ents
}

func conf(index uint64, voters ...uint64) Conf {
	return Conf{Index: index, State: &raftpb.ConfState{Voters: voters}, Members: fmt.Appendf(nil, "members at %d", index)}
}

// life is what a log goes through.
func life() []step {
	steps := []step{
		{comment: "found", found: true},
		{comment: "vote", writes: []Write{{Hard: &Hard{Term: 1, Vote: 1, Commit: 1}, Sync: true}}},
		{comment: "first entries", writes: []Write{{Entries: entriesOf(2, 9, 1)}}},
		{comment: "commit, in memory only", lazy: true, writes: []Write{{Hard: &Hard{Term: 1, Vote: 1, Commit: 8}}}},
		{comment: "two appends and a configuration", writes: []Write{
			{Entries: entriesOf(10, 12, 1)},
			{Entries: entriesOf(13, 20, 1), Confs: []Conf{conf(8, 1, 2, 3, 4)}},
		}},
		{comment: "new term overwrites", writes: []Write{{Hard: &Hard{Term: 3, Commit: 9}, Entries: entriesOf(15, 16, 3)}}},
		{comment: "overwrite in one batch", writes: []Write{
			{Entries: entriesOf(17, 22, 3)}, {Hard: &Hard{Term: 4, Vote: 2, Commit: 9}, Entries: entriesOf(16, 18, 4)},
		}},
		{comment: "commit and truncate", lazy: true, writes: []Write{{Hard: &Hard{Term: 4, Vote: 2, Commit: 18}, Truncate: 12, Sync: true}}},
		{comment: "append after truncation", writes: []Write{{Entries: entriesOf(19, 40, 4)}}},
		{comment: "peer", lazy: true, writes: []Write{{Peer: &Identity{Member: 2, Store: [16]byte{7}}, Sync: true}}},
		{comment: "truncate all", lazy: true, writes: []Write{{Hard: &Hard{Term: 4, Vote: 2, Commit: 40}, Sync: true}, {Truncate: 40}}},
		{comment: "append to empty", writes: []Write{{Entries: entriesOf(41, 44, 4)}}},
		{comment: "snapshot", writes: []Write{{
			Hard: &Hard{Term: 5, Commit: 100}, Install: &Install{Index: 100, Term: 5, Dir: "in-1"}, Confs: []Conf{conf(100, 1, 2)},
		}}},
		{comment: "snapshot taken over", end: true},
		{comment: "append after snapshot", writes: []Write{{Entries: entriesOf(101, 110, 5)}}},
	}
	return steps
}

// model is what the log should hold, kept the simplest way.
type model struct {
	founded bool
	hard    Hard
	begin   [2]uint64 // index, term
	ents    []*raftpb.Entry
	confs   []Conf
	install string
}

func (m model) do(s step) model {
	switch {
	case s.found:
		return model{founded: true, hard: Hard{Commit: 1}, begin: [2]uint64{1, 0}, confs: []Conf{conf(1, 1, 2, 3)}}
	case s.end:
		m.install = ""
		return m
	}
	for i := range s.writes {
		m = m.write(&s.writes[i])
	}
	return m
}

func (m model) write(w *Write) model {
	if w.Hard != nil {
		m.hard = *w.Hard
	}
	if w.Install != nil {
		m.begin, m.ents, m.install = [2]uint64{w.Install.Index, w.Install.Term}, nil, w.Install.Dir
		m.confs = nil
	}
	m.confs = append(slices.Clone(m.confs), w.Confs...)
	if len(w.Entries) > 0 {
		keep := w.Entries[0].GetIndex() - m.begin[0] - 1
		m.ents = append(slices.Clone(m.ents[:keep]), w.Entries...)
	}
	if w.Truncate > 0 {
		n := w.Truncate - m.begin[0]
		m.begin = [2]uint64{w.Truncate, m.ents[n-1].GetTerm()}
		m.ents = m.ents[n:]
		for len(m.confs) > 1 && m.confs[1].Index <= w.Truncate {
			m.confs = m.confs[1:]
		}
	}
	return m
}

func (s step) do(l *Log) error {
	switch {
	case s.found:
		return l.Found(Identity{Member: 1, Store: [16]byte{1, 2, 3}}, conf(1, 1, 2, 3))
	case s.end:
		return l.EndInstall()
	}
	return l.Write(s.writes...)
}

// describe prints all a log holds, in the same words as model.describe.
func describe(l *Log) (string, error) {
	if !l.Founded() {
		return "empty", nil
	}
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	term, err := l.Term(first - 1)
	if err != nil {
		return "", err
	}
	m := model{founded: true, hard: l.HardState(), begin: [2]uint64{first - 1, term}}
	if last >= first {
		if m.ents, err = l.Entries(first, last+1, math.MaxUint64); err != nil {
			return "", err
		}
	}
	l.mu.RLock()
	m.confs = l.mu.confs
	l.mu.RUnlock()
	if in, ok := l.PendingInstall(); ok {
		m.install = in.Dir
	}
	return m.describe(), nil
}

func (m model) describe() string {
	if !m.founded {
		return "empty"
	}
	text := fmt.Sprintf("hard %+v begin %v install %q\n", m.hard, m.begin, m.install)
	for _, c := range m.confs {
		text += fmt.Sprintf("conf %d %v %s\n", c.Index, c.State.Voters, c.Members)
	}
	for _, e := range m.ents {
		text += fmt.Sprintf("entry %d %d %s\n", e.GetIndex(), e.GetTerm(), e.GetData())
	}
	return text
}
