package quorumtest

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum"
	"holt/quorum/transport"
)

// simNode is a node with what the scheduler knows of it.
type simNode struct {
	*node
	join      bool
	appending bool // a write to the disk is under way
	applying  bool
	frozen    time.Duration // stands still until then
	slowDisk  time.Duration // extra time of a write
	drift     int           // its clock's error in percent
}

func (s *sim) node(id uint64) *simNode {
	if id == 0 || id > uint64(len(s.nodes)) {
		return nil
	}
	return s.nodes[id-1]
}

func (s *sim) start(n *simNode) {
	if err := n.start(n.join); err != nil {
		s.check.fail("member %d does not start: %v", n.id, err)
	}
	s.trace.add(uint64(s.now), n.id, n.sm.Applied())
	n.appending, n.applying = false, false
	s.tick(n)
	s.pump(n)
	// The first moments are when a member knows least.
	for s.chance(2) {
		s.on(n, s.between(0, 5*time.Millisecond), func() { s.barrierOn(n) })
	}
}

func (s *sim) tick(n *simNode) {
	s.on(n, 50*time.Millisecond*time.Duration(100+n.drift)/100, func() {
		n.core.Tick()
		s.tick(n)
	})
}

// pump takes out what the core wants done and schedules it.
func (s *sim) pump(n *simNode) {
	if !n.up {
		return
	}
	if err := n.pump(); err != nil {
		s.must(n, err)
		return
	}
	s.trace.add(uint64(s.now), n.id, n.core.Leadership().Term, n.sm.Applied())
	out := n.out
	n.out = nil
	for _, m := range out {
		s.transmit(n, m)
	}
	snaps := n.snapshots
	n.snapshots = nil
	for _, m := range snaps {
		s.sendSnapshot(n, m)
	}
	if len(n.appends) > 0 && !n.appending {
		n.appending = true
		s.write(n)
	}
	if (len(n.applies) > 0 || len(n.reads) > 0) && !n.applying {
		n.applying = true
		s.on(n, s.between(10*time.Microsecond, time.Millisecond), func() {
			n.applying = false
			s.must(n, n.try(n.apply))
		})
	}
	if n.flush {
		n.flush = false
		s.on(n, s.between(time.Millisecond, 50*time.Millisecond), func() { s.must(n, n.try(n.doFlush)) })
	}
	if n.checkpoint {
		n.checkpoint = false
		s.on(n, s.between(time.Millisecond, 20*time.Millisecond), func() { s.must(n, n.try(n.doCheckpoint)) })
	}
}

// write is the disk. It writes all jobs that wait, some time after they came;
// a snapshot is taken over after that, and the core hears of it later still. A
// crash in between finds a part of it done.
func (s *sim) write(n *simNode) {
	slow := n.slowDisk
	if s.chance(2) {
		slow = 0
	}
	s.on(n, s.between(0, 300*time.Microsecond)+slow, func() {
		var jobs []*quorum.Append
		if !s.must(n, n.try(func() (err error) { jobs, err = n.write(); return err })) {
			return
		}
		if installs(jobs) > 0 && !s.healing && s.chance(5) {
			// Between the log's part of an installation and the state machine's: too
			// short a time for faults drawn at random to hit it.
			s.crash(n, s.chance(2))
			return
		}
		s.on(n, s.between(0, 30*time.Millisecond)*time.Duration(installs(jobs)), func() {
			if installs(jobs) > 0 && s.opts.DiskErrors && !s.healing && s.chance(4) {
				n.faulty.failAfter(s.rng.IntN(30)) // in the middle of it
			}
			if !s.must(n, n.try(func() error { return n.install(jobs) })) {
				return
			}
			s.on(n, s.between(50*time.Microsecond, time.Millisecond)+max(n.slowDisk-slow, 0), func() {
				n.appending = false
				s.must(n, n.try(func() error { return n.appended(jobs) }))
			})
		})
	})
}

func installs(jobs []*quorum.Append) int {
	if jobs[0].Install != nil {
		return 1
	}
	return 0
}

// must reports whether the member goes on: it ends if its disk has failed. Any
// other failure is a violation.
func (s *sim) must(n *simNode, err error) bool {
	switch {
	case err == nil:
		return true
	case n.faulty.hasFailed():
		s.check.count("disk error")
		s.crash(n, s.chance(2))
		return false
	}
	s.check.fail("member %d: %v", n.id, err)
	return false
}

// transmit sends a message over the simulated network, encoded and decoded as
// the real one.
func (s *sim) transmit(from *simNode, m *raftpb.Message) {
	b, err := transport.AppendMessage(nil, m)
	s.must(from, err)
	copies := 1
	if s.net.loss > 0 && s.rng.IntN(1000) < s.net.loss {
		copies = 0
		s.check.count("message lost")
	}
	if s.net.double > 0 && s.rng.IntN(1000) < s.net.double {
		copies++
	}
	for range copies {
		s.after(s.net.delay(s), func() { s.deliver(from.id, m.GetTo(), b) })
	}
}

func (s *sim) deliver(from, to uint64, b []byte) {
	n := s.node(to)
	if n == nil || s.net.isCut(from, to) {
		return
	}
	s.on(n, 0, func() {
		m, err := transport.DecodeMessage(slices.Clone(b))
		s.must(n, err)
		n.core.Step(m)
	})
}

// sendSnapshot carries files, which takes a while, may fail, and is reported to
// the sender.
func (s *sim) sendSnapshot(from *simNode, m *raftpb.Message) {
	inc := from.incarnation
	s.after(s.between(time.Millisecond, 300*time.Millisecond), func() {
		to, ok := s.node(m.GetTo()), false
		if to != nil && to.up && to.frozen <= s.now && from.up && from.incarnation == inc &&
			!s.net.isCut(from.id, to.id) && (s.healing || !s.chance(5)) {
			b, err := transport.AppendMessage(nil, m)
			s.must(from, err)
			msg, err := transport.DecodeMessage(b)
			s.must(from, err)
			err = to.try(func() (err error) { ok, err = to.receive(msg, from.node); return err })
			if s.must(to, err) {
				s.pump(to)
			}
		}
		if from.up && from.incarnation == inc {
			s.on(from, time.Millisecond, func() { from.core.SnapshotSent(m.GetTo(), ok) })
		}
	})
}
