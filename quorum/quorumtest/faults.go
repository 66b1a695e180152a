package quorumtest

import (
	"slices"
	"time"

	"holt/quorum"
)

// network is what is wrong with the network. Loss and doubling are per mille.
type network struct {
	cut          map[[2]uint64]bool
	loss, double int
	slow         bool
	arrives      map[[2]uint64]time.Duration // of the last message of a Load, by sender and receiver
}

func (w *network) isCut(from, to uint64) bool { return w.cut[[2]uint64{from, to}] }

// delay varies so much that messages overtake each other.
func (w *network) delay(s *sim) time.Duration {
	switch {
	case s.healing:
		return s.between(100*time.Microsecond, time.Millisecond)
	case w.slow:
		return s.between(time.Millisecond, 100*time.Millisecond)
	case s.chance(50):
		return s.between(time.Millisecond, time.Second)
	}
	return s.between(100*time.Microsecond, 3*time.Millisecond)
}

// fault does something bad, or makes something good, again and again.
func (s *sim) fault() {
	faults := []func(){
		s.crashOne, s.crashOne, s.crashOne, s.crashAll,
		s.startSome, s.startSome, s.startSome, s.startSome,
		s.partition, s.oneWay, s.unite, s.unite, s.unite,
		s.weather, s.freeze, s.disk, s.transfer, s.reconfigure, s.reconfigure,
	}
	if s.opts.DiskErrors {
		faults = append(faults, s.diskError)
	}
	s.after(s.between(50*time.Millisecond, time.Second), func() {
		if s.healing {
			return
		}
		faults[s.rng.IntN(len(faults))]()
		s.fault()
	})
}

