package txn

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

// TestRandom drives a core with producers that begin, write, end, die and come back as others, over a log that
// holds back, refuses and loses its end, through coordinators that crash, with partitions that lose requests,
// answers, leaders. Whatever happens:
//
//   - each request is answered once;
//   - a producer id and epoch is given to one producer;
//   - a transaction has the same outcome in all its partitions, and the one that its producer was told;
//   - who has been replaced ends nothing any more;
//   - in the end every transaction is over, also those whose producer died.
func TestRandom(t *testing.T) {
	if *seed != 0 {
		newSim(t, *seed).run(20000)
		return
	}
	for s := range uint64(30) {
		t.Run(fmt.Sprint(s+1), func(t *testing.T) { newSim(t, s+1).run(3000) })
	}
}

type sim struct {
	t     *testing.T
	r     *rand.Rand
	c     Config
	core  *core
	out   *journal.Outbox
	now   journal.Instant
	epoch int32
	ids   int64

	log  []logged
	next int64
	held []held
	sent []Markers

	partitions map[topicPartition]*part
	producers  []*producer
	asked      int
	open       map[int]string // requests not answered yet
	calm       bool
	given      map[string]string // who has a producer id and epoch
	newest     map[string]int    // the last life of a transactional id that was given an epoch
	txns       []*tx
}

type logged struct {
	batch record.Batch
	acked bool
}

type held struct {
	at   int64
	done journal.Done
}

// part is a partition as its leader knows it.
type part struct {
	producers map[int64]*partProducer
}

type partProducer struct {
	epoch       int16
	coordinator int32
	open        *tx
}

// tx is a transaction as its producer knows it.
type tx struct {
	name     string
	told     string // what the producer was told: commit, abort or nothing
	outcomes map[topicPartition]bool
	written  map[topicPartition]bool
}

type producer struct {
	id    string
	life  int // a producer that comes back is another
	pid   int64
	epoch int16
	waits bool
	tx    *tx
	added map[topicPartition]bool
	ends  string // it has asked for this end, and may have to ask again
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, r: rand.New(rand.NewPCG(seed, seed)), now: journal.Instant{Up: time.Hour, Unix: 1_000_000}, epoch: 1, ids: 1000,
		partitions: map[topicPartition]*part{}, open: map[int]string{}, given: map[string]string{}, newest: map[string]int{},
	}
	s.c = Config{Expiration: time.Hour}.withDefaults()
	for i := range 4 {
		s.partitions[topicPartition{"t", int32(i)}] = &part{map[int64]*partProducer{}}
	}
	for i := range 4 {
		s.producers = append(s.producers, &producer{id: fmt.Sprint("id", i), pid: noID})
	}
	s.load()
	return s
}

func (s *sim) load() {
	s.epoch++
	s.out = new(journal.Outbox)
	s.core = newCore(s.c, 0, s.epoch, s.out, func(m Markers) { s.sent = append(s.sent, m) })
	for _, l := range s.log {
		if err := s.core.Replay(l.batch); err != nil {
			s.t.Fatal(err)
		}
	}
	s.core.Loaded(s.now)
	s.work()
}

func (s *sim) run(steps int) {
	for range steps {
		s.step()
		s.work()
	}
	s.settle()
}

func (s *sim) step() {
	switch n := s.r.IntN(100); {
	case n < 60:
		s.act(s.producers[s.r.IntN(len(s.producers))])
	case n < 75 && len(s.held) > 0:
		s.ack(s.r.IntN(min(len(s.held), 3)))
	case n < 85 && len(s.sent) > 0:
		s.deliver(s.r.IntN(len(s.sent)))
	case n < 95:
		s.advance(time.Duration(s.r.IntN(3000)) * time.Millisecond)
	case n < 96 && s.r.IntN(3) == 0:
		s.crash()
	}
}

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
	if !s.calm && s.r.IntN(20) == 0 {
		done(s.now, -1, kerror.NotEnoughReplicas)
		return
	}
	at := s.next
	b.SetBaseOffset(at)
	s.next = b.NextOffset()
	s.log = append(s.log, logged{batch: b})
	s.held = append(s.held, held{at, done})
	if s.calm || s.r.IntN(3) > 0 {
		for len(s.held) > 0 {
			s.ack(0)
		}
	}
}

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

