package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// Handler receives what arrives. Its methods are called from the transport's
// goroutines, for one lane of one peer from one at a time.
type Handler interface {
	// Raft takes messages over, of size bytes; it may block. False ends the
	// connection.
	Raft(from uint64, msgs []*raftpb.Message, size int) bool
	// Message takes a payload over; it may block.
	Message(from uint64, payload []byte)
	// Hello judges a peer that connects, but to ask; a RemovedError reaches its Handler.
	Hello(from uint64, store [16]byte) error
	// Unreachable: messages to the peer were lost.
	Unreachable(peer uint64)
	// PeerGone: the peer's process has ended.
	PeerGone(peer uint64)
	// PeerUp: the connection for Send was made, or lost.
	PeerUp(peer uint64, up bool)
	// Asked answers the question of a member that need not be a peer (Ask); nil for no answer.
	Asked(from uint64, store [16]byte, question []byte) []byte
	// Removed: a peer says that this member was removed by the entry at index.
	Removed(peer, index uint64)
	// Snapshot receives one; see Receive. It owns the stream until it returns.
	Snapshot(from uint64, s *Stream)
}

// Config of a Transport. All fields but Login are needed, Listen only to be reached.
type Config struct {
	ID      uint64
	Store   [16]byte
	Listen  func() (net.Listener, error)
	Dial    func(ctx context.Context, addr string) (net.Conn, error)
	Handler Handler
	Logger  *zap.Logger

	// Login has members prove who they are; nil: no connection begins with a login.
	Login *Login

	// MaxQueueBytes bounds what waits for one lane of one peer.
	MaxQueueBytes int
}

// Times. They bound how long a member believes in a silent connection; the
// ensemble's health is judged by Raft's heartbeats, which are faster.
const (
	handshakeTimeout = 2 * time.Second
	aliveInterval    = time.Second
	silenceTimeout   = 5 * time.Second
	writeTimeout     = 5 * time.Second
	redialMin        = 5 * time.Millisecond
	redialMax        = 250 * time.Millisecond
	maxIncoming      = 256
)

var (
	// ErrDown: there is no connection to the peer.
	ErrDown = errors.New("no connection to peer")
	// ErrFull: too much waits for the peer.
	ErrFull = errors.New("queue to peer is full")
)

// Transport is one member's end of all connections.
type Transport struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	metrics Metrics

	mu       sync.Mutex
	lns      []net.Listener
	peers    map[uint64]*peer
	incoming map[incomingKey]*incoming
	waiting  map[net.Conn]time.Time // accepted then, handshake under way
	told     map[uint64]error       // by peer: the kind of why there is no connection that was logged last; see tell
	closed   bool
}

// New starts listening. Peers are added by SetPeers.
func New(cfg Config) (*Transport, error) {
	t := &Transport{
		cfg: cfg, peers: map[uint64]*peer{}, incoming: map[incomingKey]*incoming{}, waiting: map[net.Conn]time.Time{},
		told: map[uint64]error{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if cfg.Listen != nil {
		ln, err := cfg.Listen()
		if err != nil {
			t.cancel()
			return nil, fmt.Errorf("listen for peers: %w", err)
		}
		t.AddListener(ln)
	}
	return t, nil
}

// AddListener takes connections from one more listener, whose owner it becomes: a member that moves is
// reached at both addresses until it ends.
func (t *Transport) AddListener(ln net.Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		ln.Close() // nobody is waiting for it
		return
	}
	t.lns = append(t.lns, ln)
	t.wg.Go(func() { t.accept(ln) })
}

// SetPeers tells where the other members are. Connections to members that are
// no longer among them, or elsewhere, end.
func (t *Transport) SetPeers(addrs map[uint64]string) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	var ended []*peer
	for id, p := range t.peers {
		if addrs[id] != p.addr {
			ended = append(ended, p)
			delete(t.peers, id)
		}
	}
	for id, addr := range addrs {
		if id != t.cfg.ID && addr != "" && t.peers[id] == nil {
			t.peers[id] = t.newPeer(id, addr)
		}
	}
	t.mu.Unlock()
	for _, p := range ended {
		p.stop()
	}
}

func (t *Transport) peer(id uint64) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peers[id]
}

// SendRaft sends messages to the peers they are addressed to, or drops them.
func (t *Transport) SendRaft(msgs []*raftpb.Message) {
	for _, m := range msgs {
		p := t.peer(m.GetTo())
		if p == nil {
			continue
		}
		if p.lanes[laneRaft].put(outgoing{msg: m}, messageSize(m)) != nil {
			t.cfg.Handler.Unreachable(p.id)
		}
	}
}

// Send passes a payload to the peer's Handler.Message. It takes payload over.
func (t *Transport) Send(to uint64, payload []byte) error {
	p := t.peer(to)
	if p == nil {
		return ErrDown
	}
	return p.lanes[laneApp].put(outgoing{payload: payload}, len(payload))
}

// Close ends all connections and waits for all goroutines. Handlers that block
// must have been released.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.closed = true
	peers, conns, lns := t.peers, t.waiting, t.lns
	t.peers, t.lns = nil, nil
	ins := t.incoming
	for c := range conns {
		c.Close()
	}
	for _, in := range ins {
		in.conn.Close()
	}
	t.mu.Unlock()
	t.cancel()
	var err error
	for _, ln := range lns {
		err = errors.Join(err, ln.Close())
	}
	for _, p := range peers {
		p.stop()
	}
	t.wg.Wait()
	return err
}
