package group

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

var seed = flag.Uint64("seed", 0, "of TestRandom; 0: a few fixed ones")

// TestRandom drives a core with clients that join, assign, commit, die and come back, over a log that holds
// back, refuses and loses, through coordinators that crash. Whatever happens:
//
//   - each request is answered once;
//   - a generation has one leader and one protocol, and only its leader learns the members;
//   - generations do not go back under one coordinator;
//   - what a member is assigned is of its generation, made by its leader, for it, and in the log before;
//   - who belongs to an older generation does not commit;
//   - what is committed is what the acknowledged log replays to, by a naive reading of it;
//   - once the trouble is over, all clients are members of the same stable generation.
func TestRandom(t *testing.T) {
	if *seed != 0 {
		newSim(t, *seed).run(20000)
		return
	}
	for s := range uint64(30) {
		t.Run(fmt.Sprint(s+1), func(t *testing.T) { newSim(t, s+1).run(2000) })
	}
}

type sim struct {
	t     *testing.T
	r     *rand.Rand
	c     Config
	core  *core
	out   *journal.Outbox
	now   journal.Instant
	life  int // which coordinator it is
	ids   int
	value int64

	log  []logged // in the order of offsets
	next int64
	held []held

	clients []*simClient
	asked   int
	open    map[int]string // requests not answered yet
	calm    bool           // the trouble is over

	leaders map[generation]string
	latest  map[string]int32 // highest generation seen of a group, of this coordinator
	made    map[string]bool  // assignments, as leaders made them
	txns    map[int64]bool   // producers with something written and not ended
}

type logged struct {
	batch record.Batch
	acked bool
}

type held struct {
	at   int64
	done journal.Done
}

type generation struct {
	life  int
	group string
	n     int32
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, r: rand.New(rand.NewPCG(seed, seed)), open: map[int]string{}, leaders: map[generation]string{},
		made: map[string]bool{}, txns: map[int64]bool{}, now: journal.Instant{Up: time.Hour, Unix: 1_000_000},
	}
	s.c = Config{NewID: func() string { s.ids++; return fmt.Sprint(s.ids) }, SessionTimeoutMin: time.Second, OffsetsRetention: 1 << 60}
	if s.r.IntN(2) == 0 {
		s.c.InitialRebalanceDelay = 500 * time.Millisecond
	}
	s.c = s.c.withDefaults()
	for _, g := range []string{"dynamic", "static", "mixed"} {
		for i := range 2 + s.r.IntN(4) {
			static := g == "static" || g == "mixed" && i%2 == 0
			s.clients = append(s.clients, &simClient{group: g, name: fmt.Sprintf("%s%d", g, i), static: static})
		}
	}
	s.load()
	return s
}

func (s *sim) load() {
	s.life++
	s.latest = map[string]int32{}
	s.out = new(journal.Outbox)
	s.core = newCore(s.c, s.out)
	for _, l := range s.log {
		if err := s.core.Replay(l.batch); err != nil {
			s.t.Fatal(err)
		}
	}
	s.core.Loaded(s.now)
}

func (s *sim) run(steps int) {
	for range steps {
		s.step()
		s.work()
		checkCore(s.t, s.core)
		if s.r.IntN(20) == 0 {
			s.compare()
		}
	}
	s.settle()
}

func (s *sim) step() {
	switch n := s.r.IntN(100); {
	case n < 60:
		s.act(s.clients[s.r.IntN(len(s.clients))])
	case n < 75 && len(s.held) > 0:
		s.ack(s.r.IntN(min(len(s.held), 3)))
	case n < 90:
		s.advance(time.Duration(s.r.IntN(1500)) * time.Millisecond)
	case n < 93:
		s.txn()
	case n < 94:
		group := s.clients[s.r.IntN(len(s.clients))].group
		s.request("delete of "+group, func(done func()) {
			s.core.deleteGroup(s.now, group, func(code kerror.Code) {
				done()
				if code == kerror.OK { // generations begin anew
					delete(s.latest, group)
					maps.DeleteFunc(s.leaders, func(g generation, _ string) bool { return g.group == group })
				}
			})
		})
	case n < 95 && s.r.IntN(3) == 0:
		s.crash()
	}
}

// request counts a request until it is answered.
func (s *sim) request(what string, f func(done func())) {
	s.asked++
	n := s.asked
	s.open[n] = what
	f(func() {
		if _, ok := s.open[n]; !ok {
			s.t.Fatalf("%s is answered twice", what)
		}
		delete(s.open, n)
	})
}

// work does what the core wants done.
func (s *sim) work() {
	for effects := s.out.Take(); len(effects) > 0; effects = s.out.Take() {
		for _, e := range effects {
			if e.Do != nil {
				e.Do()
				continue
			}
			s.append(e.Batch, e.Done)
		}
	}
}

func (s *sim) append(b record.Batch, done journal.Done) {
	if done == nil {
		done = func(journal.Instant, int64, kerror.Code) {}
	}
	if !s.calm && s.r.IntN(30) == 0 { // refused, and not in the log
		done(s.now, -1, kerror.NotEnoughReplicas)
		return
	}
	at := s.next
	b.SetBaseOffset(at)
	s.next = b.NextOffset()
	s.log = append(s.log, logged{batch: b})
	s.held = append(s.held, held{at, done})
	if s.calm || s.r.IntN(3) == 0 {
		for len(s.held) > 0 {
			s.ack(0)
		}
	}
}

