package group

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"holt/broker/journal"
	"holt/broker/journal/journaltest"
	"holt/broker/kerror"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ids() func() string {
	var n atomic.Int64
	return func() string { return fmt.Sprint(n.Add(1)) }
}

// client is one consumer with the classic protocol, as a goroutine would be.
type client struct {
	c          *Coordinator
	group, id  string
	generation int32
	instance   *string
}

// join joins until it is a member of a generation, as clients do, and returns what the leader assigned.
func (cl *client) join() ([]byte, kerror.Code) {
	for {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version = 9
		req.Group, req.MemberID, req.InstanceID, req.ProtocolType = cl.group, cl.id, cl.instance, "consumer"
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10000, 30000
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
		joined := make(chan *kmsg.JoinGroupResponse, 1)
		cl.c.Join(req, Client{"c", "/h"}, func(r *kmsg.JoinGroupResponse) { joined <- r })
		r := <-joined
		switch code := kerror.Code(r.ErrorCode); code {
		case kerror.OK:
		case kerror.MemberIDRequired:
			cl.id = r.MemberID
			continue
		case kerror.RebalanceInProgress:
			continue
		case kerror.UnknownMemberID:
			cl.id = ""
			continue
		case kerror.NotCoordinator, kerror.CoordinatorLoadInProgress, kerror.CoordinatorNotAvailable:
			time.Sleep(100 * time.Millisecond)
			continue
		default:
			return nil, code
		}
		cl.id, cl.generation = r.MemberID, r.Generation
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version = 5
		sync.Group, sync.MemberID, sync.Generation, sync.InstanceID = cl.group, cl.id, r.Generation, cl.instance
		sync.ProtocolType, sync.Protocol = r.ProtocolType, r.Protocol
		if r.LeaderID == r.MemberID && !r.SkipAssignment {
			for i := range r.Members {
				sync.GroupAssignment = append(sync.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
					MemberID: r.Members[i].MemberID, MemberAssignment: fmt.Appendf(nil, "%d of %d in %d", i, len(r.Members), r.Generation)})
			}
		}
		synced := make(chan *kmsg.SyncGroupResponse, 1)
		cl.c.Sync(sync, func(r *kmsg.SyncGroupResponse) { synced <- r })
		if s := <-synced; s.ErrorCode == 0 {
			return s.MemberAssignment, kerror.OK
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (cl *client) heartbeat() kerror.Code {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = cl.group, cl.id, cl.generation, cl.instance
	return kerror.Code(cl.c.Heartbeat(req).ErrorCode)
}

func (cl *client) commit(offset int64) kerror.Code {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version = 8
	req.Group, req.MemberID, req.Generation, req.InstanceID = cl.group, cl.id, cl.generation, cl.instance
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	done := make(chan kerror.Code, 1)
	cl.c.Commit(req, func(r *kmsg.OffsetCommitResponse) { done <- kerror.Code(r.Topics[0].Partitions[0].ErrorCode) })
	return <-done
}

func fetched(c *Coordinator, group string) int64 {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 7
	req.Group = group
	req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
	resp := c.Fetch(req)
	if resp.ErrorCode != 0 {
		return -int64(resp.ErrorCode)
	}
	return resp.Topics[0].Partitions[0].Offset
}

// TestGroupOverChanges runs members of several groups through a coordinator whose partitions move away and
// back: all come together again, with one share each and what they committed.
func TestGroupOverChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journaltest.Log{Delay: 2 * time.Millisecond}
		c := New(Config{Log: log, NewID: ids(), Partitions: 4, InitialRebalanceDelay: 100 * time.Millisecond})
		defer c.Close()
		for p := range int32(4) {
			c.Gained(p, 1)
		}
		const groups, members = 5, 4
		for round := range int32(3) {
			var mu sync.Mutex
			shares := map[string]bool{}
			var wg sync.WaitGroup
			for g := range groups {
				for range members {
					wg.Go(func() {
						cl := &client{c: c, group: fmt.Sprint("group", g)}
						for {
							a, code := cl.join()
							if code != kerror.OK {
								t.Error(code)
								return
							}
							if strings.Contains(string(a), fmt.Sprintf("of %d ", members)) {
								mu.Lock()
								shares[cl.group+string(a)] = true
								mu.Unlock()
								break
							}
							for cl.heartbeat() == kerror.OK {
								time.Sleep(time.Second)
							}
						}
						for code := kerror.Code(-1); code != kerror.OK; code = cl.commit(int64(round + 1)) {
							if code == kerror.UnknownMemberID || code == kerror.IllegalGeneration {
								t.Error(code)
								return
							}
							time.Sleep(10 * time.Millisecond)
						}
						req := kmsg.NewPtrLeaveGroupRequest()
						req.Version, req.Group = 5, cl.group
						req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: cl.id}}
						if r := c.Leave(req); r.Members[0].ErrorCode != 0 {
							t.Error(kerror.Code(r.Members[0].ErrorCode))
						}
					})
				}
			}
			wg.Go(func() { // in the middle of it
				time.Sleep(time.Duration(round) * 60 * time.Millisecond)
				for p := range int32(4) {
					c.Lost(p, round*10+2)
				}
				time.Sleep(20 * time.Millisecond)
				for p := range int32(4) {
					c.Gained(p, round*10+3)
				}
			})
			wg.Wait()
			synctest.Wait() // for the loads
			if len(shares) != groups*members {
				t.Errorf("round %d: %d shares: %v", round, len(shares), shares)
			}
			for g := range groups {
				if o := fetched(c, fmt.Sprint("group", g)); o != int64(round+1) {
					t.Errorf("group%d: offset %d", g, o)
				}
			}
		}
	})
}

