package server

import (
	"net"
	"strconv"
	"time"

	"holt/server/admin"
	"holt/server/watch"
	"holt/wire"
)

// This file shows the member to operators: Server is the Source of package
// admin.

var _ admin.Source = (*Server)(nil)

// Status implements admin.Source.
func (s *Server) Status() admin.Status {
	all := s.traffic()
	st := admin.Status{
		Serving:     s.canServe(),
		Mode:        s.mode(),
		LeaderID:    s.leadership.Load().leader,
		Started:     s.started,
		Received:    all.received,
		Sent:        all.sent,
		AuthFailed:  s.metrics.AuthFailed.Load(),
		PlainRemote: int(s.metrics.PlainRemote.Load()), PlainLocal: int(s.metrics.PlainLocal.Load()),
		Connections: s.connected(),
	}
	s.metrics.latencies(&st)
	if s.machine == nil {
		return st
	}
	st.Outstanding = int64(s.pipeline.outstanding())
	st.DurableZxid, st.Durable = s.durable.last()
	if s.member != nil {
		st.SlowSyncs = s.member.Metrics().SlowLogWrites.Load()
	}
	s.machine.RLock()
	st.Zxid = s.machine.LastZxidLocked()
	counts := s.machine.Tree().Counts()
	st.Sessions = s.machine.Sessions().Len()
	s.machine.RUnlock()
	st.Nodes, st.Ephemerals, st.DataBytes = counts.Nodes, counts.Ephemerals, counts.DataBytes
	l := s.localsNow()
	st.HasLocal, st.LocalSessions = s.cfg.LocalSessions || l == s.readOnlys, l.count()
	w := s.watches.Counts()
	st.WatchConnections, st.WatchPaths, st.Watches, st.WatchesAll = w.Watchers, w.Paths, w.Data, w.Data+w.Child
	if !s.cfg.Standalone() {
		s.ensembleStatus(&st)
	}
	return st
}

func (s *Server) ensembleStatus(st *admin.Status) {
	st.QuorumSize = s.voters()
	l := s.leadership.Load()
	if !l.self {
		return
	}
	lead := &admin.LeadStatus{Since: l.since}
	p := s.metrics.EntryBytes.Snapshot()
	lead.ProposalLast, lead.ProposalMin, lead.ProposalMax = -1, -1, -1
	if p.Count() > 0 {
		lead.ProposalLast, lead.ProposalMin, lead.ProposalMax = s.metrics.EntryLast.Load(), p.Min(), p.Max()
	}
	q := s.member.Status()
	learner := make(map[uint64]bool)
	for _, m := range q.Members {
		learner[m.ID] = m.Learner
	}
	for _, peer := range q.Peers {
		if !peer.Active || peer.ID == s.cfg.MemberID {
			continue
		}
		lead.Learners++
		switch {
		case peer.State != "replicate":
		case learner[peer.ID]:
			lead.SyncedObservers++
		default:
			lead.SyncedFollowers++
		}
	}
	st.Lead = lead
}

// canServe says whether requests of clients are answered at present.
func (s *Server) canServe() bool {
	select {
	case <-s.ready:
		return s.leadership.Load().leader != 0 || s.readOnlyNow()
	default:
		return s.readOnlyNow()
	}
}

func (s *Server) mode() admin.Mode {
	l := s.leadership.Load()
	switch {
	case s.readOnlyNow():
		return admin.ReadOnly
	case s.cfg.Standalone():
		return admin.Standalone
	case l.self:
		return admin.Leader
	case s.self().Observer:
		return admin.Observer
	}
	return admin.Follower
}

// Config implements admin.Source.
func (s *Server) Config() admin.Config {
	c := admin.Config{
		InitialText: s.cfg.InitialText, Properties: s.cfg.Properties,
		ClientPort: -1, SecureClientPort: -1, ListenBacklog: -1,
		DataDir: s.cfg.DataDir, LogDir: s.cfg.LogDir,
		TickMillis:       s.cfg.TickMillis,
		MaxClientConns:   max(s.cfg.MaxClientConns, 0),
		MinSessionMillis: s.cfg.MinSessionTimeoutMillis, MaxSessionMillis: s.cfg.MaxSessionTimeoutMillis,
	}
	if a := s.ClientAddr(); a != nil {
		c.ClientPort = portOf(a)
	}
	if a := s.SecureClientAddr(); a != nil {
		c.SecureClientPort = portOf(a)
	}
	c.DataDirBytes, c.LogDirBytes = s.dirs.sizes(s.cfg.FS, s.cfg.DataDir, s.cfg.LogDir)
	if s.cfg.Standalone() {
		return c
	}
	self := s.self()
	c.ServerID = s.cfg.MemberID
	c.Ensemble = &admin.EnsembleConfig{InitLimit: s.cfg.InitLimit, SyncLimit: s.cfg.SyncLimit,
		ElectionPort: self.ElectionPort, QuorumPort: self.QuorumPort, Observer: self.Observer, Membership: s.members().Text()}
	return c
}

