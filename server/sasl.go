package server

import (
	"slices"

	"go.uber.org/zap"

	"holt/server/auth"
	"holt/wire"
)

// auth is what of the configuration says who a client is.
func (c *Config) auth() auth.Config {
	return auth.Config{DigestAlg: c.DigestAlg, DigestDisabled: c.DigestDisabled, SuperDigest: c.SuperDigest,
		X509: c.TLS.x509(), X509Super: c.TLS.X509Super,
		SASL: c.SASL, SASLScheme: c.SASLScheme, EnsembleScheme: c.EnsembleScheme, EnsembleNames: c.EnsembleNames}
}

// SASLMechanisms are the names that SASLConfig.Mechanisms may have.
func SASLMechanisms() []string { return auth.SASLMechanisms() }

// ValidateAuthRules says what is wrong with SASLConfig.Rules.
func ValidateAuthRules(rules string) error { return auth.ParseRules(rules) }

// saslLogin is how far a connection has come in logging in by SASL.
type saslLogin struct {
	exchange *auth.SASLExchange // nil before the first token
	failed   bool
}

// handleSASL answers a step of SASL, at once and whatever waits; the identities are there for
// all later requests. A failed login is answered with a null token and ends the connection unless the
// operator allows it to stay as nobody's, which every further token then finds over.
//
// Without SASL configured the token is null too, but no error. ZooKeeper:
// ZooKeeperServer.processSasl, which ends the connection over a request whose token is null.
func (c *conn) handleSASL(h wire.RequestHeader, d *wire.Decoder) (bool, error) {
	var req wire.GetSASLRequest
	req.Decode(d)
	if d.Err() != nil || req.Token == nil {
		return false, d.Err()
	}
	if c.login.exchange == nil {
		c.login.exchange = c.srv.auth.BeginSASL()
	}
	if c.login.exchange == nil {
		c.replySASL(h.Xid, wire.OK, nil)
		return true, nil
	}
	answer, ids, err := c.login.exchange.Step(req.Token)
	if err == nil && !c.addIdentities(ids) {
		err = errIdentities
	}
	if err == nil {
		if ids != nil {
			c.srv.log.Debug("logged in", zap.String("remote", c.remote), zap.Stringer("session", c.sessionID()), zap.String("identity", ids[0].ID))
		}
		c.replySASL(h.Xid, wire.OK, answer)
		return true, nil
	}
	return c.saslFailed(h.Xid, err), nil
}

// saslFailed answers a token that was refused and says whether the connection goes on. Only the
// first of a connection is logged.
func (c *conn) saslFailed(xid wire.Xid, err error) bool {
	if !c.login.failed {
		c.login.failed = true
		c.srv.metrics.AuthFailed.Inc()
		c.srv.auditLogin(c, "sasl", err.Error())
		c.srv.log.Warn("SASL login failed", zap.String("remote", c.remote), zap.Stringer("session", c.sessionID()), zap.Error(err))
	}
	required := slices.Contains(c.srv.cfg.EnforceAuthSchemes, "sasl")
	code := wire.ErrAuthFailed
	switch {
	case required:
		code = wire.ErrSessionClosedRequireSaslAuth
	case c.srv.cfg.AllowSASLFailedClients:
		c.replySASL(xid, wire.OK, nil)
		return true
	}
	c.replySASL(xid, code, nil)
	c.out.closeAfterFlush()
	c.out.flush()
	return false
}

func (c *conn) replySASL(xid wire.Xid, code wire.ErrCode, token []byte) {
	c.replyAside(xid, 0, code, (&wire.SetSASLResponse{Token: token}).AppendTo(nil))
}
