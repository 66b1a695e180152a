package server

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/server/membership"
	"holt/wire"
	"holt/znode"
)

// Who the members are is said by the text of /zookeeper/config once it has a version other than
// 0, that is, where reconfiguration is on; else by this process's configuration, as ever.

// founders are the members of the configuration.
func (c *Config) founders() *membership.Ensemble {
	e := &membership.Ensemble{}
	for i := range c.Members {
		e.Servers = append(e.Servers, c.Members[i].asServer())
	}
	slices.SortFunc(e.Servers, func(a, b membership.Server) int { return int(a.ID) - int(b.ID) })
	return e
}

func (m *Member) asServer() membership.Server {
	s := membership.Server{ID: m.ID, Host: m.Host, QuorumPort: m.QuorumPort, ElectionPort: m.ElectionPort, Observer: m.Observer}
	if host, port, err := net.SplitHostPort(m.ClientAddr); err == nil {
		s.ClientHost = host
		s.ClientPort, _ = strconv.Atoi(port) // validated
	}
	return s
}

// members are those at present; never nil, and not to be changed.
func (s *Server) members() *membership.Ensemble {
	if e := s.ensemble.Load(); e != nil {
		return e
	}
	s.ensemble.CompareAndSwap(nil, s.cfg.founders())
	return s.ensemble.Load()
}

// self is this member's entry; the one of its configuration while it is not a member yet.
func (s *Server) self() membership.Server {
	if m, ok := s.members().Find(s.cfg.MemberID); ok {
		return m
	}
	m, _ := s.cfg.Self()
	return m.asServer()
}

// configNode reads /zookeeper/config, for the apply goroutine or under the machine's read lock.
func (s *Server) configNode() (text string, acl []wire.ACL, err error) {
	n, err := s.machine.Tree().Get(znode.ConfigPath)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", znode.ConfigPath, err)
	}
	return string(n.Data), n.ACL.Entries(), nil
}

// readMembers takes over what the tree says of the members.
func (s *Server) readMembers() error {
	if s.cfg.Standalone() || !s.machine.Configured() {
		return nil
	}
	text, _, err := s.configNode()
	if err != nil {
		return err
	}
	switch e, err := membership.Parse(text); {
	case err != nil: // of a tree that was imported, perhaps
		s.log.Warn("members are those of the configuration", zap.String("path", znode.ConfigPath), zap.Error(err))
	case e.Version != 0:
		s.ensemble.Store(&e)
		select {
		case s.membersKick <- struct{}{}:
		default: // told of it already, and it looks at the newest
		}
	}
	return nil
}

// membersChanged is called by the apply goroutine when /zookeeper/config has changed.
func (s *Server) membersChanged() error {
	before := s.members()
	if err := s.readMembers(); err != nil {
		return err
	}
	_, was := before.Find(s.cfg.MemberID)
	if _, is := s.members().Find(s.cfg.MemberID); was && !is && before.Version != 0 {
		s.removed.Store(true)
	}
	if now := s.members(); now != before {
		s.log.Info("members changed", zap.Strings("members", now.Lines()), zap.String("version", fmt.Sprintf("%x", now.Version)))
	}
	s.pipeline.unblock()
	return nil
}

// proposeMembership has the text of /zookeeper/config say who is in the
// ensemble. A server on its own has an empty one, as in ZooKeeper. Where
// reconfiguration is on, the first text begins its versions with the epoch. A text with
// a version stays as it is (apply sees to that, since this member may not have it yet).
func (s *Server) proposeMembership() {
	if s.cfg.Standalone() || s.machine.Configured() {
		return
	}
	s.machine.RLock()
	text, _, err := s.configNode()
	s.machine.RUnlock()
	if err != nil {
		s.failed(err)
		return
	}
	lines := strings.Join(s.cfg.founders().Lines(), "\n")
	if s.cfg.ReconfigEnabled || text != membership.Text(lines, 0) {
		s.proposeInternal(&apply.Command{Op: wire.OpReconfig, Body: apply.AppendMembers(nil, lines, s.cfg.ReconfigEnabled)})
	}
}

// raftMember is a server as quorum knows it.
func raftMember(s *membership.Server, addr string) quorum.MemberConfig {
	return quorum.MemberConfig{ID: s.ID, Addr: addr, Learner: s.Observer}
}

// checkRemoved ends a member that was removed: not at once, so that the client that asked for it gets
// its answer.
func (s *Server) checkRemoved() {
	if s.removed.Load() {
		s.failed(quorum.ErrRemoved)
	}
}

// runMembers follows the ensemble outside of it: this member's address for clients, and the
// files of its configuration.
func (s *Server) runMembers() {
	defer s.wg.Done()
	configured, _ := s.cfg.Self()
	last := configured.asServer()
	for {
		select {
		case <-s.stop:
			return
		case <-s.membersKick:
		}
		e := s.members()
		self, ok := e.Find(s.cfg.MemberID)
		if !ok {
			continue
		}
		if err := s.moveClients(&last, &self); err != nil {
			s.log.Error("clients cannot be served at the address that the ensemble knows; the old one stays",
				zap.String("address", self.ClientAddr()), zap.Error(err))
		}
		last = self
		if s.cfg.OnMembers != nil {
			s.cfg.OnMembers(e)
		}
	}
}

// moveClients opens the client port of a new address and closes the old one. Who is connected
// stays. ZooKeeper: QuorumPeer.processReconfig, NIOServerCnxnFactory.reconfigure.
func (s *Server) moveClients(was, is *membership.Server) error {
	addr := is.ClientAddr()
	if addr == "" || addr == was.ClientAddr() || s.cfg.ClientAddr == Off && was.ClientPort == 0 {
		return nil
	}
	s.mu.Lock()
	old := s.clientsOn
	s.mu.Unlock()
	if old != nil && was.ClientPort == 0 {
		// The configuration told the port, and perhaps a narrower address.
		if _, port, err := net.SplitHostPort(old.Addr().String()); err != nil || port == strconv.Itoa(is.ClientPort) {
			return err
		}
	}
	if old != nil && was.ClientPort == is.ClientPort {
		if err := ignoreClosed(old.Close()); err != nil { // the new address may overlap the old one
			return err
		}
	}
	l, err := s.cfg.Listen(addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return l.Close()
	}
	s.clientsOn = l
	s.wg.Add(1)
	s.mu.Unlock()
	go s.accept(l, s.portKind(l))
	s.log.Info("clients are served at", zap.String("address", addr))
	if old == nil {
		return nil
	}
	return ignoreClosed(old.Close())
}
