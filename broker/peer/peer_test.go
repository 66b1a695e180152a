package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"holt/broker/auth"
	"holt/broker/network"
	"holt/broker/protocol"
	"holt/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer starts a broker's network with one listener that has handle answer.
func startServer(t *testing.T, address string, l network.Listener, handle network.HandlerFunc) *network.Server {
	t.Helper()
	l.Name, l.Address = "L", address
	s, err := network.Listen(network.Config{
		Listeners: []network.Listener{l}, DrainMillis: -1, FailedAuthDelayMillis: -1,
		APIs: protocol.NewTable(protocol.ApiVersions, protocol.SaslHandshake, protocol.SaslAuthenticate, protocol.Fetch, protocol.ControlledShutdown),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(handle)
	t.Cleanup(func() { s.Close() })
	return s
}

// shutDown answers ControlledShutdown with the broker id that was asked about, as an error code.
func shutDown(_ context.Context, r *network.Request) {
	defer r.Release()
	req, err := r.Decode()
	if err != nil {
		r.Close(err)
		return
	}
	resp := req.ResponseKind().(*kmsg.ControlledShutdownResponse)
	resp.ErrorCode = int16(req.(*kmsg.ControlledShutdownRequest).BrokerID)
	r.Reply(resp)
}

func endpointOf(s *network.Server) Endpoint {
	a := s.Addr("L").(*net.TCPAddr)
	return Endpoint{Host: a.IP.String(), Port: int32(a.Port)}
}

func newClient(t *testing.T, cfg Config) *Client {
	c := New(cfg)
	t.Cleanup(c.Close)
	return c
}

func ask(c *Client, id int32) (int16, error) {
	req := kmsg.NewPtrControlledShutdownRequest()
	req.Version, req.BrokerID = 3, id
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := c.Do(ctx, 1, req)
	if err != nil {
		return 0, err
	}
	return resp.(*kmsg.ControlledShutdownResponse).ErrorCode, nil
}

// TestPipelined: many requests at a time on one connection get their own answers.
func TestPipelined(t *testing.T) {
	s := startServer(t, "127.0.0.1:0", network.Listener{Protocol: network.Plaintext}, shutDown)
	at := endpointOf(s)
	c := newClient(t, Config{Endpoint: func(int32) (Endpoint, bool) { return at, true }})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if code, err := ask(c, int32(i)); err != nil || code != int16(i) {
				t.Errorf("request %d: %d, %v", i, code, err)
			}
		})
	}
	wg.Wait()
	if n := s.Metrics().Accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestReconnect: a broker that is gone fails requests, at once between two attempts; when it is there
// again, elsewhere or not, it is reached again.
func TestReconnect(t *testing.T) {
	s := startServer(t, "127.0.0.1:0", network.Listener{Protocol: network.Plaintext}, shutDown)
	at := endpointOf(s)
	var mu sync.Mutex
	alive := true
	c := newClient(t, Config{BackoffMin: time.Hour, BackoffMax: time.Hour, Endpoint: func(int32) (Endpoint, bool) {
		mu.Lock()
		defer mu.Unlock()
		return at, alive
	}})
	if _, err := ask(c, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, 1); err == nil {
		t.Fatal("a broker that is gone answers")
	}
	for {
		_, err := ask(c, 1)
		if errors.Is(err, ErrBackoff) {
			break
		}
		if err == nil {
			t.Fatal("a broker that is gone answers")
		}
	}
	mu.Lock()
	at = endpointOf(startServer(t, "127.0.0.1:0", network.Listener{Protocol: network.Plaintext}, shutDown))
	mu.Unlock()
	if code, err := ask(c, 7); err != nil || code != 7 {
		t.Errorf("elsewhere: %d, %v", code, err)
	}
	mu.Lock()
	alive = false
	mu.Unlock()
	if _, err := ask(c, 1); !errors.Is(err, ErrUnknownBroker) {
		t.Errorf("a broker that is not alive: %v", err)
	}
	c.Close()
	if _, err := ask(c, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestNoAnswer: who is not answered in time gets an error, and so does everybody behind it.
func TestNoAnswer(t *testing.T) {
	stuck := make(chan struct{})
	s := startServer(t, "127.0.0.1:0", network.Listener{Protocol: network.Plaintext}, func(_ context.Context, r *network.Request) {
		<-stuck
		r.Close(nil)
	})
	defer close(stuck)
	at := endpointOf(s)
	c := newClient(t, Config{Timeout: 50 * time.Millisecond, Endpoint: func(int32) (Endpoint, bool) { return at, true }})
	req := kmsg.NewPtrControlledShutdownRequest()
	req.Version = 3
	if _, err := c.Do(context.Background(), 1, req); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestSASL: a client gets in by each mechanism, and by no wrong password.
func TestSASL(t *testing.T) {
	all := []auth.Mechanism{&auth.Plain{Users: map[string]string{"broker": "secret"}}}
	for _, name := range []string{sasl.SCRAMSHA256, sasl.SCRAMSHA512} {
		cred, err := sasl.SCRAMFromPassword(name, "secret", sasl.SCRAMIterationsMin)
		if err != nil {
			t.Fatal(err)
		}
		m, err := auth.NewSCRAM(name, func(user string) (sasl.SCRAMCredential, bool) { return cred, user == "broker" })
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	s := startServer(t, "127.0.0.1:0", network.Listener{Protocol: network.SASLPlaintext, Mechanisms: all}, shutDown)
	at := endpointOf(s)
	at.SASL = true
	for _, m := range []string{"PLAIN", sasl.SCRAMSHA256, sasl.SCRAMSHA512, "OTHER"} {
		for _, password := range []string{"secret", "wrong"} {
			t.Run(fmt.Sprint(m, " ", password), func(t *testing.T) {
				c := newClient(t, Config{Endpoint: func(int32) (Endpoint, bool) { return at, true }, SASL: SASL{m, "broker", password}})
				_, err := ask(c, 1)
				if good := password == "secret" && m != "OTHER"; good != (err == nil) {
					t.Error(err)
				}
			})
		}
	}
}
