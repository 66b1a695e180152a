package server

import (
	"context"
	"net"
	"time"

	"holt/quorum"
)

// treeFlushBytes of applied entries are what a restart replays at most, about.
const treeFlushBytes = 3 << 20

// peers is what the pipeline and a leader's duties need of quorum.Member, whose
// methods say what they do. Simulations have another.
type peers interface {
	Propose(entry []byte) error
	Send(to uint64, payload []byte) error
	ReadBarrier(done func(error))
	Idle() bool
	Status() quorum.Status
	Ask(ctx context.Context, id uint64, question []byte) ([]byte, error)
	StartChange(c quorum.MembershipChange) error
}

// quorumConfig maps the server's configuration onto its Raft member.
func (s *Server) quorumConfig() quorum.Config {
	c := quorum.Config{
		ID:           s.cfg.MemberID,
		Dir:          s.cfg.FS.PathJoin(s.cfg.LogDir, "raft"),
		FS:           s.cfg.FS,
		StateMachine: stateMachine{s},
		OnMessage:    s.onMessage,
		OnQuestion:   s.onQuestion,
		OnPeer:       s.onPeer,
		OnLeadership: s.onLeadership,
		Logger:       s.cfg.Logger,
		FlushBytes:   treeFlushBytes,
		SlowLogWrite: time.Duration(s.cfg.FsyncWarnMillis) * time.Millisecond,
		Dial:         s.dialPeer,
		Login:        s.peerLogin(),
	}
	for _, m := range s.cfg.Members {
		c.Members = append(c.Members, quorum.MemberConfig{ID: m.ID, Addr: m.PeerAddr, Learner: m.Observer})
	}
	if len(c.Members) == 0 {
		c.Members = []quorum.MemberConfig{{ID: s.cfg.MemberID}}
	}
	c.Discover = s.cfg.ReconfigEnabled && !s.cfg.Standalone()
	if self, ok := s.cfg.Self(); ok && !s.cfg.Standalone() {
		c.Listen = func() (net.Listener, error) { return s.listenPeers(s.cfg.peerListenAddr(self)) }
		c.ListenAt = func(addr string) (net.Listener, error) {
			return s.listenPeers(s.cfg.peerListenAddr(Member{PeerAddr: addr}))
		}
	}
	return c
}

// onPeer is told that the connection to another member was made or lost. What
// was on its way to the leader may be lost with it, so it is sent again.
func (s *Server) onPeer(peer uint64, up bool) {
	if !up {
		s.formats.forget(peer)
	}
	if up && peer == s.leadership.Load().leader {
		s.pipeline.setLeader(peer)
	}
}
