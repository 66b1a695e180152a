package replica

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

var (
	simSeeds = flag.Int("seeds", 300, "number of simulations")
	simSeed  = flag.Uint64("seed", 0, "the only seed, if not 0")
)

// TestSimulation runs three replicas of a partition, each the product's core around a log in memory, with a
// tree, a controller and a network that a seed drives: requests and answers are late, lost and out of order,
// brokers are killed, are cut off from the tree, and come back, in another life or the same. After each step:
//
//	K1, K4  what is below two replicas' high watermarks is the same
//	K2      who leads has each acknowledged record where it was acknowledged
//	K4      the end that clients are told does not go back, and what is before it stays
//	K10     nothing is taken from a leader or a life that is over
//	K11     nothing that was acknowledged is cut off from a member of the ISR
func TestSimulation(t *testing.T) {
	for i := range *simSeeds {
		seed := uint64(i + 1)
		if *simSeed != 0 {
			seed = *simSeed
		}
		s := newSim(t, seed)
		for range 1500 {
			s.step()
		}
		s.heal()
		if t.Failed() {
			return
		}
	}
}

const simBrokers = 3

// simEntry is a record: a value that no other has, and the epoch in which a leader appended it.
type simEntry struct {
	epoch int32
	value int
}

// simState is what the tree has, with the brokers' registrations.
type simState struct {
	version, leader, epoch int32
	isr                    []int32
	modified               int64
	lives                  [simBrokers + 1]int64 // -1: gone
}

func (s *simState) restarted(id int32) bool { return s.lives[id] > s.modified }

// simNode is a broker's replica.
type simNode struct {
	id     int32
	log    []simEntry
	hw     int64
	up     bool
	cut    bool // from the tree: it sees and writes nothing
	life   int64
	view   simState // of the tree, perhaps an old one
	inbox  []simState
	core   *core // while it leads
	epoch  int32
	leader int32
	asked  *simFetch // as a fetcher, it takes the answer to its last request only
	start  instant   // of its process: late requests of the one before do not count
}

func (n *simNode) lives(id int32) int64 { return n.view.lives[id] }

func (n *simNode) lastEpoch() int32 {
	if len(n.log) == 0 {
		return -1
	}
	return n.log[len(n.log)-1].epoch
}

// epochEnd is partition.Log.EpochEnd of a log whose epochs are those of its records.
func (n *simNode) epochEnd(epoch int32) (int32, int64) {
	best, end := epoch, int64(0) // of an epoch before the first: it ends where that begins
	if len(n.log) == 0 {
		return -1, -1
	}
	for i, e := range n.log {
		if e.epoch <= epoch {
			best, end = e.epoch, int64(i+1)
		}
	}
	if epoch > n.lastEpoch() && n.core == nil {
		return -1, -1
	}
	return best, end
}

// simFetch is a follower's request, and its answer.
type simFetch struct {
	from, to         int32
	life             int64
	epoch, lastEpoch int32
	offset           int64
	answered         bool
	code             kerror.Code
	diverging        *protocol.EpochEnd
	records          []simEntry
	hw               int64
}

// simWrite is an ISR change on its way to the tree, or its outcome on the way back.
type simWrite struct {
	n       *simNode
	core    *core
	change  *change
	epoch   int32
	outcome int32 // version, once the tree has answered
	done    bool
}

type simAck struct {
	offset int64
	value  int
}

type sim struct {
	t       *testing.T
	seed    uint64
	r       *rand.Rand
	now     instant
	zxid    int64
	tree    simState
	nodes   []*simNode
	fetches []*simFetch
	writes  []*simWrite
	waiting map[*simNode][]simAck // appended, not acknowledged
	acked   map[int64]int
	shown   []int // values before the end that clients were told
	value   int
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 9)), waiting: map[*simNode][]simAck{}, acked: map[int64]int{}}
	s.tree = simState{leader: -1, epoch: -1, isr: []int32{1, 2, 3}}
	for id := range int32(simBrokers) {
		s.nodes = append(s.nodes, &simNode{id: id + 1, epoch: -1, leader: -1})
	}
	for _, n := range s.nodes {
		s.start(n)
	}
	s.control()
	return s
}

func (s *sim) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("seed %d: %s", s.seed, fmt.Sprintf(format, args...))
}

func (s *sim) node(id int32) *simNode { return s.nodes[id-1] }

