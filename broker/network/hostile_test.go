package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/broker/protocol"
)

func TestBadFrames(t *testing.T) {
	s := startToy(t, Config{}, echo)
	for name, b := range map[string][]byte{
		"negative size":           {0xff, 0xff, 0xff, 0xff},
		"least size":              {0x80, 0, 0, 0},
		"greatest size":           {0x7f, 0xff, 0xff, 0xff, 0, 0},
		"one more than allowed":   binary.BigEndian.AppendUint32(nil, 100<<20+1),
		"large without records":   append(binary.BigEndian.AppendUint32(nil, protocol.ControlFrameMax+1), 0, 3),
		"empty":                   {0, 0, 0, 0},
		"half a header":           {0, 0, 0, 5, 0, 3, 0, 1, 0},
		"unknown API":             protocol.AppendHeader([]byte{0, 0, 0, 10}, protocol.Header{Key: 999, CorrelationID: 1}),
		"unknown version":         protocol.AppendHeader([]byte{0, 0, 0, 10}, protocol.Header{Key: protocol.Heartbeat, Version: 1000, CorrelationID: 1}),
		"an API that is not here": protocol.AppendHeader([]byte{0, 0, 0, 10}, protocol.Header{Key: protocol.JoinGroup, CorrelationID: 1}),
		"negative key":            protocol.AppendHeader([]byte{0, 0, 0, 10}, protocol.Header{Key: -1, CorrelationID: 1}),
		"half a body":             protocol.AppendHeader([]byte{0, 0, 0, 10}, protocol.Header{Key: protocol.Heartbeat, CorrelationID: 1}),
		"tag bomb":                append([]byte{0, 0, 0, 15, 0, 12, 0, 4, 0, 0, 0, 1, 0xff, 0xff}, 0xff, 0xff, 0xff, 0xff, 0x0f),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s)
			c.write(b)
			c.closed()
			dial(t, s).ask(heartbeat(1)) // others are served
		})
	}
}

// TestTooNewApiVersions is answered, whatever its version and body.
func TestTooNewApiVersions(t *testing.T) {
	c := dial(t, startToy(t, Config{}, echo))
	for _, version := range []int16{5, 100, 32767, -1} {
		h := protocol.AppendHeader(nil, protocol.Header{Key: protocol.ApiVersions, Version: version, CorrelationID: 8})
		h = append(h, "rubbish"...)
		c.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(h))), h...))
		got, err := c.frame()
		if err != nil || !bytes.Equal(got, []byte{0, 0, 0, 8, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4}) {
			t.Errorf("version %d: %x %v", version, got, err)
		}
	}
}

// TestMisdirectedClients pins the lines that tell operators who has taken the wrong port.
func TestMisdirectedClients(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	k := testKeys(t)
	s := startToy(t, Config{Logger: zap.New(core), Listeners: []Listener{
		{Name: "PLAINTEXT", Protocol: Plaintext, Address: "127.0.0.1:0"},
		{Name: "SSL", Protocol: SSL, Address: "127.0.0.1:0", TLS: k.server()},
	}}, echo)
	connect := make([]byte, 49) // of ZooKeeper
	copy(connect, []byte{0, 0, 0, 45})
	binary.BigEndian.PutUint32(connect[28:], 16)
	for _, test := range []struct {
		listener, want string
		send           func(net.Conn)
	}{
		{"PLAINTEXT", "a TLS client on a listener without TLS", func(nc net.Conn) { tls.Client(nc, k.client()).Handshake() }},
		{"SSL", "a Kafka client without TLS on a TLS listener", func(nc net.Conn) { nc.Write(protocol.AppendRequest(nil, 1, "c", heartbeat(1))) }},
		{"PLAINTEXT", "an HTTP client", func(nc net.Conn) { nc.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }},
		{"SSL", "an HTTP client", func(nc net.Conn) { nc.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }},
		{"PLAINTEXT", "a ZooKeeper client", func(nc net.Conn) { nc.Write(connect) }},
		{"PLAINTEXT", "a ZooKeeper client", func(nc net.Conn) { nc.Write([]byte("ruok")) }},
	} {
		s.mistakes.mu.Lock()
		s.mistakes.told = nil // each is told once a minute
		s.mistakes.mu.Unlock()
		nc, err := net.Dial("tcp", s.Addr(test.listener).String())
		if err != nil {
			t.Fatal(err)
		}
		test.send(nc)
		buf := make([]byte, 1024)
		for { // until the server has closed it
			if _, err := nc.Read(buf); err != nil {
				break
			}
		}
		nc.Close()
		for s.Metrics().Connections.Load() > 0 {
			time.Sleep(time.Millisecond)
		}
		all := logs.TakeAll()
		if len(all) != 1 || all[0].Level != zap.WarnLevel || !strings.Contains(all[0].ContextMap()["error"].(string), test.want) {
			t.Errorf("%s on %s: logged %v", test.want, test.listener, all)
		}
	}
}

