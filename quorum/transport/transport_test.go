package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/quorum/simnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// end is one member's transport, and a handler that writes down what arrives.
type end struct {
	*Transport
	id uint64

	stream func(s *Stream)
	logs   *observer.ObservedLogs // from warnings on

	mu sync.Mutex
	seen
	hello error
	block chan struct{} // if not nil, Message waits for it
}

// seen is what has arrived.
type seen struct {
	raft        []uint64 // indexes
	payloads    []string
	gone        int
	unreachable int
	up, down    int
	removed     uint64
}

// look returns a copy of what has arrived so far.
func (e *end) look() seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.seen
	c.raft, c.payloads = slices.Clone(c.raft), slices.Clone(c.payloads)
	return c
}

// set changes what the handler does.
func (e *end) set(f func(e *end)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e)
}

func (e *end) Raft(_ uint64, msgs []*raftpb.Message, _ int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range msgs {
		e.raft = append(e.raft, m.GetIndex())
	}
	return true
}

func (e *end) Message(_ uint64, payload []byte) {
	e.mu.Lock()
	block := e.block
	e.payloads = append(e.payloads, string(payload))
	e.mu.Unlock()
	if block != nil {
		<-block
	}
}

func (e *end) Asked(from uint64, _ [16]byte, question []byte) []byte {
	return fmt.Appendf(nil, "%d asked %d %s", from, e.id, question)
}

func (e *end) Removed(_, index uint64) { e.set(func(e *end) { e.removed = index }) }

func (e *end) Hello(uint64, [16]byte) error { e.mu.Lock(); defer e.mu.Unlock(); return e.hello }
func (e *end) Unreachable(uint64)           { e.mu.Lock(); e.unreachable++; e.mu.Unlock() }
func (e *end) PeerGone(uint64)              { e.mu.Lock(); e.gone++; e.mu.Unlock() }
func (e *end) Snapshot(_ uint64, s *Stream) { e.stream(s) }
func (e *end) PeerUp(_ uint64, up bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if up {
		e.up++
	} else {
		e.down++
	}
}

func host(id uint64) string { return fmt.Sprintf("m%d", id) }

func newEnd(t *testing.T, n *simnet.Network, id uint64) *end { return newEndLogin(t, n, id, nil) }

func newEndLogin(t *testing.T, n *simnet.Network, id uint64, login *Login) *end {
	t.Helper()
	e := &end{id: id}
	h := n.Host(host(id))
	core, logs := observer.New(zap.WarnLevel)
	e.logs = logs
	tr, err := New(Config{
		ID: id, Handler: e, Logger: zap.New(core), MaxQueueBytes: 10 << 10, Login: login,
		Listen: func() (net.Listener, error) { return h.Listen(host(id) + ":1") },
		Dial:   func(ctx context.Context, a string) (net.Conn, error) { return h.Dial(ctx, a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Transport = tr
	return e
}

// pair is two members that know each other.
func pair(t *testing.T) (*simnet.Network, *end, *end) {
	n := simnet.New(1)
	n.SetAll(simnet.Link{Delay: time.Millisecond})
	a, b := newEnd(t, n, 1), newEnd(t, n, 2)
	addrs := map[uint64]string{1: "m1:1", 2: "m2:1"}
	a.SetPeers(addrs)
	b.SetPeers(addrs)
	time.Sleep(100 * time.Millisecond)
	return n, a, b
}

func closeAll(t *testing.T, ends ...*end) {
	t.Helper()
	for _, e := range ends {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func message(index uint64) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgAppResp.Enum(), To: new(uint64(2)), From: new(uint64(1)), Index: new(index), Term: new(uint64(1)),
	}
}

func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t)
		defer closeAll(t, a, b)
		block := make(chan struct{})
		b.set(func(e *end) { e.block = block })
		for i := range uint64(50) {
			a.SendRaft([]*raftpb.Message{message(i), message(1000 + i)})
			if err := a.Send(2, fmt.Appendf(nil, "payload %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		// The application's handler stands still; Raft's messages do not care.
		if len(b.look().raft) != 100 || len(b.look().payloads) != 1 {
			t.Errorf("%d messages, %d payloads", len(b.look().raft), len(b.look().payloads))
		}
		close(block)
		time.Sleep(time.Second)
		if len(b.look().payloads) != 50 || b.look().payloads[49] != "payload 49" || !slices.IsSortedFunc(b.look().payloads, func(x, y string) int {
			return len(x) - len(y)
		}) {
			t.Errorf("payloads %q", b.look().payloads)
		}
		for i := range uint64(50) {
			if b.look().raft[2*i] != i || b.look().raft[2*i+1] != 1000+i {
				t.Fatalf("messages %v", b.look().raft)
			}
		}
	})
}

func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t)
		defer closeAll(t, a, b)
		block := make(chan struct{})
		b.set(func(e *end) { e.block = block })
		defer close(block)
		var err error
		sent := 0
		for ; err == nil && sent < 1000; sent++ {
			err = a.Send(2, make([]byte, 8<<10))
			time.Sleep(time.Millisecond)
		}
		if !errors.Is(err, ErrFull) || sent < 10 {
			t.Errorf("after %d payloads: %v", sent, err)
		}
		if err := a.Send(7, nil); !errors.Is(err, ErrDown) {
			t.Errorf("to a stranger: %v", err)
		}
		before := a.look().unreachable
		for i := range uint64(2000) {
			a.SendRaft([]*raftpb.Message{message(i)}) // more than fits at once
		}
		if a.look().unreachable == before {
			t.Error("messages were dropped without a word, or the queue has no bound")
		}
	})
}

func TestPeerCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t)
		n.Host("m2").Crash()
		crashed := time.Now()
		for a.look().gone == 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(crashed); took > 10*time.Millisecond {
			t.Errorf("noticed after %v", took)
		}
		if a.look().unreachable == 0 || a.look().up != 1 || a.look().down != 1 {
			t.Errorf("unreachable %d, up %d, down %d", a.look().unreachable, a.look().up, a.look().down)
		}
		if err := a.Send(2, nil); !errors.Is(err, ErrDown) {
			t.Errorf("send: %v", err)
		}
		closeAll(t, b)
		time.Sleep(10 * time.Second)
		b = newEnd(t, n, 2)
		b.SetPeers(map[uint64]string{1: "m1:1"})
		back := time.Now()
		for a.look().up != 2 {
			time.Sleep(time.Millisecond)
		}
		// Its own connection tells that it is back.
		if took := time.Since(back); took > 20*time.Millisecond {
			t.Errorf("connected again after %v", took)
		}
		closeAll(t, a, b)
	})
}

// TestSilence cuts the way without a word, as a power failure does.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t)
		defer closeAll(t, a, b)
		n.Cut("m1", "m2")
		time.Sleep(2 * silenceTimeout)
		for range 100 {
			a.SendRaft([]*raftpb.Message{message(1)})
			time.Sleep(100 * time.Millisecond)
		}
		if a.look().down == 0 || a.look().gone != 0 {
			t.Errorf("down %d times, gone %d", a.look().down, a.look().gone)
		}
		n.Heal("m1", "m2")
		time.Sleep(3 * time.Second)
		before := len(b.look().raft)
		a.SendRaft([]*raftpb.Message{message(77)})
		if err := a.Send(2, []byte("again")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if len(b.look().raft) != before+1 || b.look().raft[before] != 77 || len(b.look().payloads) != 1 {
			t.Errorf("after healing: %v %v", b.look().raft[before:], b.look().payloads)
		}
	})
}

func TestIdleConnectionsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t)
		defer closeAll(t, a, b)
		time.Sleep(time.Hour)
		if a.look().up != 1 || a.look().down != 0 || b.look().up != 1 || b.look().down != 0 {
			t.Errorf("up %d/%d, down %d/%d", a.look().up, b.look().up, a.look().down, b.look().down)
		}
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t)
		defer closeAll(t, a, b)
		h := n.Host("stranger")
		for name, send := range map[string][]byte{
			"nothing":     nil,
			"garbage":     []byte("GET / HTTP/1.1\r\nHost: somewhere over the rainbow\r\n\r\n"),
			"half":        hello{from: 9, to: 2}.append(nil)[:20],
			"other id":    hello{from: 9, to: 3}.append(nil),
			"same id":     hello{from: 2, to: 2}.append(nil),
			"other lane":  hello{from: 9, to: 2, lane: 77}.append(nil),
			"bad frame":   append(hello{from: 9, to: 2}.append(nil), 0, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8),
			"wrong voice": append(hello{from: 9, to: 2}.append(nil), frameOf(t, message(5))...), // says it is member 1
		} {
			conn, err := h.Dial(t.Context(), "m2:1")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(send); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(time.Minute))
			buf := make([]byte, 1000)
			for err == nil {
				_, err = conn.Read(buf)
			}
			if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
				t.Errorf("%s: connection stays open", name)
			}
			conn.Close()
		}
		if len(b.look().raft) > 0 {
			t.Errorf("messages %v", b.look().raft)
		}
		if err := a.Send(2, []byte("x")); err != nil {
			t.Errorf("the true member: %v", err)
		}
	})
}