// TestRefusals lists what each request is answered where the group cannot be asked.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		log := &journaltest.Log{FailLoad: func(int32) error {
			if !ready.Load() {
				return fmt.Errorf("not yet")
			}
			return nil
		}}
		c := New(Config{Log: log, NewID: ids(), Partitions: 1})
		check := func(when string, join, sync, beat, leave, commit, fetch, describe, del kerror.Code, group string) {
			t.Helper()
			cl := &client{c: c, group: group, generation: -1}
			jr := kmsg.NewPtrJoinGroupRequest()
			jr.Group = group
			var got [8]kerror.Code
			c.Join(jr, Client{}, func(r *kmsg.JoinGroupResponse) { got[0] = kerror.Code(r.ErrorCode) })
			sr := kmsg.NewPtrSyncGroupRequest()
			sr.Group = group
			c.Sync(sr, func(r *kmsg.SyncGroupResponse) { got[1] = kerror.Code(r.ErrorCode) })
			got[2] = cl.heartbeat()
			lr := kmsg.NewPtrLeaveGroupRequest()
			lr.Group = group
			got[3] = kerror.Code(c.Leave(lr).ErrorCode)
			got[4] = cl.commit(1)
			if f := fetched(c, group); f < -1 {
				got[5] = kerror.Code(-f)
			}
			dr := kmsg.NewPtrDescribeGroupsRequest()
			dr.Groups = []string{group}
			got[6] = kerror.Code(c.Describe(dr).Groups[0].ErrorCode)
			xr := kmsg.NewPtrDeleteGroupsRequest()
			xr.Groups = []string{group}
			c.Delete(xr, func(r *kmsg.DeleteGroupsResponse) { got[7] = kerror.Code(r.Groups[0].ErrorCode) })
			if want := [8]kerror.Code{join, sync, beat, leave, commit, fetch, describe, del}; got != want {
				t.Errorf("%s:\ngot  %v\nwant %v", when, got, want)
			}
		}
		const (
			none    = kerror.NotCoordinator
			loading = kerror.CoordinatorLoadInProgress
			invalid = kerror.InvalidGroupID
			closed  = kerror.CoordinatorNotAvailable
			ok      = kerror.OK
		)
		check("absent", none, none, none, none, none, none, none, none, "g")
		c.Gained(0, 1)
		check("loading", loading, kerror.RebalanceInProgress, ok, loading, loading, loading, loading, loading, "g")
		if r := c.List(kmsg.NewPtrListGroupsRequest()); kerror.Code(r.ErrorCode) != loading {
			t.Error(r.ErrorCode)
		}
		ready.Store(true)
		time.Sleep(2 * time.Second)
		check("no name", invalid, invalid, invalid, invalid, ok, ok, ok, ok, "")
		long := strings.Repeat("x", 40000)
		check("long name", invalid, invalid, invalid, invalid, invalid, invalid, invalid, invalid, long)
		c.Close()
		check("closed", closed, closed, closed, closed, closed, closed, closed, closed, "g")
		if r := c.List(kmsg.NewPtrListGroupsRequest()); kerror.Code(r.ErrorCode) != closed {
			t.Error(r.ErrorCode)
		}
	})
}