func (s *sim) anyUp() *simNode {
	var up []*simNode
	for _, n := range s.nodes {
		if n.up {
			up = append(up, n)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[s.rng.IntN(len(up))]
}

func (s *sim) crashOne() {
	if n := s.anyUp(); n != nil {
		s.crash(n, s.chance(2))
	}
}

// crash ends a member. With the process the kernel closes its connections, so
// the others learn of it, unless the machine goes down with it.
func (s *sim) crash(n *simNode, keepUnsynced bool) {
	if len(n.appends) > 0 || n.appending {
		s.check.count("crash during write")
	}
	if err := n.crash(keepUnsynced); err != nil {
		s.check.fail("member %d: close: %v", n.id, err)
	}
	n.frozen, n.slowDisk = 0, 0
	s.check.count("crash")
	if !keepUnsynced {
		s.check.count("power loss")
		return
	}
	for _, other := range s.nodes {
		if other.up && !s.net.isCut(n.id, other.id) {
			s.on(other, s.between(100*time.Microsecond, 5*time.Millisecond), func() { other.core.PeerGone(n.id) })
		}
	}
}

func (s *sim) crashAll() {
	if !s.chance(2) {
		return
	}
	s.check.count("all crash")
	for _, n := range s.nodes {
		if n.up {
			s.crash(n, s.chance(2))
		}
	}
}

// startSome starts members that are down, newcomers only if they are wanted.
func (s *sim) startSome() {
	for _, n := range s.nodes {
		if !n.up && !s.chance(3) && s.wanted(n) {
			s.start(n)
		}
	}
}

// wanted: a founder, or a newcomer that some member knows of.
func (s *sim) wanted(n *simNode) bool {
	if !n.join || n.incarnation > 0 {
		return true
	}
	for _, other := range s.nodes {
		if other.up && slices.ContainsFunc(other.core.Members(), func(m quorum.MemberConfig) bool { return m.ID == n.id }) {
			return true
		}
	}
	return false
}

// partition splits the members into two groups.
func (s *sim) partition() {
	s.check.count("partition")
	side := make([]bool, len(s.nodes))
	for i := range side {
		side[i] = s.chance(2)
	}
	for i, a := range s.nodes {
		for j, b := range s.nodes {
			if side[i] != side[j] {
				s.net.cut[[2]uint64{a.id, b.id}] = true
			}
		}
	}
}

// oneWay cuts one direction between two members.
func (s *sim) oneWay() {
	a, b := s.nodes[s.rng.IntN(len(s.nodes))], s.nodes[s.rng.IntN(len(s.nodes))]
	s.net.cut[[2]uint64{a.id, b.id}] = a != b
}

func (s *sim) unite() { clear(s.net.cut) }

func (s *sim) weather() {
	s.net.loss, s.net.double, s.net.slow = 0, 0, false
	switch s.rng.IntN(4) {
	case 0:
		s.net.loss = s.rng.IntN(300)
	case 1:
		s.net.double = s.rng.IntN(500)
	case 2:
		s.net.slow = true
	}
}

// freeze makes a member stand still, as SIGSTOP does.
func (s *sim) freeze() {
	if n := s.anyUp(); n != nil {
		n.frozen = s.now + s.between(10*time.Millisecond, 3*time.Second)
	}
}

func (s *sim) disk() {
	if n := s.anyUp(); n != nil {
		n.slowDisk = 0
		if s.chance(2) {
			n.slowDisk = s.between(time.Millisecond, time.Second)
		}
	}
}

// diskError has one of the next writes of a member's disk fail, and all after it.
func (s *sim) diskError() {
	if n := s.anyUp(); n != nil {
		n.faulty.failAfter(s.rng.IntN(40))
	}
}

func (s *sim) transfer() {
	if l := s.leader(); l != nil && l.frozen <= s.now {
		l.core.Transfer(s.nodes[s.rng.IntN(len(s.nodes))].id)
		s.pump(l)
	}
}

// reconfigure has the leader change the membership at random. At least two
// founders stay voters; removed members do not come back.
func (s *sim) reconfigure() {
	l := s.leader()
	if l == nil || l.frozen > s.now {
		return
	}
	members := l.core.Members()
	find := func(id uint64) *quorum.MemberConfig {
		if i := slices.IndexFunc(members, func(m quorum.MemberConfig) bool { return m.ID == id }); i >= 0 {
			return &members[i]
		}
		return nil
	}
	n := s.nodes[s.opts.Voters+s.rng.IntN(len(s.nodes)-s.opts.Voters)]
	var change quorum.MembershipChange
	switch m := find(n.id); {
	case s.opts.OnlyNewcomers && (m != nil || n.incarnation > 0):
		return
	case s.opts.OnlyNewcomers:
		change.Add = []quorum.MemberConfig{{ID: n.id, Addr: "somewhere", Learner: true}}
	case m == nil && n.incarnation == 0:
		change.Add = []quorum.MemberConfig{{ID: n.id, Addr: "somewhere", Learner: s.chance(2)}}
	case m == nil:
		return // was removed
	case s.chance(4):
		change.Remove = []uint64{n.id}
	default:
		change.Add = []quorum.MemberConfig{{ID: n.id, Addr: m.Addr, Learner: !m.Learner}}
	}
	if s.opts.Load == nil { // a load's state machine might not know what to do with it
		change.Data = []byte("change")
	}
	if err := l.core.ProposeChange(change); err != nil {
		s.check.count("change refused")
	}
	s.pump(l)
}

// heal ends all faults and starts everybody who is wanted.
func (s *sim) heal() {
	s.healing = true
	s.net = network{cut: map[[2]uint64]bool{}}
	for _, n := range s.nodes {
		n.frozen, n.slowDisk = 0, 0
		if n.up && n.faulty.mend() {
			s.crash(n, false)
		}
	}
	s.healMembers()
	for _, n := range s.nodes {
		if n.up {
			last, _ := n.log.LastIndex()
			s.goal = max(s.goal, last+1)
		}
	}
}

// healMembers starts those that are down, also ones that become wanted only
// when the others know more.
func (s *sim) healMembers() {
	for _, n := range s.nodes {
		if !n.up && s.wanted(n) {
			s.start(n)
		}
	}
	if l := s.leader(); s.opts.Load != nil && l != nil && l.sm.Applied() < s.goal {
		l.core.Propose(l.core.Leadership().Term, nil) // the load may have nothing more to write
		s.pump(l)
	}
	s.after(time.Second, s.healMembers)
}
