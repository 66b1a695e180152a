package server

import (
	"fmt"
	"strings"

	"holt/server/auth"
	"holt/wire"
	"holt/znode"
)

// read is one request that is answered from this member's state.
type read struct {
	s    *Server
	c    *conn
	h    wire.RequestHeader
	zxid wire.Zxid
	// watched: a watch may have been set.
	watched bool
}

// serveRead answers a request that changes nothing and queues the reply; false
// ends the connection after it. It runs on the connection's reader when nothing
// of the connection is on its way, else on the apply goroutine.
//
// Reading, registering the watch and queuing the reply are one step under the
// machine's read lock, so that no event of a later change can come before the
// reply and none of an earlier one after it.
func (s *Server) serveRead(c *conn, h wire.RequestHeader, d *wire.Decoder) bool {
	r := read{s: s, c: c, h: h}
	switch h.Op {
	case wire.OpCloseSession: // of a local session: that of another is a command
		return s.closeLocal(c, h)
	case wire.OpCreate, wire.OpCreate2, wire.OpMulti: // of an ephemeral node, for a local session
		c.reply(h.Xid, s.machine.LastZxid(), wire.ErrEphemeralOnLocalSession, nil)
	case wire.OpPing:
		c.reply(wire.XidPing, s.machine.LastZxid(), wire.OK, nil)
	case wire.OpGetData:
		r.getData(d)
	case wire.OpExists:
		r.exists(d)
	case wire.OpGetChildren, wire.OpGetChildren2:
		r.getChildren(d)
	case wire.OpGetChildrenPage:
		r.getChildrenPage(d)
	case wire.OpGetACL:
		r.getACL(d)
	case wire.OpSync:
		r.sync(d)
	case wire.OpMultiRead:
		r.multiRead(d)
	case wire.OpGetEphemerals:
		r.getEphemerals(d)
	case wire.OpGetAllChildrenNumber:
		r.getAllChildrenNumber(d)
	case wire.OpSetWatches, wire.OpSetWatches2:
		r.setWatches(d)
	case wire.OpAddWatch:
		r.addWatch(d)
	case wire.OpCheckWatches, wire.OpRemoveWatches:
		r.editWatches(d)
	case wire.OpWhoAmI:
		r.whoAmI()
	default:
		// ZooKeeper: UnimplementedRequestProcessor.
		c.reply(h.Xid, -1, wire.ErrUnimplemented, nil)
		c.out.closeAfterFlush()
		return false
	}
	if r.watched && s.tooManyWatches(c) {
		c.out.closeAfterFlush()
		return false
	}
	return true
}

// lock takes the machine's read lock and notes the zxid of what is read.
func (r *read) lock() {
	r.s.machine.RLock()
	r.zxid = r.s.machine.LastZxidLocked()
}

func (r *read) unlock() { r.s.machine.RUnlock() }

// fail queues an error reply. The machine is locked, or the error does not
// depend on its state.
func (r *read) fail(code wire.ErrCode) {
	if r.zxid == 0 {
		r.zxid = r.s.machine.LastZxid()
	}
	r.c.reply(r.h.Xid, r.zxid, code, nil)
}

// broken queues the reply to a request that this member failed at, and stops the
// member.
func (r *read) broken(what, path string, err error) {
	r.s.failed(fmt.Errorf("%s %s: %w", what, path, err))
	r.fail(wire.ErrSystemError)
}

// decoded reports whether the request was well formed, and fails if not.
func (r *read) decoded(d *wire.Decoder) bool {
	if d.Err() != nil {
		r.fail(wire.ErrMarshallingError)
		return false
	}
	return true
}

// ok queues a reply whose record add appends.
func (r *read) ok(add func(b []byte) []byte) {
	r.c.out.reply(func(b []byte) []byte { return r.frame(b, add) })
}

func (r *read) frame(b []byte, add func(b []byte) []byte) []byte {
	b, mark := wire.BeginFrame(b)
	b = (&wire.ReplyHeader{Xid: r.h.Xid, Zxid: r.zxid}).AppendTo(b)
	return wire.EndFrame(add(b), mark)
}

