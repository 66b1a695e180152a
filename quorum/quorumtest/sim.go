package quorumtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
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
