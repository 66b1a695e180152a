package server

import (
	"context"
	"errors"
	"net"

	"holt/quorum/transport"
	"holt/sasl"
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
	case l.LogsIn && l.User == "":
		return errors.New("this member is to log in at others, and nobody says as whom: set quorum.auth.learner.saslLoginContext")
	}
	return nil
}

// peerLogin is what the connections between members begin with, nil for nothing.
func (s *Server) peerLogin() *transport.Login {
	cfg := s.cfg.PeerLogin
	if cfg == nil {
		return nil
	}
	login := peerlogin.New(*cfg)
	t := &transport.Login{
		Accept:   func() transport.LoginSide { return login.Accept() },
		Required: cfg.Required,
		Refused:  s.peerLoginRefused,
	}
	if cfg.LogsIn {
		t.Begin = func(context.Context, string) (transport.LoginSide, error) { return login.Begin(), nil }
	}
	return t
}

func (s *Server) peerLoginRefused(remote net.Addr, err error) {
	remedy := "have it log in by DIGEST-MD5, as this member does"
	switch {
	case errors.Is(err, transport.ErrNoLogin):
		remedy = "set quorum.auth.enableSasl=true and quorum.auth.learnerRequireSasl=true on it, and quorum.auth.serverRequireSasl=true here after that"
	case errors.Is(err, sasl.ErrCredentials):
		remedy = "give its section of quorum.auth.learner.saslLoginContext a user and password that the section of quorum.auth.server.saslLoginContext has here"
	}
	s.security.complaints.Tell("peer refused: login by SASL", remote, err.Error(), remedy)
}
