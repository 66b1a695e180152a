package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// script steps one core. Time stands still unless advanced; it begins at 1,000,000 ms of the wall clock.
// What is answered, and what is appended to the log, is written down as it happens. LABEL names a
// request, so that a later answer can be told. Member ids end in 1, 2, 3, …
//
//	config [delay=D] [size=N] [pending=N] [bytes=N] [metadata=N] [groups=N] [retention=D]
//	                           begin anew with settings and an empty log
//	join LABEL group=G [id=M] [instance=I] [client=C] [v=N] [session=D] [rebalance=D] [type=T]
//	     [protocols=(name:metadata,…)] protocols default to range:L; metadata "t1+t2" in "topics:…" is
//	                           a consumer's subscription
//	sync LABEL group=G id=M gen=N [instance=I] [v=N] [type=T] [protocol=P] [assign=(M:x,…)]
//	heartbeat group=G id=M gen=N [instance=I]
//	beats G M GEN every=D for=D                 heartbeats that must succeed
//	limit size=N              another group.max.size for the core of the next crash
//	leave group=G [id=M] [v=N] [members=(M[/I],…)]   v0 unless there are members
//	commit LABEL group=G [id=M] [gen=N] [instance=I] [v=N] [retention=D] [time=N] topics=(T:P=OFFSET[@epoch][#metadata],…)
//	txn-commit LABEL group=G pid=N [epoch=N] [id=M] [gen=N] [v=N] topics=(…)
//	txn-end pid=N commit|abort [at=N]                the marker goes to the log's end, or is said to be at N
//	fetch group=G [stable] [topics=(T:P,…)]          all topics without topics
//	delete-group LABEL G      delete-offsets LABEL group=G topics=(T:P,…)     topic-deleted T
//	describe G                list [states=(…)] [types=(…)]      counts
//	log auto|hold             acknowledge appends at once, or keep them
//	ack [N] [code=C]          end the oldest kept append, or the Nth, with a code
//	advance D                 time passes, timer by timer
//	crash                     another core loads what was acknowledged
//	lost                      the partition goes to another broker: kept appends fail, all waits end
//	dump                      the log
type script struct {
	t    *testing.T
	c    Config
	core *core
	out  *journal.Outbox
	now  journal.Instant
	ids  int
	hold bool
	held []heldWrite
	log  []record.Batch // acknowledged or kept, nil where an append failed
	text strings.Builder
}

type heldWrite struct {
	at   int64
	done journal.Done
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		s := &script{t: t}
		s.begin(Config{})
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			s.text.Reset()
			s.run(t, d)
			s.check()
			if s.text.Len() == 0 {
				return "ok\n"
			}
			return s.text.String()
		})
	})
}

func (s *script) begin(c Config) {
	s.ids, s.hold, s.held, s.log = 0, false, nil, nil
	c.NewID = func() string { s.ids++; return strconv.Itoa(s.ids) }
	s.c = c.withDefaults()
	s.now = journal.Instant{Up: time.Hour, Unix: 1_000_000}
	s.load()
}

