package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

func TestHandshakeAsksForWhatOptionsSay(t *testing.T) {
	passwd := [16]byte{1, 2, 3}
	for _, tc := range []struct {
		name string
		o    Options
		want wire.ConnectRequest
	}{
		{"defaults", Options{}, wire.ConnectRequest{TimeoutMillis: 30000, Passwd: make([]byte, 16), HasReadOnly: true}},
		{"session", Options{Session: Session{7, passwd}, SessionTimeout: time.Second, LastZxid: 9, ReadOnly: true},
			wire.ConnectRequest{TimeoutMillis: 1000, SessionID: 7, Passwd: passwd[:], LastZxidSeen: 9, ReadOnly: true, HasReadOnly: true}},
		{"old", Options{OmitReadOnly: true}, wire.ConnectRequest{TimeoutMillis: 30000, Passwd: make([]byte, 16)}},
	} {
		c, s := connect(t, tc.o)
		if got := s.hello.AppendTo(nil); !bytes.Equal(got, tc.want.AppendTo(nil)) {
			t.Errorf("%s: sent %+v, want %+v", tc.name, s.hello, tc.want)
		}
		if c.SessionID() != 0x1234 || c.Session().Passwd != [16]byte([]byte("0123456789abcdef")) || c.Timeout() != 6*time.Second {
			t.Errorf("%s: session %+v, timeout %v", tc.name, c.Session(), c.Timeout())
		}
	}
}

func TestHandshakeRefused(t *testing.T) {
	answer := func(r wire.Record) []byte {
		b, mark := wire.BeginFrame(nil)
		return wire.EndFrame(r.AppendTo(b), mark)
	}
	for _, tc := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"expired", answer(&wire.ConnectResponse{Passwd: make([]byte, 16)}), wire.ErrSessionExpired},
		{"closed", nil, io.EOF},
		{"half an answer", []byte{0, 0, 0, 36, 0}, io.ErrUnexpectedEOF},
		{"read-only server", answer(&wire.ReplyHeader{Err: wire.ErrNotReadOnly}), wire.ErrNotReadOnly},
		{"four-letter text", []byte("This ZooKeeper"), wire.ErrFrameTooLarge},
	} {
		near, far := net.Pipe()
		go func() {
			wire.NewFrameReader(far, 1000).Next()
			far.Write(tc.answer)
			far.Close()
		}()
		c, err := New(testContext(t), near, Options{})
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if c != nil {
			t.Errorf("%s: a connection in spite of it", tc.name)
		}
		if _, err := near.Write([]byte{1}); err == nil {
			t.Errorf("%s: connection left open", tc.name)
		}
	}
}

func TestHandshakeIsBoundedByContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far) // reads, never answers
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := New(ctx, near, Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a deadline", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestIdleConnectionPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, Options{}) // timeout 6 s
		start := time.Now()
		for range 10 {
			last := time.Now()
			r := s.expect(wire.OpPing)
			if gap := time.Since(last); gap > 2*time.Second {
				t.Errorf("%v without a ping, after %v", gap, time.Since(start))
			}
			s.reply(r.Xid, 5, wire.OK, nil)
		}
		synctest.Wait()
		if c.Err() != nil {
			t.Error(c.Err())
		}
		if c.LastZxid() != 5 {
			t.Errorf("last zxid %v", c.LastZxid())
		}
	})
}

func TestBusyConnectionDoesNotPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, Options{})
		for range 50 {
			call := c.Send(wire.OpExists, &wire.ExistsRequest{Path: "/"})
			r := s.expect(wire.OpExists)
			s.reply(r.Xid, 1, wire.ErrNoNode, nil)
			if err := call.Wait(t.Context()); err != wire.ErrNoNode {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
		}
	})
}

func TestSilentServerIsGivenUp(t *testing.T) {
	for name, reads := range map[string]bool{"reads": true, "does not read": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := connect(t, Options{})
				if reads {
					go io.Copy(io.Discard, s.nc)
				}
				start := time.Now()
				call := c.Send(wire.OpSync, &wire.SyncRequest{Path: "/"})
				if err := call.Wait(t.Context()); !errors.Is(err, wire.ErrConnectionLoss) {
					t.Errorf("%v, want connection loss", err)
				}
				if took := time.Since(start); took < 4*time.Second || took > 6*time.Second {
					t.Errorf("given up after %v, the timeout is 6 s", took)
				}
				<-c.Done()
			})
		})
	}
}

func TestNoPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connect(t, Options{NoPings: true})
		time.Sleep(time.Hour)
		if n := c.Counts(); n.Requests != 0 || c.Err() != nil {
			t.Errorf("%+v, %v", n, c.Err())
		}
	})
}

func TestCloseEndsTheSession(t *testing.T) {
	c, s := connect(t, Options{})
	closed := make(chan error)
	go func() { closed <- c.Close() }()
	r := s.expect(wire.OpCloseSession)
	s.reply(r.Xid, 8, wire.OK, nil)
	s.nc.Close()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := c.Close(); !errors.Is(err, wire.ErrConnectionLoss) && err != nil {
		t.Errorf("second Close: %v", err)
	}
	if c.LastZxid() != 8 {
		t.Errorf("last zxid %v", c.LastZxid())
	}
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, Options{NoPings: true})
		go io.Copy(io.Discard, s.nc)
		if err := c.Close(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a deadline", err)
		}
	})
}

func TestAbortSendsNothing(t *testing.T) {
	c, s := connect(t, Options{})
	c.Abort()
	c.Abort()
	if r, ok := s.next(); ok {
		t.Errorf("request %v", r.Op)
	}
	call := c.Send(wire.OpPing, nil)
	if err := call.Wait(testContext(t)); !errors.Is(err, ErrClosed) || !errors.Is(err, wire.ErrConnectionLoss) {
		t.Errorf("call after Abort: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close after Abort: %v", err)
	}
}

func TestEndFailsEveryCall(t *testing.T) {
	c, s := connect(t, Options{})
	var calls []*Call
	calls = append(calls,
		c.Send(wire.OpSync, &wire.SyncRequest{Path: "/"}),
		c.Send(wire.OpPing, nil),
		c.Send(wire.OpAuth, &wire.AuthPacket{Scheme: "digest"}),
		c.Send(wire.OpWhoAmI, nil))
	for range calls {
		s.next()
	}
	s.nc.Close()
	for i, call := range calls {
		if err := call.Wait(testContext(t)); !errors.Is(err, wire.ErrConnectionLoss) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	<-c.Done()
	if !errors.Is(c.Err(), wire.ErrConnectionLoss) {
		t.Error(c.Err())
	}
}
