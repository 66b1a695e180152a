package server

import (
	"context"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"

	"holt/quorum/transport"
	"holt/server/peerlogin"
)

// PeerLogin is how members log in at each other by SASL; see package peerlogin.
type PeerLogin = peerlogin.Config

// validatePeerLogin refuses what ZooKeeper does: an ensemble in which members want a login and show none.
func (c *Config) validatePeerLogin() error {
	l := c.PeerLogin
	switch {
	case l == nil:
		return nil
	case l.Required && !l.LogsIn:
		return errors.New("a login of members is required, and this one does not log in itself: set quorum.auth.learnerRequireSasl=true")
	case l.LogsIn && l.User == "" && l.Ticket == nil:
		return errors.New("this member is to log in at others, and nobody says as whom: set quorum.auth.learner.saslLoginContext")
	}
	return nil
}

// openPeerLogin opens keytabs, if there are any.
func (s *Server) openPeerLogin() error {
	if s.cfg.PeerLogin == nil {
		return nil
	}
	var err error
	s.security.peerLogin, err = peerlogin.New(*s.cfg.PeerLogin, peerlogin.Peers{Hosts: s.peerHosts, TicketFailed: s.ticketFailed})
	return err
}

// peerLogin is what the connections between members begin with, nil for nothing.
func (s *Server) peerLogin() *transport.Login {
	cfg, login := s.cfg.PeerLogin, s.security.peerLogin
	if login == nil {
		return nil
	}
	t := &transport.Login{
		Accept:   func() transport.LoginSide { return login.Accept() },
		Required: cfg.Required,
		Refused:  s.peerLoginRefused,
	}
	if cfg.LogsIn {
		t.Begin = func(ctx context.Context, addr string) (transport.LoginSide, error) { return login.Begin(ctx, addr) }
	}
	return t
}

// peerHosts are the hosts of the members at present, as this one knows them.
func (s *Server) peerHosts() []string {
	if m := s.opened.Load(); m != nil {
		return hostsOf(m.Addrs())
	}
	var addrs []string
	for _, m := range s.cfg.Members {
		addrs = append(addrs, m.PeerAddr)
	}
	return hostsOf(addrs)
}

func hostsOf(addrs []string) (hosts []string) {
	for _, addr := range addrs {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func (s *Server) ticketFailed(service string, until time.Time, err error) {
	s.log.Warn("ticket for members not renewed; the present one goes on", zap.String("service", service), zap.Time("until", until), zap.Error(err))
}

func (s *Server) peerLoginRefused(remote net.Addr, err error) {
	remedy := peerlogin.Remedy(err)
	if errors.Is(err, transport.ErrNoLogin) {
		remedy = "set quorum.auth.enableSasl=true and quorum.auth.learnerRequireSasl=true on it, and quorum.auth.serverRequireSasl=true here after that"
	}
	s.security.complaints.Tell("peer refused: login by SASL", remote, err.Error(), remedy)
}