// TestVersions sends requests and responses of each version over the wire: fields that a version lacks are
// dropped, and strings are not too long for it.
func TestVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Log: &journaltest.Log{}, NewID: ids(), Partitions: 1})
		defer c.Close()
		c.Gained(0, 1)
		synctest.Wait()
		trip := func(r kmsg.Response) {
			t.Helper()
			b := r.AppendTo(nil)
			again := kmsg.ResponseForKey(r.Key())
			again.SetVersion(r.GetVersion())
			if err := again.ReadFrom(b); err != nil {
				t.Fatalf("%T version %d: %v", r, r.GetVersion(), err)
			}
		}
		var id string
		for v := range int16(10) {
			req := kmsg.NewPtrJoinGroupRequest()
			req.Version, req.Group, req.ProtocolType, req.SessionTimeoutMillis = v, fmt.Sprint("g", v), "consumer", 10000
			req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
			instance := strings.Repeat("i", 20000)
			if v >= 5 {
				req.InstanceID = &instance
			}
			c.Join(req, Client{strings.Repeat("é", 12000), "/h"}, func(r *kmsg.JoinGroupResponse) {
				if r.Version != v || r.ErrorCode != 0 && r.ErrorCode != 79 {
					t.Errorf("version %d: %d", r.Version, r.ErrorCode)
				}
				id = r.MemberID
				trip(r)
			})
			req.MemberID = "nobody"
			c.Join(req, Client{}, func(r *kmsg.JoinGroupResponse) { trip(r) })
		}
		for v := range int16(6) {
			s := kmsg.NewPtrSyncGroupRequest()
			s.Version, s.Group, s.MemberID, s.Generation = v, "g9", id, 1
			c.Sync(s, func(r *kmsg.SyncGroupResponse) {
				if r.ErrorCode != 0 {
					t.Errorf("version %d: %d", v, r.ErrorCode)
				}
				trip(r)
			})
			d := kmsg.NewPtrDescribeGroupsRequest()
			d.Version, d.Groups = v, []string{"g9"}
			trip(c.Describe(d))
			l := kmsg.NewPtrListGroupsRequest()
			l.Version = v
			trip(c.List(l))
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Version, leave.Group, leave.MemberID = v, "g0", "x"
			trip(c.Leave(leave))
		}
		for v := range int16(10) {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version = v
			topics := []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
			req.Group, req.Topics = "g1", topics
			req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g1", Topics: groupTopics(topics)}, {Group: strings.Repeat("x", 40000)}, {Group: "g2"}}
			r := c.Fetch(req)
			if v >= 8 && (len(r.Groups) != 3 || r.Groups[1].ErrorCode != int16(kerror.InvalidGroupID) || r.Groups[0].ErrorCode != 0) {
				t.Errorf("version %d: %+v", v, r.Groups)
			}
			trip(r)
			o := kmsg.NewPtrOffsetCommitRequest()
			o.Version, o.Group, o.Generation = v, "simple", -1
			o.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: strings.Repeat("t", 20000+int(v)*2000), Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
			c.Commit(o, func(r *kmsg.OffsetCommitResponse) {
				want := kerror.OK
				if len(o.Topics[0].Topic) > nameMax {
					want = kerror.InvalidTopicException
				}
				if got := kerror.Code(r.Topics[0].Partitions[0].ErrorCode); got != want {
					t.Errorf("version %d: %v, want %v", v, got, want)
				}
			})
		}
	})
}

// TestTimersFireByThemselves needs no request for a session to end.
func TestTimersFireByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Log: &journaltest.Log{}, NewID: ids(), Partitions: 1})
		defer c.Close()
		c.Gained(0, 1)
		synctest.Wait()
		cl := &client{c: c, group: "g"}
		if _, code := cl.join(); code != kerror.OK {
			t.Fatal(code)
		}
		for range 10 {
			time.Sleep(8 * time.Second)
			if code := cl.heartbeat(); code != kerror.OK {
				t.Fatal(code)
			}
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if n := c.Counts(); n.Members != 0 || n.Groups[Empty] != 1 {
			t.Fatalf("%+v", n)
		}
	})
}

// TestTxnEnd has a producer's offsets become visible through the coordinator.
func TestTxnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journaltest.Log{}
		c := New(Config{Log: log, NewID: ids(), Partitions: 1})
		defer c.Close()
		c.Gained(0, 1)
		synctest.Wait()
		verified := ""
		log.Fail = func(w journal.Write) kerror.Code { verified = w.TransactionalID; return kerror.OK }
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.Version, req.Group, req.TransactionalID, req.ProducerID, req.Generation = 3, "g", "tx", 5, -1
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Offset = 42
		req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
		c.TxnCommit(req, func(r *kmsg.TxnOffsetCommitResponse) {
			if code := r.Topics[0].Partitions[0].ErrorCode; code != 0 {
				t.Error(code)
			}
		})
		if verified != "tx" {
			t.Errorf("the log was asked for %q", verified)
		}
		if o := fetched(c, "g"); o != -1 {
			t.Errorf("offset %d before the end", o)
		}
		c.TxnEnded(0, TxnEnd{ProducerID: 5, Offset: 1, Commit: true})
		if o := fetched(c, "g"); o != 42 {
			t.Errorf("offset %d", o)
		}
		c.TxnEnded(9, TxnEnd{ProducerID: 5, Offset: 1, Commit: true})
		req.Version = 1
		c.Lost(0, 2)
		c.TxnCommit(req, func(r *kmsg.TxnOffsetCommitResponse) {
			if code := kerror.Code(r.Topics[0].Partitions[0].ErrorCode); code != kerror.NotCoordinator {
				t.Error(code)
			}
		})
	})
}