func portOf(a net.Addr) int {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return -1
	}
	return n
}

// Connections implements admin.Source.
func (s *Server) Connections(visit func(*admin.Connection) bool) {
	s.mu.Lock()
	all := make([]*conn, 0, min(len(s.conns), admin.ListMax))
	for c := range s.conns {
		if len(all) == admin.ListMax {
			break
		}
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		if v := c.show(); !visit(&v) {
			return
		}
	}
}

func (c *conn) show() admin.Connection {
	f := c.out.shown()
	received, sent := f.own()
	v := admin.Connection{
		Remote:      c.remote,
		Secure:      c.secured.Load(),
		Outstanding: int64(c.queued.Load()),
		Received:    received, Sent: sent,
		Session:     c.sessionID(),
		Established: c.established, TimeoutMillis: c.timeout.Load(),
		LastOp: f.lastOp, NoOp: f.lastOp == 0,
		LastCxid: int64(f.lastXid), LastZxid: f.lastZxid,
		LastResponseMillis: f.lastSeen.Milliseconds(),
		Paused:             c.word.Load(),
		Expires:            c.expires(f.lastSeen),
	}
	l := &f.latency
	v.LatencyLast, v.LatencyMin, v.LatencyMax, v.LatencySum, v.LatencyCount = l.last, l.min, l.max, l.sum, l.count
	return v
}

// expires is when the connection is closed if nothing more is heard of it than at lastSeen since the server's start.
func (c *conn) expires(lastSeen time.Duration) time.Time {
	if timeout := c.timeout.Load(); timeout > 0 {
		heard := c.srv.started.Add(lastSeen)
		if heard.Before(c.established) {
			heard = c.established
		}
		return heard.Add(time.Duration(timeout) * time.Millisecond)
	}
	if limit := c.srv.cfg.HandshakeTimeoutMillis; limit > 0 {
		return c.established.Add(time.Duration(limit) * time.Millisecond)
	}
	return time.Time{}
}

// Sessions implements admin.Source.
func (s *Server) Sessions(limit int) []admin.Session {
	s.machine.RLock()
	facts := s.machine.Sessions().All()
	s.machine.RUnlock()
	if len(facts) > limit {
		facts = facts[:limit]
	}
	list := make([]admin.Session, 0, len(facts))
	leads := s.leadership.Load().self
	s.trackerMu.Lock()
	defer s.trackerMu.Unlock()
	for _, f := range facts {
		v := admin.Session{ID: f.ID, TimeoutMillis: f.TimeoutMillis}
		if at, ok := s.tracker.Deadline(f.ID); ok && leads {
			v.Expires = s.sessionDeadline(at)
		}
		list = append(list, v)
	}
	return list
}

// localsNow is the table that new local sessions would go to.
func (s *Server) localsNow() *localSessions {
	if s.readOnlyNow() {
		return s.readOnlys
	}
	return s.locals
}

// LocalSessions implements admin.Source.
func (s *Server) LocalSessions(limit int) []admin.Session {
	l := s.localsNow()
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]admin.Session, 0, min(limit, len(l.sessions)))
	for id, f := range l.sessions {
		if len(list) == limit {
			break
		}
		v := admin.Session{ID: id, TimeoutMillis: f.TimeoutMillis}
		if at, ok := l.tracker.Deadline(id); ok {
			v.Expires = s.sessionDeadline(at)
		}
		list = append(list, v)
	}
	return list
}

// Ephemerals implements admin.Source.
func (s *Server) Ephemerals(limit int) []admin.Ephemeral {
	s.machine.RLock()
	defer s.machine.RUnlock()
	var list []admin.Ephemeral
	err := s.machine.Tree().EachEphemeral(func(id wire.SessionID, path []byte) bool {
		list = append(list, admin.Ephemeral{Session: id, Path: string(path)})
		return len(list) < limit
	})
	if err != nil {
		s.failed(err)
	}
	return list
}

// Watches implements admin.Source.
func (s *Server) Watches(limit int) []admin.Watch {
	var list []admin.Watch
	s.watches.Each(func(path string, w watch.Watcher) bool {
		list = append(list, admin.Watch{Session: w.(*conn).sessionID(), Path: path})
		return len(list) < limit
	})
	return list
}

// Digests implements admin.Source.
func (s *Server) Digests() []admin.Digest { return s.digests.list() }

// ResetStats implements admin.Source.
func (s *Server) ResetStats() {
	s.metrics.reset()
	s.resetTraffic()
}

// ResetConnectionStats implements admin.Source.
func (s *Server) ResetConnectionStats() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.out.change((*figures).resetOwn)
	}
}