// publish tells all brokers that can hear it what the tree has.
func (s *sim) publish() {
	state := s.tree
	state.isr = slices.Clone(state.isr)
	for _, n := range s.nodes {
		if n.up {
			n.inbox = append(n.inbox, state)
		}
	}
}

func (s *sim) start(n *simNode) {
	s.zxid++
	n.up, n.cut, n.life, n.core, n.leader, n.start = true, false, s.zxid, nil, -1, s.now
	s.tree.lives[n.id] = n.life
	n.inbox = nil
	n.hw = s.r.Int64N(n.hw + 1) // as it was noted last
	s.publish()
}

// expire ends a broker's session.
func (s *sim) expire(n *simNode) {
	s.zxid++
	s.tree.lives[n.id] = -1
	s.publish()
}

func (s *sim) step() {
	s.now += instant(time.Duration(s.r.IntN(300)) * time.Millisecond)
	n := s.nodes[s.r.IntN(simBrokers)]
	switch k := s.r.IntN(100); {
	case k < 18:
		s.produce(n)
	case k < 38:
		s.fetch(n)
	case k < 62:
		s.deliver()
	case k < 74:
		s.hear(n)
	case k < 82:
		s.propose(n, s.r.IntN(2) == 0)
	case k < 90:
		s.write()
	case k < 96:
		s.control()
	case k < 98:
		s.fault(n)
	default:
		s.mend(n)
	}
	s.check()
}

// produce has a client write with acks of all to whoever believes that it leads.
func (s *sim) produce(n *simNode) {
	if !n.up || n.core == nil || n.core.admits() != kerror.OK {
		return
	}
	s.value++
	n.log = append(n.log, simEntry{n.epoch, s.value})
	s.waiting[n] = append(s.waiting[n], simAck{int64(len(n.log) - 1), s.value})
	n.core.appended(s.now, int64(len(n.log)), int64(len(n.log)))
	s.settle(n)
}

// settle acknowledges what the high watermark has passed.
func (s *sim) settle(n *simNode) {
	n.hw = max(n.hw, n.core.hw)
	left := s.waiting[n][:0]
	for _, a := range s.waiting[n] {
		switch {
		case a.offset >= n.core.hw:
			left = append(left, a)
		case n.core.acknowledges() == kerror.OK:
			s.acked[a.offset] = a.value
		}
	}
	s.waiting[n] = left
}

// fetch sends a follower's request; an earlier one, which it has given up, may still reach the leader.
func (s *sim) fetch(n *simNode) {
	if !n.up || n.core != nil || n.leader < 1 || n.life != n.view.lives[n.id] {
		return
	}
	n.asked = &simFetch{from: n.id, to: n.leader, life: n.life, epoch: n.epoch, lastEpoch: n.lastEpoch(), offset: int64(len(n.log))}
	s.fetches = append(s.fetches, n.asked)
}

// deliver has any request or answer arrive, or get lost.
func (s *sim) deliver() {
	if len(s.fetches) == 0 {
		return
	}
	i := s.r.IntN(len(s.fetches))
	f := s.fetches[i]
	if f.answered || s.r.IntN(10) == 0 {
		s.fetches = slices.Delete(s.fetches, i, i+1)
	}
	switch {
	case f.answered:
		s.take(f)
	case s.node(f.to).up:
		s.serve(f)
	}
}

// serve is a leader's side, as fetch.recordPart and the read after it have it.
func (s *sim) serve(f *simFetch) {
	n := s.node(f.to)
	f.answered = true
	if n.core == nil || f.epoch != n.epoch {
		f.code = kerror.NotLeaderOrFollower
		return
	}
	if f.lastEpoch >= 0 {
		if epoch, end := n.epochEnd(f.lastEpoch); epoch < f.lastEpoch || end < f.offset {
			f.diverging = &protocol.EpochEnd{Epoch: epoch, EndOffset: end}
			return
		}
	}
	if f.offset > int64(len(n.log)) {
		f.code = kerror.OffsetOutOfRange
		return
	}
	if _, f.code = n.core.fetched(s.now, fetched{From: f.from, BrokerEpoch: f.life, Offset: f.offset}); f.code != kerror.OK {
		return
	}
	s.settle(n)
	f.records = slices.Clone(n.log[f.offset:min(int64(len(n.log)), f.offset+1+s.r.Int64N(4))])
	f.hw = n.core.hw
}

