package server

import (
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strings"

	"go.uber.org/zap"

	"holt/server/apply"
	"holt/server/audit"
	"holt/server/watch"
	"holt/wire"
)

// This file decides what is an event of the audit log: the writes of this member's
// clients when they are applied, the ephemeral nodes that go with any session, logins that failed,
// snapshots and restores that its AdminServer was asked for, start and stop. Without an audit log it
// costs a comparison per write.
// ZooKeeper: AuditHelper, DataTree.deleteNodes
//
// Differs from ZooKeeper, which records neither logins nor what its AdminServer does.

// openAudit opens the audit log, if one is wanted.
func (s *Server) openAudit() error {
	if !s.cfg.Audit {
		return nil
	}
	sink := audit.Sink(audit.ToLogger(s.cfg.Logger.Named("audit")))
	if s.cfg.AuditFile != "" {
		var err error
		sink, err = audit.OpenFile(audit.FileConfig{Path: s.cfg.AuditFile, BytesMax: s.cfg.AuditFileBytes, Kept: s.cfg.AuditFilesKept})
		if err != nil {
			return err
		}
	}
	s.audit = audit.New(audit.Config{Sink: sink, Logger: s.cfg.Logger.Named("audit")})
	s.processUser = "unknown"
	if u, err := user.Current(); err == nil {
		s.processUser = u.Username
	}
	return nil
}

// auditSelf records what the member does by itself.
func (s *Server) auditSelf(operation string, result audit.Result) {
	s.audit.Record(audit.Event{User: s.processUser, Operation: operation, Result: result})
}

// auditEnd records that an ephemeral node went with its session; every member does, as in
// the original.
func (s *Server) auditEnd(c *watch.Change) {
	s.audit.Record(audit.Event{Session: c.Ended, User: s.processUser, Operation: audit.EphemeralDelete, Znode: c.Path, Result: audit.Success})
}

// auditResult records the outcome of a client's write.
func (s *Server) auditResult(c *conn, cmd *apply.Command, res *apply.Result) {
	if res.Drop {
		return // the session had ended: nothing was done
	}
	e := audit.Event{Session: cmd.Session, User: audit.Users(latestFirst(cmd.Identities)), IP: c.host, Result: audit.ResultOf(res.Err)}
	if cmd.Op == wire.OpMulti {
		s.auditMulti(e, cmd.Body, res)
		return
	}
	req := wire.NewMultiRecord(cmd.Op)
	if cmd.Op == wire.OpReconfig {
		e.Operation = audit.Reconfig
		s.audit.Record(e)
		return
	}
	if cmd.Op == wire.OpSetACL {
		req = &wire.SetACLRequest{}
	}
	if req == nil {
		return
	}
	d := wire.NewDecoder(cmd.Body)
	req.Decode(d) // as far as it goes: one that cannot be decoded has failed
	if describe(&e, req, createdPath(cmd.Op, res)) {
		s.audit.Record(e)
	}
}

// auditLogin records a login of a client that failed.
func (s *Server) auditLogin(c *conn, scheme, cause string) {
	if s.audit == nil {
		return
	}
	s.audit.Record(audit.Event{Session: c.sessionID(), User: audit.Users(latestFirst(c.ids())), IP: c.host,
		Operation: audit.Login, Scheme: scheme, Cause: cause, Result: audit.Failure})
}

// auditAdmin records what came of a request for a protected command of the AdminServer, whoever asked.
func (s *Server) auditAdmin(r *http.Request, command string, err error) {
	if s.audit == nil {
		return
	}
	e := audit.Event{Operation: command, Result: audit.Success}
	if err != nil {
		e.Result = audit.Failure
	}
	e.IP, _, _ = net.SplitHostPort(r.RemoteAddr)
	var ids []wire.Identity
	if words := strings.Fields(r.Header.Get("Authorization")); len(words) > 0 {
		ids = s.identify(r, words[0], []byte(strings.Join(words[1:], " ")))
	}
	e.User = audit.Users(append(ids, wire.Identity{Scheme: "ip", ID: e.IP}))
	s.audit.Record(e)
}

// latestFirst is the order in which a client added its identities, turned: the address, which
// every connection begins with, comes last.
func latestFirst(ids []wire.Identity) []wire.Identity {
	turned := make([]wire.Identity, 0, len(ids))
	for i := len(ids) - 1; i >= 0; i-- {
		turned = append(turned, ids[i])
	}
	return turned
}

// auditMulti records each part of a multi that went well, or one event for one that failed.
func (s *Server) auditMulti(e audit.Event, body []byte, res *apply.Result) {
	var req wire.MultiRequest
	var resp wire.MultiResponse
	in, out := wire.NewDecoder(body), wire.NewDecoder(res.Body)
	req.Decode(in)
	resp.Decode(out)
	failed := res.Err != wire.OK || in.Err() != nil || out.Err() != nil || len(resp.Results) != len(req.Ops)
	for i := range resp.Results {
		failed = failed || resp.Results[i].Type == wire.OpError
	}
	if failed {
		e.Operation, e.Result = audit.Multi, audit.Failure
		s.audit.Record(e)
		return
	}
	for i, op := range req.Ops {
		part := e
		if describe(&part, op.Record, resp.Results[i].Path) {
			s.audit.Record(part)
		}
	}
}

// createdPath is the path in the reply to a create, "" for any other.
func createdPath(op wire.OpCode, res *apply.Result) string {
	switch op {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		if res.Err == wire.OK {
			d := wire.NewDecoder(res.Body)
			return d.String()
		}
	}
	return ""
}

// describe fills in what a request does, and reports false if that is nothing to audit.
// created is the path that a create came to, "" for the one asked for.
func describe(e *audit.Event, req wire.Record, created string) bool {
	switch r := req.(type) {
	case *wire.CreateRequest:
		e.Operation, e.Znode, e.ZnodeType = audit.Create, r.Path, audit.ZnodeType(wire.CreateMode(r.Flags))
	case *wire.CreateTTLRequest:
		e.Operation, e.Znode, e.ZnodeType = audit.Create, r.Path, audit.ZnodeType(wire.CreateMode(r.Flags))
	case *wire.DeleteRequest:
		e.Operation, e.Znode = audit.Delete, r.Path
	case *wire.SetDataRequest:
		e.Operation, e.Znode = audit.SetData, r.Path
	case *wire.SetACLRequest:
		e.Operation, e.Znode, e.ACL = audit.SetACL, r.Path, audit.ACL(r.ACL)
	default:
		return false
	}
	if created != "" {
		e.Znode = created
	}
	return true
}

// closeAudit writes the last event and what is queued.
func (s *Server) closeAudit() error {
	if s.audit == nil {
		return nil
	}
	if err := s.audit.Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if n := s.audit.Metrics().Dropped.Load(); n > 0 {
		s.log.Warn("audit log was too slow: events are missing", zap.Int64("events", n))
	}
	return nil
}