func (s *sim) crash() {
	for _, h := range s.held {
		h.done(s.now, -1, kerror.NotLeaderOrFollower)
	}
	s.held = nil
	s.core.Unload()
	for _, e := range s.out.Take() {
		if e.Do != nil {
			e.Do()
		}
	}
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

// deliver brings markers to their partitions, of this coordinator or one before, and the answer back, or not.
func (s *sim) deliver(n int) {
	m := s.sent[n]
	s.sent = slices.Delete(s.sent, n, n+1)
	r := Marked{Markers: m}
	for _, p := range m.Partitions {
		code := kerror.NotLeaderOrFollower
		if s.calm || s.r.IntN(5) > 0 {
			code = s.partitions[p].mark(s.t, p, m)
		}
		if !s.calm && s.r.IntN(10) == 0 {
			code = kerror.NetworkException
		}
		r.Codes = append(r.Codes, code)
	}
	if m.CoordinatorEpoch == s.epoch {
		s.core.marked(s.now, r)
	}
}

// mark appends a marker, as a partition's leader judges it.
func (p *part) mark(t *testing.T, tp topicPartition, m Markers) kerror.Code {
	q := p.producer(m.ProducerID)
	switch {
	case m.CoordinatorEpoch < q.coordinator:
		return kerror.TransactionCoordinatorFenced
	case m.ProducerEpoch < q.epoch:
		return kerror.InvalidProducerEpoch
	}
	q.coordinator, q.epoch = m.CoordinatorEpoch, m.ProducerEpoch
	if q.open == nil {
		return kerror.OK
	}
	x := q.open
	q.open = nil
	x.outcomes[tp] = m.Commit
	for other, commit := range x.outcomes {
		if commit != m.Commit {
			t.Fatalf("%s: commit=%v in %v, %v in %v", x.name, m.Commit, tp, commit, other)
		}
	}
	if x.told != "" && (x.told == "commit") != m.Commit {
		t.Fatalf("%s: its producer was told %s, %v has commit=%v", x.name, x.told, tp, m.Commit)
	}
	return kerror.OK
}

func (p *part) producer(pid int64) *partProducer {
	if p.producers[pid] == nil {
		p.producers[pid] = &partProducer{epoch: -1, coordinator: -1}
	}
	return p.producers[pid]
}

func (s *sim) act(p *producer) {
	switch n := s.r.IntN(100); {
	case p.waits:
	case n < 3: // it dies, and another one takes its place
		*p = producer{id: p.id, life: p.life + 1, pid: noID}
	case p.pid == noID:
		s.init(p)
	case p.ends != "":
		s.end(p)
	case p.tx == nil || n < 50:
		s.add(p)
	case n < 80:
		s.write(p)
	default:
		p.ends = []string{"commit", "abort"}[s.r.IntN(2)]
		s.end(p)
	}
}

func (s *sim) init(p *producer) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version = 4
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &p.id, 20000, noID, noEpoch
	p.waits = true
	life := p.life
	s.request("init of "+p.id, func(done func()) {
		answer := func(a initAnswer) {
			done()
			if p.life != life {
				return
			}
			p.waits = false
			if a.code != kerror.OK {
				return
			}
			who, key := fmt.Sprint(p.id, " life ", life), fmt.Sprint(a.id, "/", a.epoch)
			if before, ok := s.given[key]; ok {
				s.t.Fatalf("%s is given to %s and to %s", key, before, who)
			}
			s.given[key] = who
			s.newest[p.id] = life
			p.pid, p.epoch, p.tx, p.added = a.id, a.epoch, nil, map[topicPartition]bool{}
		}
		if s.core.initProducer(s.now, req, noID, answer) {
			s.ids++
			s.core.initProducer(s.now, req, s.ids, answer)
		}
	})
}