func (s *script) load() {
	s.out = new(journal.Outbox)
	s.core = newCore(s.c, s.out)
	for _, b := range s.log {
		if b == nil {
			continue
		}
		if err := s.core.Replay(b); err != nil {
			s.t.Fatal(err)
		}
	}
	s.core.Loaded(s.now)
}

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	s.t = t
	a := &args{t: t, d: d}
	for _, c := range d.CmdArgs {
		if len(c.Vals) == 0 {
			a.pos = append(a.pos, c.Key)
		}
	}
	switch d.Cmd {
	case "config":
		s.begin(Config{
			InitialRebalanceDelay: a.dur("delay", 0), GroupSizeMax: int(a.num("size", 0)), PendingMembersMax: int(a.num("pending", 0)),
			MemberBytesMax: int(a.num("bytes", 0)), GroupBytesMax: int(a.num("group-bytes", 0)), MetadataBytesMax: int(a.num("metadata", 0)),
			GroupsMax: int(a.num("groups", 0)), OffsetsRetention: a.dur("retention", 0),
		})
	case "limit":
		s.c.GroupSizeMax = int(a.num("size", 0))
	case "beats":
		gen := int32(a.parse(a.pos[2]))
		for end := s.now.Up + a.dur("for", 0); s.now.Up < end; {
			s.advance(a.dur("every", time.Second))
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = a.pos[0], a.pos[1], gen
			if code := s.core.heartbeat(s.now, req); code != kerror.OK {
				t.Fatalf("%s: %v", d.Pos, code)
			}
		}
	case "join":
		s.join(a)
	case "sync":
		s.sync(a)
	case "heartbeat":
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation, req.InstanceID = a.str("group", ""), a.str("id", ""), int32(a.num("gen", 0)), a.ptr("instance")
		fmt.Fprintln(&s.text, name(s.core.heartbeat(s.now, req)))
	case "leave":
		s.leave(a)
	case "commit":
		s.commit(a)
	case "txn-commit":
		s.txnCommit(a)
	case "txn-end":
		s.txnEnd(a)
	case "fetch":
		s.fetch(a)
	case "delete-group":
		s.core.deleteGroup(s.now, a.pos[1], func(code kerror.Code) { fmt.Fprintf(&s.text, "%s: %s\n", a.pos[0], name(code)) })
	case "delete-offsets":
		s.deleteOffsets(a)
	case "topic-deleted":
		s.core.topicDeleted(s.now, a.pos[0])
	case "describe":
		s.describe(a.pos[0])
	case "list":
		s.list(a)
	case "counts":
		n := Counts{Groups: make(map[State]int)}
		s.core.count(&n)
		fmt.Fprintf(&s.text, "%v members=%d offsets=%d timers=%d producers=%d\n", n.Groups, n.Members, n.Offsets, len(s.core.timers.heap), len(s.core.producers))
	case "log":
		s.hold = a.pos[0] == "hold"
	case "ack":
		s.ack(a)
	case "advance":
		s.advance(a.parseDur(a.pos[0]))
	case "crash":
		s.held = nil
		s.load()
	case "lost":
		for _, h := range s.held {
			h.done(s.now, -1, kerror.NotLeaderOrFollower)
		}
		s.held = nil
		s.core.Unload()
	case "dump":
		for _, b := range s.log {
			if b != nil {
				s.writeBatch(b)
			}
		}
	default:
		t.Fatalf("%s: unknown command", d.Pos)
	}
	s.work()
}

// work does what the core wants done.
func (s *script) work() {
	for effects := s.out.Take(); len(effects) > 0; effects = s.out.Take() {
		for _, e := range effects {
			if e.Do != nil {
				e.Do()
				continue
			}
			at := int64(len(s.log))
			e.Batch.SetBaseOffset(at)
			s.log = append(s.log, e.Batch)
			for range e.Batch.Count() - 1 { // offsets count records
				s.log = append(s.log, nil)
			}
			s.writeBatch(e.Batch)
			done := e.Done
			if done == nil {
				done = func(journal.Instant, int64, kerror.Code) {}
			}
			if s.hold {
				s.held = append(s.held, heldWrite{at, done})
			} else {
				done(s.now, at, kerror.OK)
			}
		}
	}
}

func (s *script) ack(a *args) {
	i := 0
	if len(a.pos) > 0 {
		i = int(a.parse(a.pos[0]))
	}
	h := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	code := kerror.Code(a.num("code", 0))
	if code != kerror.OK {
		s.log[h.at] = nil
	}
	h.done(s.now, h.at, code)
}

// advance lets time pass, with a step of the core wherever it asks for one.
func (s *script) advance(d time.Duration) {
	end := s.now.Up + d
	for {
		next := min(max(s.core.Next(), s.now.Up), end)
		s.now.Unix += (next - s.now.Up).Milliseconds()
		s.now.Up = next
		if s.core.Next() > next {
			return
		}
		n := s.text.Len()
		s.core.Tick(s.now)
		s.work()
		if s.text.Len() > n {
			text := s.text.String()
			s.text.Reset()
			fmt.Fprintf(&s.text, "%s+%v:\n%s", text[:n], d-(end-next), text[n:])
		}
	}
}