// node returns the node at path if the connection may read it, else an outcome.
func (r *read) node(path string, perm wire.Perms) (*znode.Node, wire.ErrCode) {
	n, err := r.s.machine.Tree().Get(path)
	if err != nil {
		r.s.failed(fmt.Errorf("read node %s: %w", path, err))
		return nil, wire.ErrSystemError
	}
	if n == nil {
		return nil, wire.ErrNoNode
	}
	if perm != 0 && !r.allowed(n, perm) {
		return nil, wire.ErrNoAuth
	}
	return n, wire.OK
}

func (r *read) allowed(n *znode.Node, perm wire.Perms) bool {
	return r.s.cfg.SkipACL || r.s.commandFlags.Schemes().Allowed(n.ACL, perm, r.c.ids())
}

func (r *read) getData(d *wire.Decoder) {
	var req wire.GetDataRequest
	if req.Decode(d); !r.decoded(d) {
		return
	}
	r.lock()
	defer r.unlock()
	n, code := r.node(orRoot(req.Path), wire.PermRead)
	if code != wire.OK {
		r.fail(code)
		return
	}
	if req.Watch {
		r.watched = true
		r.s.watches.AddData(strings.Clone(req.Path), r.c)
	}
	r.ok(func(b []byte) []byte { return (&wire.GetDataResponse{Data: n.Data, Stat: n.Stat()}).AppendTo(b) })
}

// orRoot maps the empty path, which the original keeps as an alias of the root.
func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func (r *read) exists(d *wire.Decoder) {
	var req wire.ExistsRequest
	if req.Decode(d); !r.decoded(d) {
		return
	}
	if strings.IndexByte(req.Path, 0) >= 0 {
		r.fail(wire.ErrBadArguments)
		return
	}
	r.lock()
	defer r.unlock()
	n, code := r.node(orRoot(req.Path), wire.PermRead)
	if req.Watch && (code == wire.OK || code == wire.ErrNoNode) {
		r.watched = true
		r.s.watches.AddData(strings.Clone(req.Path), r.c)
	}
	if code != wire.OK {
		r.fail(code)
		return
	}
	r.ok(func(b []byte) []byte { return (&wire.ExistsResponse{Stat: n.Stat()}).AppendTo(b) })
}

func (r *read) getACL(d *wire.Decoder) {
	var req wire.GetACLRequest
	if req.Decode(d); !r.decoded(d) {
		return
	}
	r.lock()
	defer r.unlock()
	n, code := r.node(orRoot(req.Path), 0)
	if code == wire.OK && !r.allowed(n, wire.PermRead) && !r.allowed(n, wire.PermAdmin) {
		code = wire.ErrNoAuth
	}
	if code != wire.OK {
		r.fail(code)
		return
	}
	acl := n.ACL.Entries()
	if !r.allowed(n, wire.PermAdmin) {
		acl = auth.MaskDigests(acl)
	}
	r.ok(func(b []byte) []byte { return (&wire.GetACLResponse{ACL: acl, Stat: n.Stat()}).AppendTo(b) })
}

func (r *read) sync(d *wire.Decoder) {
	path := d.Buffer() // echoed, whatever it is, null too
	if !r.decoded(d) {
		return
	}
	r.lock()
	defer r.unlock()
	r.ok(func(b []byte) []byte { return wire.AppendBuffer(b, path) })
}

func (r *read) getEphemerals(d *wire.Decoder) {
	var req wire.GetEphemeralsRequest
	if req.Decode(d); !r.decoded(d) {
		return
	}
	r.lock()
	defer r.unlock()
	all, err := r.s.machine.Tree().Ephemerals(r.c.sessionID())
	if err != nil {
		r.broken("list ephemerals of", r.c.sessionID().String(), err)
		return
	}
	// The prefix is one of characters, not of path components. White space around the root
	// counts for nothing.
	paths := all[:0]
	blank := strings.TrimFunc(req.PrefixPath, func(c rune) bool { return c <= ' ' })
	for _, p := range all {
		if blank == "" || blank == "/" || strings.HasPrefix(p, req.PrefixPath) {
			paths = append(paths, p)
		}
	}
	r.ok(func(b []byte) []byte { return (&wire.GetEphemeralsResponse{Ephemerals: paths}).AppendTo(b) })
}

func (r *read) whoAmI() {
	r.lock()
	defer r.unlock()
	r.ok(func(b []byte) []byte {
		return (&wire.WhoAmIResponse{ClientInfo: r.s.auth.ClientInfos(r.c.ids())}).AppendTo(b)
	})
}
