package replica

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

// sessionBench has requests come to a broker's sessions, by name, one partition for each topic.
type sessionBench struct {
	*testing.T
	sessions
}

// begun is what a request asks for: the topics, in order, and how it is answered.
type begun struct {
	f      *fetch
	code   kerror.Code
	topics string
}

func (b *sessionBench) begin(req *protocol.FetchRequest) begun {
	f := &fetch{req: req, follower: req.ReplicaID >= 0}
	code := b.sessions.begin(f, req)
	var topics []string
	for _, p := range f.parts {
		topics = append(topics, p.topic)
	}
	return begun{f, code, strings.Join(topics, " ")}
}

// answer answers; changed are the topics with records. It returns the topics of the answer.
func (b *sessionBench) answer(x begun, changed ...string) string {
	g := &reading{parts: make([]protocol.FetchedPartition, len(x.f.parts))}
	for i, p := range x.f.parts {
		g.parts[i].PreferredReadReplica = -1
		if slices.Contains(changed, p.topic) {
			g.parts[i].Records = []protocol.Range{{Bytes: []byte{1}}}
		}
	}
	var topics []string
	for _, t := range b.end(x.f, g).Topics {
		topics = append(topics, t.Name)
	}
	return strings.Join(topics, " ")
}

// request is a consumer's, with names.
func request(id, epoch int32, topics ...string) *protocol.FetchRequest {
	req := &protocol.FetchRequest{Version: 12, ReplicaID: -1, SessionID: id, SessionEpoch: epoch}
	for _, name := range topics {
		req.Topics = append(req.Topics, protocol.FetchTopic{Name: name, Partitions: []protocol.FetchPartition{{}}})
	}
	return req
}

// open begins a session and answers the first request.
func (b *sessionBench) open(req *protocol.FetchRequest) int32 {
	b.Helper()
	x := b.begin(req)
	if x.code != kerror.OK {
		b.Fatal(x.code)
	}
	b.answer(x)
	return x.f.answer.id
}

// want begins a request, checks what it is about, and answers.
func (b *sessionBench) want(req *protocol.FetchRequest, code kerror.Code, topics string, changed ...string) {
	b.Helper()
	x := b.begin(req)
	if x.code != code || x.topics != topics {
		b.Errorf("epoch %d: %v, topics %q; want %v, %q", req.SessionEpoch, x.code, x.topics, code, topics)
	}
	if x.code == kerror.OK {
		b.answer(x, changed...)
	}
}

func newSessionBench(t *testing.T, limit int) *sessionBench {
	b := &sessionBench{T: t}
	b.init(limit)
	return b
}

func TestSessionEpochs(t *testing.T) {
	b := newSessionBench(t, 10)
	id := b.open(request(0, 0, "a", "b"))
	if id == 0 {
		t.Fatal("no session")
	}
	b.want(request(id, 1), kerror.OK, "a b")
	b.want(request(id, 1), kerror.InvalidFetchSessionEpoch, "") // again
	b.want(request(id, 3), kerror.InvalidFetchSessionEpoch, "") // one is missing
	b.want(request(id, 2), kerror.OK, "a b")
	b.want(request(id+1, 3), kerror.FetchSessionIDNotFound, "")
	byID := request(id, 3)
	byID.Version = protocol.FetchTopicIDs
	b.want(byID, kerror.FetchSessionTopicIDError, "")

	waiting := b.begin(request(id, 3))
	b.want(request(id, 4), kerror.InvalidFetchSessionEpoch, "") // one is under way
	b.answer(waiting)
	b.want(request(id, 4), kerror.OK, "a b")

	b.byID[id].epoch = math.MaxInt32
	b.want(request(id, math.MaxInt32), kerror.OK, "a b")
	b.want(request(id, 1), kerror.OK, "a b")
}

func TestSessionParts(t *testing.T) {
	b := newSessionBench(t, 10)
	id := b.open(request(0, 0, "a", "b"))
	b.want(request(id, 1, "c"), kerror.OK, "a b c", "a")
	b.want(request(id, 2), kerror.OK, "b c a") // who gave records comes last
	less := request(id, 3)
	less.Forgotten = []protocol.ForgottenTopic{{Name: "b", Partitions: []int32{0}}}
	b.want(less, kerror.OK, "c a")

	// The answer names what has changed, and all of it in a session's first one.
	x := b.begin(request(0, 0, "a", "b"))
	if got := b.answer(x); got != "a b" {
		t.Errorf("the first answer names %q", got)
	}
	if got := b.answer(b.begin(request(x.f.answer.id, 1)), "b"); got != "b" {
		t.Errorf("the second answer names %q", got)
	}

	// Without partitions the session ends.
	none := request(id, 4)
	none.Forgotten = []protocol.ForgottenTopic{{Name: "c", Partitions: []int32{0}}, {Name: "a", Partitions: []int32{0}}}
	b.want(none, kerror.OK, "")
	b.want(request(id, 5), kerror.FetchSessionIDNotFound, "")
}

func TestSessionEnds(t *testing.T) {
	b := newSessionBench(t, 10)
	first := b.open(request(0, 0, "a"))
	second := b.open(request(first, 0, "b")) // in the place of the first
	b.want(request(first, 1), kerror.FetchSessionIDNotFound, "")
	last := b.begin(request(second, -1, "c"))
	if last.code != kerror.OK || last.topics != "c" || last.f.answer.id != 0 {
		t.Errorf("%v, topics %q, session %d", last.code, last.topics, last.f.answer.id)
	}
	b.want(request(second, 1), kerror.FetchSessionIDNotFound, "")
	if n := b.len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// TestSessionRoom: who gets a session when there are as many as there may be.
func TestSessionRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSessionBench(t, 2)
		follower := func() *protocol.FetchRequest {
			req := request(0, 0, "a")
			req.ReplicaID = 7
			return req
		}
		one, two := b.open(request(0, 0, "a")), b.open(request(0, 0, "a"))
		if id := b.open(request(0, 0, "a")); id != 0 {
			t.Error("a consumer takes the place of one that was here a moment ago")
		}
		time.Sleep(sessionIdle / 2)
		b.want(request(one, 1), kerror.OK, "a")
		time.Sleep(sessionIdle/2 + time.Second)
		three := b.open(request(0, 0, "a"))
		b.want(request(two, 1), kerror.FetchSessionIDNotFound, "") // it was idle
		b.want(request(one, 2), kerror.OK, "a")
		if three == 0 {
			t.Fatal("no place for a third, though one was idle")
		}

		// A follower need not wait, unless all others are followers, or busy.
		busy := b.begin(request(one, 3))
		four := b.open(follower())
		b.want(request(three, 1), kerror.FetchSessionIDNotFound, "")
		if id := b.open(follower()); four == 0 || id != 0 {
			t.Errorf("sessions %d and %d for followers", four, id)
		}
		b.answer(busy)
		if id := b.open(follower()); id == 0 {
			t.Error("no place for a second follower")
		}
		b.want(request(one, 4), kerror.FetchSessionIDNotFound, "")
		if id := b.open(follower()); id != 0 {
			t.Error("a follower takes the place of another")
		}
	})
}