func (s *script) join(a *args) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = int16(a.num("v", 5))
	req.Group, req.MemberID, req.InstanceID = a.str("group", ""), a.str("id", ""), a.ptr("instance")
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = a.ms("session", 10*time.Second), a.ms("rebalance", time.Minute)
	req.ProtocolType = a.str("type", consumerProtocol)
	protocols := a.pairs("protocols")
	if !a.has("protocols") {
		protocols = [][2]string{{"range", a.pos[0]}}
	}
	for _, p := range protocols {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p[0], Metadata: metadata(p[1])})
	}
	label := a.pos[0]
	s.core.join(s.now, req, Client{ID: a.str("client", "c"), Host: "/h"}, func(r *kmsg.JoinGroupResponse) {
		s.joined(label, r)
	})
}

func (s *script) joined(label string, r *kmsg.JoinGroupResponse) {
	fmt.Fprintf(&s.text, "%s: %s id=%q", label, name(kerror.Code(r.ErrorCode)), r.MemberID)
	if r.ErrorCode == 0 {
		fmt.Fprintf(&s.text, " gen=%d %s/%s leader=%q", r.Generation, *r.ProtocolType, *r.Protocol, r.LeaderID)
	}
	if r.SkipAssignment {
		s.text.WriteString(" skip-assignment")
	}
	for _, m := range r.Members {
		fmt.Fprintf(&s.text, "\n    %s%s %q", m.MemberID, slash(m.InstanceID), m.ProtocolMetadata)
	}
	s.text.WriteByte('\n')
}

func (s *script) sync(a *args) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version = int16(a.num("v", 5))
	req.Group, req.MemberID, req.InstanceID, req.Generation = a.str("group", ""), a.str("id", ""), a.ptr("instance"), int32(a.num("gen", 0))
	req.ProtocolType, req.Protocol = a.ptr("type"), a.ptr("protocol")
	for _, p := range a.pairs("assign") {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: p[0], MemberAssignment: []byte(p[1])})
	}
	label := a.pos[0]
	s.core.sync(s.now, req, func(r *kmsg.SyncGroupResponse) {
		fmt.Fprintf(&s.text, "%s: %s", label, name(kerror.Code(r.ErrorCode)))
		if r.ErrorCode == 0 {
			fmt.Fprintf(&s.text, " %s/%s %q", *r.ProtocolType, *r.Protocol, r.MemberAssignment)
		}
		if r.MemberAssignment == nil {
			s.text.WriteString(" null assignment")
		}
		s.text.WriteByte('\n')
	})
}

func (s *script) leave(a *args) {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID, req.Version = a.str("group", ""), a.str("id", ""), int16(a.num("v", 0))
	for _, v := range a.list("members") {
		req.Version = 5
		m := kmsg.NewLeaveGroupRequestMember()
		id, instance, ok := strings.Cut(v, "/")
		m.MemberID = id
		if ok {
			m.InstanceID = &instance
		}
		req.Members = append(req.Members, m)
	}
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	s.core.leave(s.now, req, resp)
	fmt.Fprintln(&s.text, name(kerror.Code(resp.ErrorCode)))
	for _, m := range resp.Members {
		fmt.Fprintf(&s.text, "    %s%s %s\n", m.MemberID, slash(m.InstanceID), name(kerror.Code(m.ErrorCode)))
	}
}

func (s *script) commit(a *args) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version = int16(a.num("v", 8))
	req.Group, req.MemberID, req.InstanceID, req.Generation = a.str("group", ""), a.str("id", ""), a.ptr("instance"), int32(a.num("gen", -1))
	req.RetentionTimeMillis = -1
	if a.has("retention") {
		req.RetentionTimeMillis = a.dur("retention", 0).Milliseconds()
	}
	for _, it := range s.items(a) {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.Timestamp = it.partition, it.offset, it.epoch, it.metadata, a.num("time", -1)
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.Partitions = it.topic, []kmsg.OffsetCommitRequestTopicPartition{p}
		req.Topics = append(req.Topics, t)
	}
	label := a.pos[0]
	s.core.commit(s.now, req, func(r *kmsg.OffsetCommitResponse) {
		fmt.Fprintf(&s.text, "%s:", label)
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&s.text, " %s:%d %s", t.Topic, p.Partition, name(kerror.Code(p.ErrorCode)))
			}
		}
		s.text.WriteByte('\n')
	})
}

