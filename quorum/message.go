package quorum

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/quorum/storage"
	"holt/quorum/transport"
)

// ErrUnreachable: there is no connection to the member.
var ErrUnreachable = errors.New("member is unreachable")

// maxPeerQueueBytes bounds what waits for a peer: of Raft's messages more is
// dropped, of Send's refused.
const maxPeerQueueBytes = 32 << 20

// Send passes an application message to a peer's OnMessage. It takes payload
// over and never blocks: ErrUnreachable without a connection, ErrBusy when too much
// waits for the peer. Messages arrive in order or, when the connection breaks, not at
// all from some point on; OnPeer tells of that.
func (m *Member) Send(to uint64, payload []byte) error {
	err := m.transport.Send(to, payload)
	switch {
	case err == nil:
		m.metrics.MessagesSent.Inc()
		return nil
	case errors.Is(err, transport.ErrFull):
		return ErrBusy
	default:
		return ErrUnreachable
	}
}

func (m *Member) openTransport() error {
	t, err := transport.New(transport.Config{
		ID: m.cfg.ID, Store: m.log.Identity().Store, Listen: m.cfg.Listen, Dial: m.cfg.Dial,
		Handler: handler{m}, Logger: m.zlog, MaxQueueBytes: maxPeerQueueBytes,
	})
	if err != nil {
		return err
	}
	m.transport = t
	return nil
}

// setPeers tells the transport where the members are. What this process was
// configured with goes before what the log remembers: an operator who moves a
// member edits the configuration.
func (m *Member) setPeers(members []MemberConfig) {
	addrs := map[uint64]string{}
	for _, list := range [][]MemberConfig{members, m.cfg.Members} {
		for _, p := range list {
			if p.ID != m.cfg.ID && p.Addr != "" {
				addrs[p.ID] = p.Addr
			}
		}
	}
	m.transport.SetPeers(addrs)
}

// handler is the transport's view of the member.
type handler struct{ m *Member }

func (h handler) Raft(_ uint64, msgs []*raftpb.Message, size int) bool {
	return h.m.in.addMessages(msgs, size)
}

func (h handler) Message(from uint64, payload []byte) {
	h.m.metrics.MessagesReceived.Inc()
	h.m.cfg.OnMessage(from, payload)
}

// Hello refuses a member that comes back with another log than before. It has
// forgotten for whom it voted and what it acknowledged: if it took part, what a
// majority has stored could be lost.
func (h handler) Hello(from uint64, store [16]byte) error {
	first, unknown := h.m.log.Peer(from, store)
	if first != store {
		return fmt.Errorf("member %d has lost its log since it was first seen; remove it and add it under a new id", from)
	}
	if unknown {
		h.m.appends.put(&Append{Write: storage.Write{Peer: &storage.Identity{Member: from, Store: store}}})
	}
	return nil
}

func (h handler) Unreachable(peer uint64) {
	h.call(func(c *Core) { c.Unreachable(peer) })
}

func (h handler) PeerGone(peer uint64) {
	h.call(func(c *Core) {
		if peer == c.lead.Leader {
			h.m.zlog.Info("leader's process has ended", zap.Uint64("peer", peer))
		}
		c.PeerGone(peer)
	})
}

func (h handler) PeerUp(peer uint64, up bool) { h.m.cfg.OnPeer(peer, up) }

func (h handler) Snapshot(from uint64, s *transport.Stream) { h.m.receiveSnapshot(from, s) }

func (h handler) call(f func(*Core)) {
	h.m.in.add(func(ev *events) { ev.calls = append(ev.calls, f) })
}
