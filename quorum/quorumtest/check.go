package quorumtest

import (
	"hash/fnv"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum"
)

// checker watches everything the members do and says when a promise is
// broken. It sees more than any member.
type checker struct {
	fail func(format string, args ...any)

	entries   map[entryID]uint64 // hash of every entry ever written by anybody
	committed map[uint64]entryID // by index, as first applied
	digests   map[uint64]uint64  // by index, as first applied
	lastIndex uint64             // the highest one applied by anybody
	confs     map[uint64]string  // by the index they are in force from
	leaders   map[uint64]uint64  // by term
	votes     map[vote]uint64
	promised  map[uint64]promise // by member
	sometimes map[string]int
}

type entryID struct{ index, term uint64 }

type vote struct{ member, term uint64 }

// promise is what a member has told others and must remember.
type promise struct {
	term  uint64
	index uint64 // acknowledged in term
}

func newChecker(fail func(format string, args ...any)) *checker {
	return &checker{
		fail: fail, entries: map[entryID]uint64{}, committed: map[uint64]entryID{}, digests: map[uint64]uint64{},
		confs: map[uint64]string{}, leaders: map[uint64]uint64{}, votes: map[vote]uint64{}, promised: map[uint64]promise{}, sometimes: map[string]int{},
	}
}

func (c *checker) count(what string) { c.sometimes[what]++ }

func hash(data []byte) uint64 {
	h := fnv.New64a()
	h.Write(data)
	return h.Sum64()
}

// leadership: at most one leader per term.
func (c *checker) leadership(n *node, l quorum.Leadership) {
	if !l.Self {
		return
	}
	if other, ok := c.leaders[l.Term]; ok && other != n.id {
		c.fail("members %d and %d both lead in term %d", other, n.id, l.Term)
	}
	if c.leaders[l.Term] == 0 && len(c.leaders) > 0 {
		c.count("leader change")
	}
	c.leaders[l.Term] = n.id
}

// appending: entries with equal index and term are equal.
func (c *checker) appending(n *node, a *quorum.Append) {
	for _, e := range a.Entries {
		id, h := entryID{e.GetIndex(), e.GetTerm()}, hash(e.GetData())
		if other, ok := c.entries[id]; ok && other != h {
			c.fail("member %d writes another entry %d of term %d", n.id, id.index, id.term)
		}
		c.entries[id] = h
	}
	if last, _ := n.log.LastIndex(); len(a.Entries) > 0 && a.Entries[0].GetIndex() <= last {
		c.count("log overwritten")
	}
	for _, conf := range a.Confs {
		c.count("membership changed")
		text := raft.DescribeConfState(conf.State)
		if before, ok := c.confs[conf.Index]; ok && a.Install == nil && before != text {
			c.fail("member %d has configuration %s at %d, others %s", n.id, text, conf.Index, before)
		}
		if a.Install == nil {
			c.confs[conf.Index] = text
		}
	}
}

// sent: nobody votes twice in a term, or goes back to an earlier one.
func (c *checker) sent(n *node, m *raftpb.Message) {
	p := c.promised[n.id]
	switch m.GetType() {
	case raftpb.MsgVoteResp, raftpb.MsgAppResp:
		if m.GetTerm() < p.term {
			c.fail("member %d answers in term %d after term %d", n.id, m.GetTerm(), p.term)
		}
		if m.GetTerm() > p.term {
			p = promise{term: m.GetTerm()}
		}
	default:
		return
	}
	if !m.GetReject() {
		if m.GetType() == raftpb.MsgVoteResp {
			c.voted(n.id, m.GetTerm(), m.GetTo())
		} else {
			p.index = max(p.index, m.GetIndex())
		}
	}
	c.promised[n.id] = p
}

func (c *checker) voted(member, term, candidate uint64) {
	v := vote{member, term}
	if before, ok := c.votes[v]; ok && before != candidate {
		c.fail("member %d votes for %d in term %d after %d", member, candidate, term, before)
	}
	c.votes[v] = candidate
}