// TestSilentStrangers opens as many connections as there may be and says nothing: a member gets in
// before their time is over.
func TestSilentStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t)
		c := newEnd(t, n, 3)
		defer closeAll(t, a, b, c)
		h := n.Host("stranger")
		for range maxIncoming {
			conn, err := h.Dial(t.Context(), "m2:1")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		c.SetPeers(map[uint64]string{2: "m2:1"})
		time.Sleep(handshakeTimeout / 2)
		if err := c.Send(2, []byte("x")); err != nil {
			t.Error(err)
		}
	})
}

func frameOf(t *testing.T, m *raftpb.Message) []byte {
	t.Helper()
	b, err := encode(nil, laneRaft, []outgoing{{msg: m}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHelloRefused: who is not admitted keeps asking, warns of it unless it came too early, and is let in
// when that changes.
func TestHelloRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		a, b := newEnd(t, n, 1), newEnd(t, n, 2)
		defer closeAll(t, a, b)
		b.set(func(e *end) { e.hello = fmt.Errorf("%w: just starting", ErrNotNow) })
		a.SetPeers(map[uint64]string{2: "m2:1"})
		time.Sleep(time.Minute)
		if a.logs.Len() > 0 {
			t.Errorf("warns of a peer that is starting: %v", a.logs.All())
		}
		b.set(func(e *end) { e.hello = errors.New("not you") })
		time.Sleep(time.Minute)
		warnings := a.logs.TakeAll()
		if len(warnings) == 0 {
			t.Error("no warning of a peer that refuses")
		}
		for _, l := range warnings {
			if err := fmt.Sprint(l.ContextMap()["error"]); l.Message != "connection refused by peer" || err != "peer refuses: not you" {
				t.Errorf("warning %q: %s", l.Message, err)
			}
		}
		if err := a.Send(2, nil); !errors.Is(err, ErrDown) {
			t.Errorf("send: %v", err)
		}
		b.set(func(e *end) { e.hello = nil })
		time.Sleep(time.Second)
		if err := a.Send(2, nil); err != nil {
			t.Error(err)
		}
	})
}

// TestPeerNotReached: one line about a peer that is away for long, and another when it was there meanwhile.
func TestPeerNotReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		a := newEnd(t, n, 1)
		defer closeAll(t, a)
		a.SetPeers(map[uint64]string{2: "m2:1"})
		expect := func(lines int) {
			t.Helper()
			if got := a.logs.FilterMessage("peer not reached").Len(); got != lines {
				t.Errorf("%d lines, want %d: %v", got, lines, a.logs.All())
			}
		}
		time.Sleep(missedAfter - time.Second)
		expect(0)
		time.Sleep(time.Minute)
		expect(1)
		b := newEnd(t, n, 2)
		time.Sleep(time.Minute)
		expect(1)
		closeAll(t, b)
		time.Sleep(time.Minute)
		expect(2)
	})
}

func TestPeersMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t)
		c := newEnd(t, n, 3)
		defer closeAll(t, a, b, c)
		a.SetPeers(map[uint64]string{3: "m3:1"})
		time.Sleep(time.Second)
		if err := a.Send(2, nil); !errors.Is(err, ErrDown) {
			t.Errorf("to a member that left: %v", err)
		}
		if err := a.Send(3, []byte("welcome")); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if len(c.look().payloads) != 1 {
			t.Error("nothing arrived")
		}
	})
}