// take is a follower's side, as followed.take has it.
func (s *sim) take(f *simFetch) {
	n := s.node(f.from)
	if n.asked != f || !n.up || n.life != f.life || n.core != nil || n.epoch != f.epoch || int64(len(n.log)) != f.offset || f.code != kerror.OK {
		return
	}
	if f.diverging != nil {
		local := protocol.EpochEnd{}
		local.Epoch, local.EndOffset = n.epochEnd(f.diverging.Epoch)
		to := commonEnd(*f.diverging, local, int64(len(n.log)))
		if to < 0 {
			to = 0
		}
		n.log = n.log[:to]
		n.hw = min(n.hw, to)
		return
	}
	n.log = append(n.log, f.records...)
	n.hw = max(n.hw, min(f.hw, int64(len(n.log))))
}

// hear has a broker learn what the tree had next, as Set.Apply does.
func (s *sim) hear(n *simNode) {
	if !n.up || n.cut || len(n.inbox) == 0 {
		return
	}
	state := n.inbox[0]
	n.inbox = n.inbox[1:]
	n.view = state
	if n.core != nil {
		for id := range int32(simBrokers) {
			if id+1 != n.id {
				n.core.broker(id+1, state.lives[id+1])
				n.core.advance(s.now)
			}
		}
	}
	switch {
	case state.epoch < n.epoch || state.epoch < 0:
	case state.leader == n.id && n.core != nil && state.epoch == n.epoch:
		n.core.updated(s.now, state.version, state.isr, []int32{1, 2, 3}, false)
	case state.leader == n.id && state.modified > n.life && state.lives[n.id] == n.life:
		s.ascend(n, state)
	case state.leader > 0 && state.leader != n.id:
		s.resign(n)
		n.epoch, n.leader = state.epoch, state.leader
	default:
		s.resign(n)
		n.epoch, n.leader = state.epoch, -1
	}
	if n.core != nil {
		s.settle(n)
	}
}

func (s *sim) ascend(n *simNode, state simState) {
	s.resign(n)
	end := int64(len(n.log))
	c := newCore(s.now, leadership{Self: n.id, Epoch: state.epoch, Version: state.version, ISR: state.isr, Replicas: []int32{1, 2, 3},
		LEO: end, Durable: end, HW: n.hw, MinISR: 2, LagMax: 5 * time.Second, Lives: n.lives})
	for _, id := range state.isr {
		if id != n.id && state.restarted(id) {
			c.voided(id)
		}
	}
	n.core, n.epoch, n.leader = c, state.epoch, n.id
	for offset, value := range s.acked {
		if offset >= end || n.log[offset].value != value {
			s.failf("K2: broker %d leads in epoch %d without record %d, acknowledged at offset %d", n.id, n.epoch, value, offset)
		}
	}
}

func (s *sim) resign(n *simNode) {
	n.core = nil
	delete(s.waiting, n)
}

// propose has a leader send a change of its ISR.
func (s *sim) propose(n *simNode, shrink bool) {
	if !n.up || n.core == nil || slices.ContainsFunc(s.writes, func(w *simWrite) bool { return w.core == n.core }) {
		return
	}
	if ch, ok := n.core.propose(s.now, n.lives, shrink); ok {
		s.writes = append(s.writes, &simWrite{n: n, core: n.core, change: ch, epoch: n.epoch})
	}
}

// write has any such change reach the tree, or its outcome the leader.
func (s *sim) write() {
	if len(s.writes) == 0 {
		return
	}
	i := s.r.IntN(len(s.writes))
	w := s.writes[i]
	if !w.done {
		if w.n.cut {
			return
		}
		w.done, w.outcome = true, -1
		if s.tree.version == w.change.version {
			s.change(w.n.id, w.epoch, slices.Clone(w.change.isr))
			w.outcome = s.tree.version
		}
		return
	}
	s.writes = slices.Delete(s.writes, i, i+1)
	if w.n.core != w.core || !w.n.up || w.outcome < 0 || s.r.IntN(5) == 0 { // the answer may be lost
		return
	}
	w.core.confirmed(s.now, w.change, w.outcome)
	s.settle(w.n)
}