func (s *script) txnCommit(a *args) {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version = int16(a.num("v", 3))
	req.TransactionalID = "t"
	req.Group, req.MemberID, req.InstanceID, req.Generation = a.str("group", ""), a.str("id", ""), a.ptr("instance"), int32(a.num("gen", -1))
	req.ProducerID, req.ProducerEpoch = a.num("pid", 0), int16(a.num("epoch", 0))
	for _, it := range s.items(a) {
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = it.partition, it.offset, it.epoch, it.metadata
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic, t.Partitions = it.topic, []kmsg.TxnOffsetCommitRequestTopicPartition{p}
		req.Topics = append(req.Topics, t)
	}
	label := a.pos[0]
	s.core.txnCommit(s.now, req, func(r *kmsg.TxnOffsetCommitResponse) {
		fmt.Fprintf(&s.text, "%s:", label)
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&s.text, " %s:%d %s", t.Topic, p.Partition, name(kerror.Code(p.ErrorCode)))
			}
		}
		s.text.WriteByte('\n')
	})
}

func (s *script) txnEnd(a *args) {
	end := TxnEnd{ProducerID: a.num("pid", 0), Commit: a.has("commit"), Offset: a.num("at", -1)}
	if end.Offset < 0 {
		end.Offset = int64(len(s.log))
		b := record.Marker{ProducerID: end.ProducerID, Commit: end.Commit}.Batch()
		b.SetBaseOffset(end.Offset)
		s.log = append(s.log, b)
	}
	s.core.txnEnded(end)
}

func (s *script) fetch(a *args) {
	req := kmsg.NewOffsetFetchRequestGroup()
	req.Group = a.str("group", "")
	for _, it := range s.items(a) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = it.topic, []int32{it.partition}
		req.Topics = append(req.Topics, t)
	}
	resp := kmsg.NewOffsetFetchResponseGroup()
	s.core.fetch(&req, a.has("stable"), &resp)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			fmt.Fprintf(&s.text, "%s:%d=%d@%d#%s %s\n", t.Topic, p.Partition, p.Offset, p.LeaderEpoch, *p.Metadata, name(kerror.Code(p.ErrorCode)))
		}
	}
	if len(resp.Topics) == 0 {
		s.text.WriteString("nothing\n")
	}
}

func (s *script) deleteOffsets(a *args) {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = a.str("group", "")
	for _, it := range s.items(a) {
		p := kmsg.NewOffsetDeleteRequestTopicPartition()
		p.Partition = it.partition
		t := kmsg.NewOffsetDeleteRequestTopic()
		t.Topic, t.Partitions = it.topic, []kmsg.OffsetDeleteRequestTopicPartition{p}
		req.Topics = append(req.Topics, t)
	}
	label := a.pos[0]
	s.core.deleteOffsets(s.now, req, func(r *kmsg.OffsetDeleteResponse) {
		fmt.Fprintf(&s.text, "%s: %s", label, name(kerror.Code(r.ErrorCode)))
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&s.text, " %s:%d %s", t.Topic, p.Partition, name(kerror.Code(p.ErrorCode)))
			}
		}
		s.text.WriteByte('\n')
	})
}

func (s *script) describe(group string) {
	r := kmsg.NewDescribeGroupsResponseGroup()
	s.core.describe(group, &r)
	fmt.Fprintf(&s.text, "%s %q %q\n", r.State, r.ProtocolType, r.Protocol)
	for _, m := range r.Members {
		fmt.Fprintf(&s.text, "    %s%s %s%s %q %q\n", m.MemberID, slash(m.InstanceID), m.ClientID, m.ClientHost, m.ProtocolMetadata, m.MemberAssignment)
	}
}

func (s *script) list(a *args) {
	req := kmsg.NewPtrListGroupsRequest()
	req.StatesFilter, req.TypesFilter = a.list("states"), a.list("types")
	resp := kmsg.NewPtrListGroupsResponse()
	s.core.list(newFilter(req), resp)
	slices.SortFunc(resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return strings.Compare(a.Group, b.Group) })
	for _, g := range resp.Groups {
		fmt.Fprintf(&s.text, "%s %q %s %s\n", g.Group, g.ProtocolType, g.GroupState, g.GroupType)
	}
}

