package network

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toyAPIs are what the tests' handlers are asked.
func toyAPIs() *protocol.Table {
	return protocol.NewTable(protocol.Produce, protocol.Fetch, protocol.Metadata, protocol.ApiVersions, protocol.SaslHandshake,
		protocol.SaslAuthenticate, protocol.ListGroups, protocol.Heartbeat)
}

// echo answers Heartbeat with its generation as the throttle time, so that replies can
// be told apart.
func echo(_ context.Context, r *Request) {
	req, err := r.Decode()
	if err != nil {
		r.Close(err)
		return
	}
	reply(r, req)
}

func reply(r *Request, req kmsg.Request) {
	resp := req.ResponseKind()
	if hb, ok := req.(*kmsg.HeartbeatRequest); ok {
		resp.(*kmsg.HeartbeatResponse).ThrottleMillis = hb.Generation
	}
	r.Reply(resp)
	r.Release()
}

// startToy serves cfg on a plaintext listener of the loopback unless cfg has listeners.
func startToy(t testing.TB, cfg Config, h HandlerFunc) *Server {
	t.Helper()
	if len(cfg.Listeners) == 0 {
		cfg.Listeners = []Listener{{Name: "PLAINTEXT", Protocol: Plaintext, Address: "127.0.0.1:0"}}
	}
	if cfg.APIs == nil {
		cfg.APIs = toyAPIs()
	}
	if cfg.Logger == nil {
		cfg.Logger = zaptest.NewLogger(t)
	}
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(h)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client speaks the protocol over a connection, frame by frame.
type client struct {
	t    testing.TB
	nc   net.Conn
	next int32
}

func dial(t testing.TB, s *Server) *client {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr(s.listeners[0].Name).String())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, nc: nc}
	t.Cleanup(func() { c.nc.Close() })
	return c
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// send sends a request and returns its correlation id.
func (c *client) send(req kmsg.Request) int32 {
	c.t.Helper()
	c.next++
	c.write(protocol.AppendRequest(nil, c.next, "toy", req))
	return c.next
}

// frame reads the next frame, or returns what ended the stream.
func (c *client) frame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.nc, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.nc, b)
	return b, err
}

// receive reads the response to req.
func (c *client) receive(req kmsg.Request) (int32, kmsg.Response) {
	c.t.Helper()
	b, err := c.frame()
	if err != nil {
		c.t.Fatal(err)
	}
	id, body, err := protocol.ParseResponseHeader(b, protocol.Key(req.Key()), req.GetVersion())
	if err != nil {
		c.t.Fatal(err)
	}
	resp := req.ResponseKind()
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatal(err)
	}
	return id, resp
}

func (c *client) ask(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	want := c.send(req)
	got, resp := c.receive(req)
	if got != want {
		c.t.Fatalf("reply %d to request %d", got, want)
	}
	return resp
}

// closed fails unless the server has closed the connection.
func (c *client) closed() {
	c.t.Helper()
	if b, err := c.frame(); err == nil {
		c.t.Fatalf("got a frame of %d bytes, want the end", len(b))
	}
}

func heartbeat(n int32) *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, "g", "m", n
	return req
}

func TestAskAndAnswer(t *testing.T) {
	s := startToy(t, Config{}, echo)
	c := dial(t, s)
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.Version, versions.ClientSoftwareName, versions.ClientSoftwareVersion = 3, "toy", "1.0"
	if resp := c.ask(versions).(*kmsg.ApiVersionsResponse); resp.ErrorCode != 0 || len(resp.ApiKeys) != len(toyAPIs().All()) {
		t.Errorf("ApiVersions: %+v", resp)
	}
	if resp := c.ask(heartbeat(7)).(*kmsg.HeartbeatResponse); resp.ThrottleMillis != 7 {
		t.Errorf("got %d, want 7", resp.ThrottleMillis)
	}
}

func TestPipelinedRepliesComeInOrder(t *testing.T) {
	s := startToy(t, Config{}, echo)
	c := dial(t, s)
	var all []byte
	const n = 1000
	for i := range int32(n) {
		all = append(all, protocol.AppendRequest(nil, i, "toy", heartbeat(i))...)
	}
	go c.nc.Write(all)
	for i := range int32(n) {
		if id, resp := c.receive(heartbeat(0)); id != i || resp.(*kmsg.HeartbeatResponse).ThrottleMillis != i {
			t.Fatalf("reply %d: id %d, %+v", i, id, resp)
		}
	}
}