// ack ends the nth append that is held: acknowledged, or timed out, after which it may be in the log.
func (s *sim) ack(n int) {
	h := s.held[n]
	s.held = slices.Delete(s.held, n, n+1)
	i, _ := slices.BinarySearchFunc(s.log, h.at, func(l logged, at int64) int { return int(l.batch.BaseOffset() - at) })
	if !s.calm && s.r.IntN(10) == 0 {
		if s.r.IntN(2) == 0 {
			s.log = slices.Delete(s.log, i, i+1)
		}
		h.done(s.now, -1, kerror.RequestTimedOut)
		return
	}
	s.log[i].acked = true
	h.done(s.now, h.at, kerror.OK)
}

// crash makes another coordinator, of a log that has all that was acknowledged and may have lost its end.
func (s *sim) crash() {
	for _, h := range s.held { // nobody is told any more, and connections break
		h.done(s.now, -1, kerror.NotLeaderOrFollower)
	}
	s.held = nil
	s.core.Unload()
	s.work()
	s.held = nil
	last := 0
	for i, l := range s.log {
		if l.acked {
			last = i + 1
		}
	}
	s.log = s.log[:last+s.r.IntN(len(s.log)-last+1)]
	for i := range s.log {
		s.log[i].acked = true
	}
	if len(s.open) > 0 {
		s.t.Fatalf("not answered when the coordinator went: %v", slices.Sorted(maps.Values(s.open)))
	}
	s.load()
}

func (s *sim) advance(d time.Duration) {
	end := s.now.Up + d
	for s.core.Next() <= end {
		s.now.Unix += (max(s.core.Next(), s.now.Up) - s.now.Up).Milliseconds()
		s.now.Up = max(s.core.Next(), s.now.Up)
		s.core.Tick(s.now)
		s.work()
	}
	s.now.Unix += (end - s.now.Up).Milliseconds()
	s.now.Up = end
}

// compare compares what is committed with a naive reading of what is acknowledged.
func (s *sim) compare() {
	type key struct {
		group string
		tp    topicPartition
	}
	want := map[key]int64{}
	pending := map[int64]map[key]int64{}
	applied := map[key]int64{} // where in the log the offset is
	for _, l := range s.log {
		if !l.acked {
			continue
		}
		b := l.batch
		if m, _ := b.Marker(); m != nil {
			for k, at := range pending[m.ProducerID] {
				if before, ok := applied[k]; m.Commit && (!ok || at > before) {
					want[k], applied[k] = s.offsetAt(at), at
				}
			}
			delete(pending, m.ProducerID)
			continue
		}
		for r := range b.Records(nil) {
			name, tp, isOffset, _, _ := readKey(r.Key)
			k := key{name, tp}
			switch {
			case !isOffset:
			case b.IsTransactional():
				if pending[b.ProducerID()] == nil {
					pending[b.ProducerID()] = map[key]int64{}
				}
				pending[b.ProducerID()][k] = b.BaseOffset()
			case r.Value == nil:
				delete(want, k)
				applied[k] = b.BaseOffset()
			default:
				v, _ := readOffsetValue(r.Value)
				want[k], applied[k] = v.offset, b.BaseOffset()
			}
		}
	}
	for _, group := range []string{"dynamic", "static", "mixed", "txn"} {
		if g := s.core.groups[group]; g != nil && g.state == Dead {
			continue
		}
		for p := range int32(3) {
			req := kmsg.NewOffsetFetchRequestGroup()
			req.Group = group
			req.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{p}}}
			var resp kmsg.OffsetFetchResponseGroup
			s.core.fetch(&req, false, &resp)
			w, ok := want[key{group, topicPartition{"t", p}}]
			if !ok {
				w = -1
			}
			if got := resp.Topics[0].Partitions[0].Offset; got != w {
				s.t.Fatalf("%s t:%d is %d, the log has %d", group, p, got, w)
			}
		}
	}
}

func (s *sim) offsetAt(at int64) int64 {
	for _, l := range s.log {
		if l.batch.BaseOffset() != at {
			continue
		}
		for r := range l.batch.Records(nil) {
			v, _ := readOffsetValue(r.Value)
			return v.offset
		}
	}
	return -1
}

// settle ends the trouble: all clients come together.
func (s *sim) settle() {
	s.calm = true
	for len(s.held) > 0 {
		s.ack(0)
		s.work()
	}
	for range 400 {
		for _, cl := range s.clients {
			s.act(cl)
			s.work()
		}
		s.advance(200 * time.Millisecond)
		checkCore(s.t, s.core)
	}
	s.compare()
	for _, cl := range s.clients {
		g := s.core.groups[cl.group]
		if cl.waits || !cl.synced || g == nil || g.state != Stable || cl.gen != g.generation {
			s.t.Fatalf("%s is not a member at the end: %+v, group %+v", cl.name, cl, g)
		}
		m, code := g.check(cl.id, cl.instance())
		if code != kerror.OK || cl.assignment != "" && cl.assignment != string(m.assignment) {
			s.t.Fatalf("%s: %v, has %q", cl.name, code, cl.assignment)
		}
		if n := len(g.members); n != len(slices.DeleteFunc(slices.Clone(s.clients), func(o *simClient) bool { return o.group != cl.group })) {
			s.t.Fatalf("%s has %d members", cl.group, n)
		}
	}
	if len(s.open) > 0 {
		s.t.Fatalf("not answered: %v", slices.Sorted(maps.Values(s.open)))
	}
}
