package quorumtest

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum"
	"holt/quorum/transport"
)

// Result is what a simulation went through.
type Result struct {
	// Sometimes counts the situations that were reached, by name.
	Sometimes map[string]int
	// Trace is a hash of everything that happened: equal for equal seeds.
	Trace uint64
}

// Simulate runs an ensemble for some simulated time under faults drawn from
// seed: crashes with and without loss of what was not synced, restarts, partitions,
// loss, doubling and reordering of messages, slow disks, members that stand still,
// changes of membership. After each step it checks what the checker promises.
// Then everything is healed, and the ensemble must agree and take writes. A
// violation fails t with the seed.
//
// Raft draws its timeouts from crypto/rand, which is seeded for the test: t
// must not run in parallel with others.
func Simulate(t *testing.T, seed uint64, lasting time.Duration, o Options) Result {
	t.Helper()
	r, err := Try(t, seed, lasting, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Try is Simulate, but returns a violation, so that a test can make sure that there is one.
func Try(t *testing.T, seed uint64, lasting time.Duration, o Options) (result Result, err error) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	s := newSim(seed, o)
	s.check.fail = func(format string, args ...any) {
		panic(violation(fmt.Sprintf(format, args...)))
	}
	defer func() {
		s.closeAll()
		switch r := recover().(type) {
		case nil:
		case violation:
			err = fmt.Errorf("seed %d, at %v: %w", seed, s.now, r)
		default:
			t.Errorf("seed %d, at %v", seed, s.now)
			panic(r)
		}
	}()
	s.run(lasting)
	s.settle()
	return Result{Sometimes: s.check.sometimes, Trace: s.trace.Sum64()}, nil
}

type violation string

func (v violation) Error() string { return string(v) }

// sim schedules what happens to the members of an ensemble.
type sim struct {
	opts  Options
	rng   *rand.Rand
	check *checker
	nodes []*simNode // by id - 1, also those that are not members yet
	queue events
	seq   int
	now   time.Duration
	trace traceHash

	net     network
	healing bool   // no more faults
	goal    uint64 // index that all have to apply after healing
	written int    // proposals made
}

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

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(e any)   { *q = append(*q, e.(event)) }
func (q *events) Pop() any {
	e := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = event{}
	*q = (*q)[:len(*q)-1]
	return e
}

// traceHash accumulates what happened.
type traceHash struct{ sum uint64 }

func (h *traceHash) add(v ...uint64) {
	f := fnv.New64a()
	var b [8]byte
	for _, x := range append(v, h.sum) {
		binary.BigEndian.PutUint64(b[:], x)
		f.Write(b[:])
	}
	h.sum = f.Sum64()
}

func (h *traceHash) Sum64() uint64 { return h.sum }

// spare members can be added while a simulation runs.
const spares = 2

func newSim(seed uint64, o Options) *sim {
	s := &sim{opts: o.withDefaults(), rng: rand.New(rand.NewPCG(seed, 1)), check: newChecker(nil)}
	s.net.cut = map[[2]uint64]bool{}
	if s.opts.World != nil {
		s.opts.World.s = s
	}
	founders := s.opts.Voters + s.opts.Learners
	for i := range founders + spares {
		s.nodes = append(s.nodes, &simNode{
			node: &node{id: uint64(i + 1), opts: &s.opts, check: s.check, disk: vfs.NewCrashableMem()},
			join: i >= founders, drift: s.rng.IntN(21) - 10,
		})
	}
	return s
}

// after schedules an event.
func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.queue, event{at: s.now + d, seq: s.seq, do: do})
}

// on schedules an event of a member, forgotten if it crashes before and put
// off while it stands still.
func (s *sim) on(n *simNode, d time.Duration, do func()) {
	inc := n.incarnation
	s.after(d, func() {
		if n.incarnation != inc || !n.up {
			return
		}
		if n.frozen > s.now {
			s.on(n, n.frozen-s.now, do)
			return
		}
		do()
		s.pump(n)
	})
}

func (s *sim) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.rng.Int64N(int64(hi-lo)+1))
}

