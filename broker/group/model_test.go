package group

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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

type simClient struct {
	group, name string
	static      bool
	id          string
	gen         int32
	synced      bool
	waits       bool
	assignment  string
	members     []string // if it leads
	metadata    int
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

// act lets a client do something.
func (s *sim) act(cl *simClient) {
	switch n := s.r.IntN(100); {
	case cl.waits && (n < 95 || s.calm || cl.id == ""):
	case cl.gen == 0 || cl.waits:
		s.join(cl)
	case !cl.synced:
		s.sync(cl)
	case s.calm || n < 60:
		s.heartbeat(cl)
	case n < 85:
		s.commit(cl)
	case n < 90:
		cl.metadata++
		s.join(cl)
	case n < 93:
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version, req.Group = 5, cl.group
		req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: cl.id}}
		s.core.leave(s.now, req, kmsg.NewPtrLeaveGroupResponse())
		cl.forget(true)
	case n < 97: // it dies and comes back, or its twin does
		cl.forget(true)
	}
}

func (cl *simClient) forget(id bool) {
	cl.gen, cl.synced, cl.assignment, cl.members = 0, false, "", nil
	if id {
		cl.id = ""
	}
}

func (cl *simClient) instance() *string {
	if !cl.static {
		return nil
	}
	return &cl.name
}

// heard changes what the client believes by a code, and reports whether it is OK.
func (cl *simClient) heard(code kerror.Code) bool {
	switch code {
	case kerror.OK:
		return true
	case kerror.UnknownMemberID, kerror.FencedInstanceID:
		cl.forget(true)
	default:
		cl.forget(false)
	}
	return false
}

func (s *sim) join(cl *simClient) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = 9
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = cl.group, cl.id, cl.instance(), "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 5000, 4000
	if cl.static {
		req.SessionTimeoutMillis = 20000 // it may miss a rebalance
	}
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics, m.UserData = []string{"t"}, fmt.Append(nil, cl.metadata)
	for _, p := range []string{"range", "sticky"} {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: m.AppendTo(nil)})
	}
	cl.waits = true
	life := s.life
	s.request("join of "+cl.name, func(done func()) {
		s.core.join(s.now, req, Client{"c", "/h"}, func(r *kmsg.JoinGroupResponse) {
			done()
			cl.waits = false
			if code := kerror.Code(r.ErrorCode); code == kerror.MemberIDRequired {
				cl.id = r.MemberID
				return
			} else if !cl.heard(code) {
				return
			}
			cl.id, cl.gen, cl.synced, cl.assignment = r.MemberID, r.Generation, r.SkipAssignment, ""
			cl.members = nil
			s.joined(cl, r, generation{life, cl.group, r.Generation})
		})
	})
}

func (s *sim) joined(cl *simClient, r *kmsg.JoinGroupResponse, g generation) {
	if r.Generation < s.latest[cl.group] {
		s.t.Fatalf("%s: generation %d after %d", cl.group, r.Generation, s.latest[cl.group])
	}
	s.latest[cl.group] = r.Generation
	leads := r.LeaderID == r.MemberID
	if leads != (len(r.Members) > 0) {
		s.t.Fatalf("%s: %d members for %s, the leader is %s", cl.name, len(r.Members), r.MemberID, r.LeaderID)
	}
	// A static leader that came back leads under another id in the same generation.
	if l, ok := s.leaders[g]; ok && cl.group == "dynamic" && l != r.LeaderID+*r.Protocol {
		s.t.Fatalf("%v has two leaders: %s and %s", g, l, r.LeaderID+*r.Protocol)
	}
	s.leaders[g] = r.LeaderID + *r.Protocol
	if leads {
		for _, m := range r.Members {
			owner := m.MemberID
			if m.InstanceID != nil {
				owner = *m.InstanceID
			}
			cl.members = append(cl.members, m.MemberID+"="+owner)
		}
	}
}