// pipeListener hands out connections in memory, for more than there are descriptors.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// TestIdleConnectionsAreSmall: ten thousand of them, each after a request.
func TestIdleConnectionsAreSmall(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s := startToy(t, Config{Logger: zap.NewNop(), Listen: func(string, string) (net.Listener, error) { return l, nil }}, echo)
	memory := func() uint64 {
		runtime.GC()
		runtime.GC() // pools keep what was put for one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := memory()
	var clients []*client
	for range n {
		here, there := net.Pipe()
		l.conns <- there
		c := &client{t: t, nc: here}
		c.ask(heartbeat(1))
		clients = append(clients, c)
	}
	each := (memory() - before) / uint64(n)
	t.Logf("%d bytes each, the client's end included", each)
	if each > 16<<10 {
		t.Errorf("%d bytes for an idle connection", each)
	}
	for _, c := range clients {
		c.nc.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPromisedSizesTakeNoMemory: lengths of many megabytes of which little comes.
func TestPromisedSizesTakeNoMemory(t *testing.T) {
	s := startToy(t, Config{Logger: zap.NewNop()}, echo)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 50
	for range n {
		c := dial(t, s)
		c.write(append(binary.BigEndian.AppendUint32(nil, 90<<20), make([]byte, 10_000)...)) // key 0: Produce
	}
	for s.Metrics().Connections.Load() < n {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // for what has arrived to be read
	runtime.ReadMemStats(&after)
	if got := after.HeapInuse - min(before.HeapInuse, after.HeapInuse); got > n*(frameTrust+64<<10) {
		t.Errorf("%d bytes for %d promises", got, n)
	}
}

// TestBudget: large frames of all connections together have a bound.
func TestBudget(t *testing.T) {
	k := newKeeper()
	s := startToy(t, Config{RequestBytesMax: 1 << 20, FrameBytesMax: 3 << 20}, k.handle)
	frame := protocol.AppendHeader(nil, protocol.Header{Key: protocol.Produce, Version: 7, CorrelationID: 1})
	frame = append(binary.BigEndian.AppendUint32(nil, 1<<20), append(frame, make([]byte, 1<<20-len(frame))...)...)
	var kept []*Request
	for range 2 {
		dial(t, s).write(frame)
		kept = append(kept, <-k.got)
	}
	waits := dial(t, s)
	go waits.nc.Write(frame)
	select {
	case <-k.got:
		t.Fatal("a third megabyte was read")
	case <-time.After(30 * time.Millisecond):
	}
	kept[0].Release()
	(<-k.got).NoReply()
	for _, r := range kept {
		r.NoReply()
	}
}

func FuzzConnection(f *testing.F) {
	f.Add(protocol.AppendRequest(nil, 1, "c", heartbeat(1)))
	f.Add(append(protocol.AppendRequest(nil, 1, "c", fetch()), protocol.AppendRequest(nil, 2, "c", produce(1))...))
	f.Add(protocol.AppendRequest(nil, 1, "c", handshake(0, "PLAIN")))
	f.Add([]byte("GET / HTTP/1.1"))
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	listener := saslListener(f)
	listener.Protocol = Plaintext
	s := startToy(f, Config{Logger: zap.NewNop(), Listeners: []Listener{listener}, Listen: func(string, string) (net.Listener, error) { return l, nil }},
		func(ctx context.Context, r *Request) {
			if _, err := r.Decode(); err != nil {
				r.Close(err)
				return
			}
			r.NoReply()
		})
	_ = s
	f.Fuzz(func(t *testing.T, b []byte) {
		here, there := net.Pipe()
		l.conns <- there
		done := make(chan struct{})
		go func() { // takes whatever is said
			defer close(done)
			buf := make([]byte, 4096)
			for {
				if _, err := here.Read(buf); err != nil {
					return
				}
			}
		}()
		here.Write(b)
		here.Close()
		<-done
	})
}