// lost makes a producer that was fenced, or does not know where it is, begin anew.
func (p *producer) lost() { p.pid, p.tx, p.ends = noID, nil, "" }

func (s *sim) add(p *producer) {
	tp := topicPartition{"t", s.r.Int32N(4)}
	a := &add{id: p.id, producerID: p.pid, epoch: p.epoch, partitions: []topicPartition{tp}}
	p.waits = true
	life := p.life
	s.request("add of "+p.id, func(done func()) {
		s.core.add(s.now, a, func(code kerror.Code) {
			done()
			if p.life != life {
				return
			}
			p.waits = false
			switch code {
			case kerror.OK:
				if p.tx == nil {
					p.tx = &tx{name: fmt.Sprintf("transaction %d of %s", len(s.txns), p.id), outcomes: map[topicPartition]bool{}, written: map[topicPartition]bool{}}
					s.txns = append(s.txns, p.tx)
				}
				p.added[tp] = true
			case kerror.ProducerFenced, kerror.InvalidProducerIDMapping:
				p.lost()
			}
		})
	})
}

// write appends data, as a partition's leader takes it.
func (s *sim) write(p *producer) {
	for _, tp := range sorted(s.keys(p.added)) {
		q := s.partitions[tp].producer(p.pid)
		if p.epoch < q.epoch {
			p.lost()
			return
		}
		if q.open != nil && q.open != p.tx {
			s.t.Fatalf("%s writes into %s", p.tx.name, q.open.name)
		}
		q.epoch, q.open = p.epoch, p.tx
		p.tx.written[tp] = true
	}
}

func (s *sim) keys(m map[topicPartition]bool) partitionSet {
	set := partitionSet{}
	for k := range m {
		set[k] = struct{}{}
	}
	return set
}

func (s *sim) end(p *producer) {
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = 3, p.id, p.pid, p.epoch, p.ends == "commit"
	p.waits = true
	life := p.life
	s.request("end of "+p.id, func(done func()) {
		s.core.end(s.now, req, func(code kerror.Code) {
			done()
			if code == kerror.OK && life < s.newest[p.id] {
				s.t.Fatalf("%s life %d ends a transaction, life %d has its id", p.id, life, s.newest[p.id])
			}
			if p.life != life {
				return
			}
			p.waits = false
			switch code {
			case kerror.OK:
				p.tx.told = p.ends
				for tp, commit := range p.tx.outcomes {
					if commit != req.Commit {
						s.t.Fatalf("%s: told %s, %v has commit=%v", p.tx.name, p.ends, tp, commit)
					}
				}
				p.tx, p.ends, p.added = nil, "", map[topicPartition]bool{}
			case kerror.ProducerFenced, kerror.InvalidProducerIDMapping, kerror.InvalidTxnState:
				p.lost()
			}
		})
	})
}

// settle ends the trouble: the producers are dead, and everything they began is over.
func (s *sim) settle() {
	s.calm = true
	for len(s.held) > 0 {
		s.ack(0)
		s.work()
	}
	for range 50 {
		for len(s.sent) > 0 {
			s.deliver(0)
			s.work()
		}
		s.advance(time.Second)
	}
	for id, t := range s.core.txns {
		if t.state == Ongoing || t.preparing() || t.pending {
			s.t.Fatalf("%s is %v, pending=%v, at the end", id, t.state, t.pending)
		}
	}
	for tp, p := range s.partitions {
		for pid, q := range p.producers {
			if q.open != nil {
				s.t.Fatalf("%v: %s of %d is open at the end", tp, q.open.name, pid)
			}
		}
	}
	for _, x := range s.txns {
		if len(x.outcomes) != len(x.written) {
			s.t.Fatalf("%s wrote to %v, ended in %v", x.name, x.written, x.outcomes)
		}
	}
	if len(s.open) > 0 {
		s.t.Fatalf("not answered: %v", slices.Sorted(maps.Values(s.open)))
	}
	if len(s.txns) == 0 {
		s.t.Fatal("no transaction was tried")
	}
}
