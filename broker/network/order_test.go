package network

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/protocol"
)

// keeper is a handler whose requests are answered by the test: those of Produce
// later, the others before the next is read.
type keeper struct {
	got chan *Request
}

func newKeeper() *keeper { return &keeper{make(chan *Request, 1000)} }

func (k *keeper) handle(_ context.Context, r *Request) {
	if r.Key == protocol.Produce {
		r.Later()
	}
	k.got <- r
}

func produce(acks int16) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks = 7, acks
	return req
}

// answer replies to a request that the keeper kept, n as throttle time.
func answer(r *Request, n int32) {
	if r.Key == protocol.Produce {
		r.ReplyEncoded(&protocol.ProduceResponse{ThrottleMillis: n})
		return
	}
	r.Reply(&kmsg.HeartbeatResponse{ThrottleMillis: n})
}

func throttleOf(resp kmsg.Response) int32 {
	switch r := resp.(type) {
	case *kmsg.ProduceResponse:
		return r.ThrottleMillis
	case *kmsg.HeartbeatResponse:
		return r.ThrottleMillis
	}
	return -1
}

func TestLateRepliesKeepTheOrder(t *testing.T) {
	k := newKeeper()
	c := dial(t, startToy(t, Config{}, k.handle))
	var kept []*Request
	for range 20 {
		c.send(produce(-1))
		kept = append(kept, <-k.got)
	}
	c.send(heartbeat(0)) // is handled, and answered behind the others
	kept = append(kept, <-k.got)
	var wg sync.WaitGroup
	for i := len(kept) - 1; i >= 0; i-- { // the last first
		wg.Go(func() { answer(kept[i], int32(i)) })
	}
	for i := range kept {
		req := kmsg.Request(produce(-1))
		if i == 20 {
			req = heartbeat(0)
		}
		if id, resp := c.receive(req); id != int32(i+1) || throttleOf(resp) != int32(i) {
			t.Fatalf("reply %d has id %d and throttle time %d", i, id, throttleOf(resp))
		}
	}
	wg.Wait()
}

// TestOneAtATime: what is not answered later holds up what comes behind it.
func TestOneAtATime(t *testing.T) {
	k := newKeeper()
	c := dial(t, startToy(t, Config{}, k.handle))
	c.send(heartbeat(0))
	c.send(heartbeat(1))
	first := <-k.got
	select {
	case <-k.got:
		t.Fatal("the second was handled before the first was answered")
	case <-time.After(20 * time.Millisecond): // long enough to be seen, were it wrong
	}
	answer(first, 5)
	answer(<-k.got, 6)
	for want := int32(5); want <= 6; want++ {
		if _, resp := c.receive(heartbeat(0)); throttleOf(resp) != want {
			t.Errorf("got %d, want %d", throttleOf(resp), want)
		}
	}
}

func TestPendingRequestsAreBounded(t *testing.T) {
	k := newKeeper()
	c := dial(t, startToy(t, Config{}, k.handle))
	for range laterMax + 10 {
		c.send(produce(-1))
	}
	var kept []*Request
	for range laterMax {
		kept = append(kept, <-k.got)
	}
	select {
	case <-k.got:
		t.Fatalf("more than %d requests wait for an answer", laterMax)
	case <-time.After(20 * time.Millisecond):
	}
	for i, r := range kept {
		answer(r, int32(i))
	}
	for range 10 {
		answer(<-k.got, 0)
	}
	for range laterMax + 10 {
		c.receive(produce(-1))
	}
}

func TestNoReplyAndClose(t *testing.T) {
	k := newKeeper()
	c := dial(t, startToy(t, Config{}, k.handle))
	c.send(produce(0))
	c.send(produce(-1))
	c.send(produce(0))
	none, late, bad := <-k.got, <-k.got, <-k.got
	none.NoReply()
	bad.Close(errors.New("as after an error with acks=0"))
	answer(late, 9)
	if id, resp := c.receive(produce(-1)); id != 2 || throttleOf(resp) != 9 {
		t.Errorf("reply %d, throttle time %d", id, throttleOf(resp))
	}
	c.closed()
}

func TestAnsweringTwicePanics(t *testing.T) {
	k := newKeeper()
	c := dial(t, startToy(t, Config{}, k.handle))
	c.send(produce(-1))
	r := <-k.got
	answer(r, 0)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		r.Conn.out.mu.Unlock() // which the panic left locked
	}()
	answer(r, 0)
}

// TestFramesAreUsedAgain: a released frame may carry the next request; one that is not
// released, or that somebody else has acquired, stays as it is.
func TestFramesAreUsedAgain(t *testing.T) {
	var bodies [][]byte
	var kept []*Request
	s := startToy(t, Config{}, func(_ context.Context, r *Request) {
		bodies = append(bodies, bytes.Clone(r.Body))
		if kept = append(kept, r); len(kept)%2 == 0 {
			r.Frame().Acquire()
			r.Release()
		}
		answer(r, 0)
	})
	c := dial(t, s)
	for i := range int32(50) {
		c.ask(heartbeat(i))
	}
	for i, r := range kept {
		if !bytes.Equal(r.Body, bodies[i]) {
			t.Fatalf("request %d has changed", i)
		}
		if i%2 == 1 {
			r.Frame().Release()
		}
		r.Release()
		r.Release() // does nothing
	}
}

// TestClientGoesAway: replies to a connection that has ended are dropped, and what they
// hold is released.
func TestClientGoesAway(t *testing.T) {
	k := newKeeper()
	s := startToy(t, Config{}, k.handle)
	c := dial(t, s)
	c.send(produce(-1))
	r := <-k.got
	c.nc.Close()
	<-r.Conn.Context().Done()
	var released atomic.Int32
	r.ReplyParts(&protocol.FetchResponse{Topics: []protocol.FetchedTopic{{Partitions: []protocol.FetchedPartition{
		{Records: []protocol.Range{{Bytes: make([]byte, 1<<16)}}}}}}}, func() { released.Add(1) })
	if released.Load() != 1 {
		t.Errorf("released %d times", released.Load())
	}
}

func TestCloseDrains(t *testing.T) {
	k := newKeeper()
	s := startToy(t, Config{}, k.handle)
	c := dial(t, s)
	c.send(produce(-1))
	r := <-k.got
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for !s.closing.Load() {
		time.Sleep(time.Millisecond)
	}
	answer(r, 3)
	if _, resp := c.receive(produce(-1)); throttleOf(resp) != 3 {
		t.Errorf("throttle time %d", throttleOf(resp))
	}
	c.closed()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestCloseDoesNotWaitForever for a handler that does not answer.
func TestCloseDoesNotWaitForever(t *testing.T) {
	handling := make(chan struct{})
	s := startToy(t, Config{DrainMillis: 10}, func(ctx context.Context, r *Request) {
		close(handling)
		<-ctx.Done()
		r.Close(ctx.Err())
	})
	c := dial(t, s)
	c.send(heartbeat(1))
	<-handling
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	c.closed()
}