// chance is true in one of n cases.
func (s *sim) chance(n int) bool { return s.rng.IntN(n) == 0 }

func (s *sim) run(lasting time.Duration) {
	for _, n := range s.nodes[:s.opts.Voters+s.opts.Learners] {
		s.start(n)
	}
	if s.opts.Load != nil {
		s.opts.Load.Begin()
	} else {
		s.propose()
	}
	s.read()
	s.fault()
	s.until(lasting, func() bool { return false })
}

// until steps until a time, or until done.
func (s *sim) until(end time.Duration, done func() bool) {
	for len(s.queue) > 0 && s.queue[0].at <= end && !done() {
		e := heap.Pop(&s.queue).(event)
		s.now = e.at
		e.do()
	}
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

func (s *sim) node(id uint64) *simNode {
	if id == 0 || id > uint64(len(s.nodes)) {
		return nil
	}
	return s.nodes[id-1]
}

// propose keeps writing to whoever leads.
func (s *sim) propose() {
	s.after(s.between(time.Millisecond, 60*time.Millisecond), func() {
		for _, n := range s.nodes {
			if !n.up || !n.core.Leadership().Self || n.frozen > s.now {
				continue
			}
			for range 1 + s.rng.IntN(4) {
				s.written++
				data := fmt.Appendf(nil, "%d %0*d", s.written, s.rng.IntN(200), 0)
				n.core.Propose(n.core.Leadership().Term, data)
			}
			s.pump(n)
		}
		s.propose()
	})
}

// read keeps asking for barriers, anywhere, and checks that each one waits for
// all that anybody had applied when it was asked for.
func (s *sim) read() {
	s.after(s.between(5*time.Millisecond, 100*time.Millisecond), func() {
		n := s.nodes[s.rng.IntN(len(s.nodes))]
		if n.up && n.frozen <= s.now {
			s.barrierOn(n)
			s.pump(n)
		}
		s.read()
	})
}

func (s *sim) barrierOn(n *simNode) {
	asked := s.check.lastIndex
	n.core.Read(func(err error) {
		s.check.count("barrier")
		if err == nil && n.sm.Applied() < asked {
			s.check.fail("barrier on member %d passes at %d, %d was applied before it was asked for", n.id, n.sm.Applied(), asked)
		}
	})
}

func (s *sim) closeAll() {
	for _, n := range s.nodes {
		if n.log != nil { // the disk is thrown away
			if n.faulty.hasFailed() {
				go abandon(n.log, n.sm)
				continue
			}
			n.log.Close()
		}
		if n.sm != nil {
			n.sm.Close()
		}
	}
}

// leader returns a member that leads, the one of the highest term.
func (s *sim) leader() *simNode {
	var best *simNode
	for _, n := range s.nodes {
		if n.up && n.core.Leadership().Self && (best == nil || n.core.Leadership().Term > best.core.Leadership().Term) {
			best = n
		}
	}
	return best
}

// settle heals everything and lets the ensemble come to rest: it must elect a
// leader, take a write, and agree.
func (s *sim) settle() {
	s.heal()
	s.until(s.now+30*time.Second, s.settled)
	if !s.settled() {
		s.check.fail("ensemble does not settle: %s", s.describe())
	}
	if s.opts.Load != nil {
		s.opts.Load.End()
	}
	for _, n := range s.nodes {
		if n.up {
			s.check.matchLog(n.node)
		}
	}
}

// settled: entries made after healing have reached all members.
func (s *sim) settled() bool {
	l := s.leader()
	if l == nil || l.core.Status().Joint || s.opts.Load != nil && !s.opts.Load.Quiet() {
		return false
	}
	for _, m := range l.core.Members() {
		n := s.node(m.ID)
		if !n.up || n.sm.Applied() < s.goal || s.opts.Load != nil && n.sm.Applied() < l.sm.Applied() {
			return false
		}
	}
	return true
}

func (s *sim) describe() string {
	text := ""
	for _, n := range s.nodes {
		if n.up {
			text += fmt.Sprintf("\n%+v", n.core.Status())
		} else {
			text += fmt.Sprintf("\nmember %d is down", n.id)
		}
	}
	return text
}