// restarted: a member remembers what it has promised.
func (c *checker) restarted(n *node) {
	p, h := c.promised[n.id], n.log.HardState()
	if h.Term < p.term {
		c.fail("member %d comes back in term %d after term %d", n.id, h.Term, p.term)
	}
	if v := (vote{n.id, h.Term}); h.Vote != 0 && c.votes[v] != 0 && c.votes[v] != h.Vote {
		c.fail("member %d comes back with a vote for %d in term %d, after %d", n.id, h.Vote, h.Term, c.votes[v])
	}
	if c.votes[vote{n.id, h.Term}] != 0 && h.Vote == 0 {
		c.fail("member %d has forgotten its vote in term %d", n.id, h.Term)
	}
	if last, _ := n.log.LastIndex(); h.Term == p.term && last < p.index {
		c.fail("member %d comes back with entries up to %d after acknowledging %d in term %d", n.id, last, p.index, p.term)
	}
	c.matchLog(n)
	c.matchConf(n)
	index, digest := n.sm.Digest()
	switch before, ok := c.digests[index]; {
	case index == 0:
	case ok && before != digest, !ok && index > c.lastIndex:
		c.fail("member %d comes back with digest %x at %d, want %x", n.id, digest, index, before)
	case !ok: // the disk failed when the entry was on it, before it counted as applied
		c.count("state outlived its entry")
		c.digests[index] = digest
	}
}

// matchConf: the configuration at the applied index is the right one.
func (c *checker) matchConf(n *node) {
	applied := n.sm.Applied()
	newest := uint64(0)
	for index := range c.confs {
		if index <= applied {
			newest = max(newest, index)
		}
	}
	conf, ok := n.log.ConfAt(max(applied, 1))
	if newest > 0 && (!ok || raft.DescribeConfState(conf.State) != c.confs[newest]) {
		c.fail("member %d comes back at %d with configuration %s, want %s", n.id, applied, raft.DescribeConfState(conf.State), c.confs[newest])
	}
}

// matchLog compares a log with all that was ever written or committed.
func (c *checker) matchLog(n *node) {
	first, _ := n.log.FirstIndex()
	last, _ := n.log.LastIndex()
	if first > last {
		return
	}
	ents, err := n.log.Entries(first, last+1, 1<<62)
	if err != nil {
		c.fail("member %d: read log: %v", n.id, err)
		return
	}
	commit := n.log.HardState().Commit
	for _, e := range ents {
		id := entryID{e.GetIndex(), e.GetTerm()}
		if h, ok := c.entries[id]; !ok || h != hash(e.GetData()) {
			c.fail("member %d has an entry %d of term %d that nobody wrote", n.id, id.index, id.term)
		}
		if want, ok := c.committed[id.index]; ok && id.index <= commit && want != id {
			c.fail("member %d has committed entry %d of term %d, others of term %d", n.id, id.index, id.term, want.term)
		}
	}
}

// applying: everybody applies the same.
func (c *checker) applying(n *node, e *quorum.Entry) {
	id := entryID{e.Index, e.Term}
	if before, ok := c.committed[e.Index]; ok && before != id {
		c.fail("member %d applies entry %d of term %d, others of term %d", n.id, e.Index, e.Term, before.term)
	}
	if _, ok := c.entries[id]; !ok {
		c.fail("member %d applies entry %d of term %d that nobody wrote", n.id, e.Index, e.Term)
	}
	c.committed[e.Index] = id
	c.lastIndex = max(c.lastIndex, e.Index)
}

// applied: equal entries lead to equal states.
func (c *checker) applied(n *node) {
	index, digest := n.sm.Digest()
	if before, ok := c.digests[index]; ok && before != digest {
		c.fail("member %d has digest %x at %d, others %x", n.id, digest, index, before)
	}
	c.digests[index] = digest
}

func (c *checker) restored(n *node) {
	c.count("snapshot installed")
	c.applied(n)
}