func (s *sim) sync(cl *simClient) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version = 5
	req.Group, req.MemberID, req.InstanceID, req.Generation = cl.group, cl.id, cl.instance(), cl.gen
	s.value++
	for _, m := range cl.members {
		id, owner, _ := strings.Cut(m, "=")
		a := fmt.Sprintf("%d/%d/%s/%s", cl.gen, s.value, cl.id, owner)
		s.made[a] = true
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(a)})
	}
	cl.waits = true
	gen, id, owner := cl.gen, cl.id, cl.id
	if cl.static {
		owner = cl.name
	}
	s.request("sync of "+cl.name, func(done func()) {
		s.core.sync(s.now, req, func(r *kmsg.SyncGroupResponse) {
			done()
			cl.waits = false
			if code := kerror.Code(r.ErrorCode); code != kerror.OK {
				if cl.id == id {
					cl.heard(code)
				}
				return
			}
			a := string(r.MemberAssignment)
			if cl.id == id && cl.gen == gen {
				cl.synced, cl.assignment = true, a
			}
			if !s.made[a] || !strings.HasPrefix(a, fmt.Sprintf("%d/", gen)) || !strings.HasSuffix(a, "/"+owner) {
				s.t.Fatalf("%s in generation %d is assigned %q", owner, gen, a)
			}
			if !s.stored(cl.group, a) {
				s.t.Fatalf("%s heard %q before the log", owner, a)
			}
		})
	})
}

// stored reports whether the last acknowledged record of a group has an assignment.
func (s *sim) stored(group, assignment string) bool {
	found := false
	for _, l := range s.log {
		if !l.acked || l.batch.IsControl() {
			continue
		}
		for r := range l.batch.Records(nil) {
			name, _, isOffset, _, _ := readKey(r.Key)
			if name == group && !isOffset {
				found = strings.Contains(string(r.Value), assignment)
			}
		}
	}
	return found
}

func (s *sim) heartbeat(cl *simClient) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = cl.group, cl.id, cl.instance(), cl.gen
	cl.heard(s.core.heartbeat(s.now, req))
}

func (s *sim) commit(cl *simClient) {
	s.value++
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version = 8
	req.Group, req.MemberID, req.InstanceID, req.Generation = cl.group, cl.id, cl.instance(), cl.gen
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = s.r.Int32N(3), s.value
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	old := cl.gen < s.latest[cl.group]
	s.request("commit of "+cl.name, func(done func()) {
		s.core.commit(s.now, req, func(r *kmsg.OffsetCommitResponse) {
			done()
			code := kerror.Code(r.Topics[0].Partitions[0].ErrorCode)
			if old && code == kerror.OK {
				s.t.Fatalf("%s commits with generation %d, which is over", cl.name, req.Generation)
			}
			if cl.gen == req.Generation && cl.id == req.MemberID && code != kerror.RequestTimedOut && code != kerror.CoordinatorNotAvailable {
				cl.heard(code)
			}
		})
	})
}

// txn commits offsets in a producer's transaction, or ends it.
func (s *sim) txn() {
	pid := int64(1 + s.r.IntN(3))
	writing := false
	if g := s.core.groups["txn"]; g != nil && g.txns[pid] != nil {
		writing = g.txns[pid].writing > 0
	}
	if s.txns[pid] && s.r.IntN(2) == 0 {
		if writing {
			return
		}
		m := record.Marker{ProducerID: pid, Commit: s.r.IntN(2) == 0}
		b := m.Batch()
		b.SetBaseOffset(s.next)
		s.log = append(s.log, logged{batch: b, acked: true})
		s.next++
		s.core.txnEnded(TxnEnd{ProducerID: pid, Offset: b.BaseOffset(), Commit: m.Commit})
		s.txns[pid] = false
		return
	}
	s.value++
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.Group, req.ProducerID, req.Generation = 3, "txn", pid, -1
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = s.r.Int32N(3), s.value
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	s.request("commit of a transaction", func(done func()) {
		s.core.txnCommit(s.now, req, func(*kmsg.TxnOffsetCommitResponse) { done() })
	})
	s.txns[pid] = true
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
