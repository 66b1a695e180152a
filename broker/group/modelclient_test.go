package group

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
	"holt/broker/record"
)

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