// writeBatch writes a batch as text.
func (s *script) writeBatch(b record.Batch) {
	if m, err := b.Marker(); err != nil {
		s.t.Fatal(err)
	} else if m != nil {
		fmt.Fprintf(&s.text, "  log %d: marker pid=%d commit=%v\n", b.BaseOffset(), m.ProducerID, m.Commit)
		return
	}
	if err := b.Check(); err != nil {
		s.t.Fatal(err)
	}
	txn := ""
	if b.IsTransactional() {
		txn = fmt.Sprintf(" pid=%d/%d", b.ProducerID(), b.ProducerEpoch())
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			s.t.Fatal(err)
		}
		group, tp, isOffset, _, err := readKey(r.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&s.text, "  log %d:%s %s", r.Offset, txn, group)
		if isOffset {
			fmt.Fprintf(&s.text, " %s:%d", tp.topic, tp.partition)
		}
		switch {
		case r.Value == nil:
			s.text.WriteString(" gone\n")
		case isOffset:
			v, err := readOffsetValue(r.Value)
			if err != nil {
				s.t.Fatal(err)
			}
			fmt.Fprintf(&s.text, "=%d@%d#%s at=%d", v.offset, v.leaderEpoch, v.metadata, v.commitTime)
			if v.expireTime >= 0 {
				fmt.Fprintf(&s.text, " until=%d", v.expireTime)
			}
			s.text.WriteByte('\n')
		default:
			s.writeGroup(r.Value)
		}
	}
}

func (s *script) writeGroup(b []byte) {
	v, err := readGroupValue(b)
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&s.text, " gen=%d %s/%s leader=%q since=%d", v.Generation, v.ProtocolType, deref(v.Protocol), deref(v.Leader), v.CurrentStateTimestamp)
	for _, m := range v.Members {
		fmt.Fprintf(&s.text, " %s%s:%q", m.MemberID, slash(m.InstanceID), m.Assignment)
	}
	s.text.WriteByte('\n')
}

// check compares the counters that groups keep with what they count.
func (s *script) check() { checkCore(s.t, s.core) }

func checkCore(t testing.TB, c *core) {
	t.Helper()
	for name, g := range c.groups {
		joined, unsynced, bytes, statics := 0, 0, 0, 0
		supporters := map[string]int{}
		for _, m := range g.members {
			if g.byID[m.id] != m {
				t.Fatalf("group %s: member %s is not found by its id", name, m.id)
			}
			bytes += m.bytes
			if m.joining() {
				joined++
			}
			if m.awaitsSync {
				unsynced++
			}
			if m.instance != nil {
				statics++
				if g.static[*m.instance] != m {
					t.Fatalf("group %s: member %s is not found by its instance", name, m.id)
				}
			}
			for _, p := range m.protocols {
				supporters[p.name]++
			}
			if m.timer.index < 0 && g.state != Dead {
				t.Fatalf("group %s: member %s has no timer", name, m.id)
			}
		}
		if len(g.byID) != len(g.members) || len(g.static) != statics || joined != g.joined || unsynced != g.unsynced || bytes != g.bytes {
			t.Fatalf("group %s: members %d/%d static %d/%d joined %d/%d unsynced %d/%d bytes %d/%d", name, len(g.byID), len(g.members),
				len(g.static), statics, g.joined, joined, g.unsynced, unsynced, g.bytes, bytes)
		}
		if fmt.Sprint(supporters) != fmt.Sprint(g.supporters) && len(supporters)+len(g.supporters) > 0 {
			t.Fatalf("group %s: supporters %v, counted %v", name, g.supporters, supporters)
		}
		if (len(g.members) == 0) != (g.leader == nil) || g.leader != nil && g.byID[g.leader.id] != g.leader {
			t.Fatalf("group %s: leader of %d members is %v", name, len(g.members), g.leader)
		}
		if len(g.members) == 0 && (g.state == Stable || g.state == CompletingRebalance) || len(g.members) > 0 && g.state == Empty {
			t.Fatalf("group %s: %v with %d members", name, g.state, len(g.members))
		}
		if g.state == PreparingRebalance && g.rebalanceTimer.index < 0 {
			t.Fatalf("group %s: prepares a rebalance without end", name)
		}
	}
}
