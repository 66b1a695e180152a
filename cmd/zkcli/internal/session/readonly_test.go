package session_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// partitioned stands for two servers of which one has a quorum only later. It answers
// handshakes, pings and isro, and keeps what it was asked.
type partitioned struct {
	mu       sync.Mutex
	writable map[string]bool // by address
	asked    []wire.ConnectRequest
	wg       sync.WaitGroup
}

func (p *partitioned) Dial(_ context.Context, address string) (net.Conn, error) {
	client, server := net.Pipe()
	p.mu.Lock()
	defer p.mu.Unlock()
	writable := p.writable[address]
	p.wg.Go(func() { defer server.Close(); p.serve(server, writable) })
	return client, nil
}

func (p *partitioned) serve(nc net.Conn, writable bool) {
	frames := wire.NewFrameReader(nc, 1<<20)
	if word, err := frames.Peek4(); err != nil || string(word[:]) == "isro" {
		answer := "ro"
		if writable {
			answer = "rw"
		}
		nc.Write([]byte(answer)) // whoever asked may be gone
		return
	}
	for first := true; ; first = false {
		payload, err := frames.Next()
		if err != nil {
			return
		}
		b, mark := wire.BeginFrame(nil)
		d := wire.NewDecoder(payload)
		if first {
			var req wire.ConnectRequest
			req.Decode(d)
			req.Passwd = nil
			p.mu.Lock()
			p.asked = append(p.asked, req)
			p.mu.Unlock()
			b = (&wire.ConnectResponse{TimeoutMillis: req.TimeoutMillis, SessionID: 7, Passwd: make([]byte, wire.PasswdSize),
				ReadOnly: !writable, HasReadOnly: true}).AppendTo(b)
		} else {
			var h wire.RequestHeader
			h.Decode(d)
			b = (&wire.ReplyHeader{Xid: h.Xid, Zxid: 1}).AppendTo(b)
		}
		if _, err := nc.Write(wire.EndFrame(b, mark)); err != nil {
			return
		}
	}
}

// TestReadOnlyLinkIsLeftForBetterServer begins at a server without quorum, and goes to the
// other one when that has it; the session of the first means nothing there.
func TestReadOnlyLinkIsLeftForBetterServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &partitioned{writable: map[string]bool{}}
		e := &events{}
		s := session.Open(session.Config{Servers: []string{"a:1", "b:1"}, Timeout: 6 * time.Second, ReadOnly: true, Dial: p.Dial, OnEvent: e.add})
		if err := s.WaitLinked(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if s.State() != session.ConnectedReadOnly {
			t.Errorf("state %s", s.State())
		}
		p.mu.Lock()
		p.writable["b:1"] = true
		p.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s.State() != session.Connected {
			t.Errorf("state %s", s.State())
		}
		if got, want := e.take(), "ConnectedReadOnly, Disconnected, SyncConnected"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		s.Close(t.Context())
		p.wg.Wait()
		for i, req := range p.asked {
			if req.SessionID != 0 || !req.ReadOnly {
				t.Errorf("handshake %d: session %s, read-only %v", i, req.SessionID, req.ReadOnly)
			}
		}
		if len(p.asked) != 2 {
			t.Errorf("%d handshakes", len(p.asked))
		}
	})
}