func (s *sim) change(leader, epoch int32, isr []int32) {
	s.zxid++
	s.tree.version++
	s.tree.leader, s.tree.epoch, s.tree.isr, s.tree.modified = leader, epoch, isr, s.zxid
	s.publish()
}

// control is the controller's decision; see controller.view.
func (s *sim) control() {
	t := &s.tree
	var fit []int32
	for _, id := range t.isr {
		if t.lives[id] >= 0 && !t.restarted(id) {
			fit = append(fit, id)
		}
	}
	switch {
	case t.epoch < 0:
		s.change(1, 0, []int32{1, 2, 3})
	case slices.Contains(fit, t.leader):
		if len(fit) < len(t.isr) {
			s.change(t.leader, t.epoch, fit)
		}
	case len(fit) > 0:
		s.change(fit[0], t.epoch+1, fit)
	default:
		for _, id := range t.isr {
			if t.lives[id] >= 0 {
				s.change(id, t.epoch+1, []int32{id})
				return
			}
		}
		if t.leader >= 0 {
			s.change(-1, t.epoch+1, slices.Clone(t.isr))
		}
	}
}

// fault kills a broker, or cuts it off from the tree; its session ends now or later, or not.
func (s *sim) fault(n *simNode) {
	if !n.up {
		return
	}
	if s.r.IntN(2) == 0 {
		n.up = false
		s.resign(n)
		s.expire(n)
		return
	}
	n.cut = true
	if s.r.IntN(2) == 0 {
		s.expire(n)
	}
}

// mend starts a broker that is down, or has one that was cut off see the tree again.
func (s *sim) mend(n *simNode) {
	switch {
	case !n.up:
		s.start(n)
	case n.cut:
		n.cut = false
		if s.tree.lives[n.id] != n.life { // it registers again: another life, the same process
			s.zxid++
			n.life = s.zxid
			s.tree.lives[n.id] = n.life
			s.publish()
		}
	}
}

// check looks at what must hold at all times.
func (s *sim) check() {
	for i, a := range s.nodes {
		if a.hw > int64(len(a.log)) {
			s.failf("broker %d has %d records and high watermark %d", a.id, len(a.log), a.hw)
			return
		}
		for _, b := range s.nodes[i+1:] {
			n := min(a.hw, b.hw)
			if !slices.Equal(a.log[:n], b.log[:n]) {
				s.failf("K1: brokers %d and %d differ below %d", a.id, b.id, n)
			}
		}
	}
	n := s.node(max(s.tree.leader, 1))
	if s.tree.leader < 1 || n.core == nil || n.epoch != s.tree.epoch || !n.core.settledIn() {
		return
	}
	if int(n.core.hw) < len(s.shown) {
		s.failf("K4: clients were told %d, and are told %d by broker %d", len(s.shown), n.core.hw, n.id)
	}
	for i, value := range s.shown[:min(len(s.shown), int(n.core.hw))] {
		if n.log[i].value != value {
			s.failf("K4: record %d at offset %d was shown, now it is %d", value, i, n.log[i].value)
			return
		}
	}
	for i := len(s.shown); i < int(n.core.hw); i++ {
		s.shown = append(s.shown, n.log[i].value)
	}
}

// heal ends all faults, and expects that all is replicated and acknowledged then: nobody is stuck.
func (s *sim) heal() {
	for _, n := range s.nodes {
		s.mend(n)
	}
	before := len(s.acked)
	for range 3000 {
		s.now += instant(20 * time.Millisecond)
		for _, n := range s.nodes {
			s.hear(n)
			s.propose(n, true)
			if !slices.ContainsFunc(s.fetches, func(f *simFetch) bool { return f.from == n.id }) {
				s.fetch(n)
			}
		}
		s.deliver()
		s.write()
		s.control()
		if s.tree.leader > 0 && s.r.IntN(20) == 0 {
			s.produce(s.node(s.tree.leader))
		}
		s.check()
	}
	if len(s.tree.isr) != simBrokers || len(s.acked) == before {
		s.failf("with all faults over the ISR is %v, and %d more records are acknowledged", s.tree.isr, len(s.acked)-before)
	}
	for _, n := range s.nodes {
		for offset, value := range s.acked {
			if offset < n.hw && n.log[offset].value != value {
				s.failf("K11: broker %d lost record %d, acknowledged at offset %d", n.id, value, offset)
			}
		}
	}
}
