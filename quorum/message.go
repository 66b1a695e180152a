package quorum

import (
	"errors"
	"fmt"
	"slices"
	"sync"

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
		ID: m.cfg.ID, Store: m.id.Store, Listen: m.cfg.Listen, Dial: m.cfg.Dial, Login: m.cfg.Login,
		Handler: handler{m}, Logger: m.zlog, MaxQueueBytes: maxPeerQueueBytes,
	})
	if err != nil {
		return err
	}
	m.transport = t
	return nil
}

// setPeers tells the transport where the members are. While the founders are the members,
// what this process was configured with goes before what the log remembers: an operator who
// moves a member edits the configuration. After a change the log knows better; who is not in
// it may still have to be answered, since this member may be behind. For the loop.
func (m *Member) setPeers() {
	addrs := map[uint64]string{}
	lists := [][]MemberConfig{*m.hints.Load(), m.cfg.Members, m.core.roster.members}
	if m.core.confIndex <= foundingIndex {
		lists[1], lists[2] = lists[2], lists[1]
	}
	for _, list := range lists {
		for _, p := range list {
			if p.ID != m.cfg.ID && p.Addr != "" && m.core.roster.removedAt(p.ID) == 0 {
				addrs[p.ID] = p.Addr
			}
		}
	}
	m.transport.SetPeers(addrs)
}

// Addrs are the addresses of the members at present, this one's among them, as this member knows it: by the log, and
// until there was a change by the configuration. While the log does not have the leader, or there is
// none, it may be behind: those count too that others named when this member searched. For any goroutine.
func (m *Member) Addrs() []string {
	r, hints := m.roster.Load(), *m.hints.Load()
	members := r.members
	if r.founders || len(r.members) == 0 {
		members = m.cfg.Members
		for _, p := range r.members {
			if !slices.ContainsFunc(members, func(c MemberConfig) bool { return c.ID == p.ID }) {
				members = append(slices.Clip(members), p)
			}
		}
	}
	if _, known := r.find(m.Leadership().Leader); !known {
		members = slices.Concat(members, hints)
	}
	var addrs []string
	for _, p := range members {
		if p.Addr != "" && !slices.Contains(addrs, p.Addr) {
			addrs = append(addrs, p.Addr)
		}
	}
	return addrs
}

// moved opens the port of this member's new address, beside everything else. The other members
// dial it as soon as they see the change; if that is sooner than this one can see it, search tells.
func (m *Member) moved(before, now *roster) {
	was, ok := before.find(m.cfg.ID)
	if is, member := now.find(m.cfg.ID); ok && member && was.Addr != is.Addr {
		m.openAddr(is.Addr)
	}
}

// openAddr opens a further address for peers, once.
func (m *Member) openAddr(addr string) {
	if m.cfg.ListenAt == nil {
		return
	}
	m.upkeep.put(func() {
		if m.openedAt[addr] {
			return
		}
		ln, err := m.cfg.ListenAt(addr)
		if err != nil {
			m.zlog.Error("this member's new address cannot be opened: the others cannot reach it there", zap.String("address", addr), zap.Error(err))
			return
		}
		m.openedAt[addr] = true
		m.transport.AddListener(ln)
		m.zlog.Info("reached at a new address", zap.String("address", addr))
	})
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

// Hello refuses a member that was removed, and one that comes back with another log than
// before. That one has forgotten for whom it voted and what it acknowledged: if it took part, what a
// majority has stored could be lost.
func (h handler) Hello(from uint64, store [16]byte) error {
	if !h.m.placed.Load() {
		return fmt.Errorf("%w: this member has no log yet", transport.ErrNotNow)
	}
	err := h.admits(from, store)
	if err != nil && !errors.Is(err, transport.ErrNotNow) && h.m.refused.news(from, store) {
		h.m.zlog.Warn("a member is refused", zap.Uint64("peer", from), zap.String("cause", refusalOf(err)))
	}
	return err
}

// refusalOf says to this side's operator what a RemovedError says to the other's.
func refusalOf(err error) string {
	if removed := (*transport.RemovedError)(nil); errors.As(err, &removed) {
		return fmt.Sprintf("it was removed by entry %d; to bring it back, empty its directories, start it and add it by reconfig", removed.Index)
	}
	return err.Error()
}

// refusals are the logs that were refused, so that each is told once.
type refusals struct {
	mu   sync.Mutex
	told map[uint64][16]byte // by member; ids are at most 254, and those of strangers are bounded
}

// refusalsMax bounds the table: whoever can reach the port can name any id.
const refusalsMax = 1000

func (r *refusals) news(from uint64, store [16]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.told[from]; ok && last == store || len(r.told) >= refusalsMax {
		return false
	}
	if r.told == nil {
		r.told = map[uint64][16]byte{}
	}
	r.told[from] = store
	return true
}

func (h handler) admits(from uint64, store [16]byte) error {
	r := h.m.roster.Load()
	first, unknown := store, false
	known, member := r.find(from)
	if member && known.Store != ([16]byte{}) {
		first = known.Store
	} else if index := r.removedAt(from); index != 0 {
		return &transport.RemovedError{Index: index}
	} else if err := checkOrigin(h.m.id.Store, store, from); err != nil && r.founders {
		return err
	} else {
		if !member {
			if err := h.m.judgeStranger(r, from, store); err != nil {
				return fmt.Errorf("member %d: %w", from, err)
			}
		}
		first, unknown = h.m.log.Peer(from, store)
	}
	if first != store {
		return fmt.Errorf("member %d comes with another log than it was first seen with: if it belongs to another ensemble, correct its server lines; "+
			"if it has lost its disk, %s", from, remedyLost)
	}
	if unknown {
		h.m.appends.put(&Append{Write: storage.Write{Peer: &storage.Identity{Member: from, Store: store}}})
	}
	return nil
}

// remedyLost is what an operator does about a member whose disk was wiped or replaced.
const remedyLost = "remove it by reconfig, then add it again, with an empty log"

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
