package server

import (
	"holt/wire"
)

// isCommand says whether an operation is ordered by the leader.
func isCommand(op wire.OpCode) bool {
	switch op {
	case wire.OpDeleteContainer, wire.OpCreateSession:
		// Differs from ZooKeeper: it takes both from any client.
		return false
	}
	return op.IsWrite()
}

// authEnforced answers a request of a connection that has not identified itself
// by one of the schemes that the operator demands, and returns false: the
// connection then ends. ZooKeeper: AuthenticationHelper.enforceAuthentication.
func (s *Server) authEnforced(c *conn, h wire.RequestHeader) bool {
	if len(s.cfg.EnforceAuthSchemes) == 0 || h.Op == wire.OpSASL {
		return true
	}
	for _, id := range c.ids() {
		for _, scheme := range s.cfg.EnforceAuthSchemes {
			if id.Scheme == scheme {
				return true
			}
		}
	}
	c.replyAside(h.Xid, 0, wire.ErrSessionClosedRequireSaslAuth, nil)
	c.out.closeAfterFlush()
	return false
}

// readOnlyRefuses says whether a connection in read-only mode asks for
// something that needs a leader. ZooKeeper: ReadOnlyRequestProcessor.
func (s *Server) readOnlyRefuses(c *conn, op wire.OpCode) bool {
	if !c.readOnly {
		return false
	}
	return op == wire.OpSync || isCommand(op)
}
