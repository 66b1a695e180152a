package server

import (
	"fmt"

	"holt/wire"
	"holt/znode"
)

const (
	// multiReadMax bounds the bytes of a multiRead's reply: a request of 1 MiB
	// can ask for some 20,000 lists, or as many times for the largest node. Past
	// it the request fails with MarshallingError. Differs from ZooKeeper: that
	// builds the reply, whatever its size, and the client, whose own bound is
	// 1 MiB, drops the connection.
	multiReadMax = 16 << 20
	// nameBytesMin is the least that a child takes in a list.
	nameBytesMin = 4 + 1
)

// readPart is the answer to one part of a multiRead: a result, or the list of a
// node's children, which is there or still to be gathered.
type readPart struct {
	res   wire.MultiResult
	names []byte // encoded

	node  *znode.Node     // of the list that is to be gathered, else nil
	it    znode.ChildIter // pins its view
	place *keptList       // to keep it in, or nil
}

// multiRead answers each part on its own; a write among them, or a kind that it
// does not know, makes the whole request malformed, which is answered by an
// error in the header and an empty list behind it.
//
// All parts see one state of the tree. As with getChildren, long lists are
// gathered from pinned views while the tree goes on, and a list that was read
// twice unchanged is not gathered at all.
func (r *read) multiRead(d *wire.Decoder) {
	var req wire.MultiRequest
	req.Decode(d)
	r.lock()
	switch {
	case d.Err() != nil:
		r.fail(wire.ErrMarshallingError)
		r.unlock()
		return
	case len(req.Ops) > 0 && !req.Ops[0].Read():
		r.c.reply(r.h.Xid, r.zxid, wire.ErrMarshallingError, wire.AppendMultiEnd(nil))
		r.unlock()
		return
	}
	parts, pinned, total := r.parts(req.Ops)
	queue := r.c.out.reply
	if pinned {
		queue = r.c.out.release
		r.c.out.hold()
		r.unlock()
		total = r.gatherParts(parts, total)
	} else {
		defer r.unlock()
	}
	if total > multiReadMax {
		queue(func(b []byte) []byte { return appendReply(b, r.h.Xid, r.zxid, wire.ErrMarshallingError, nil) })
		return
	}
	queue(func(b []byte) []byte {
		return r.frame(b, func(b []byte) []byte {
			for i := range parts {
				b = parts[i].appendTo(b)
			}
			return wire.AppendMultiEnd(b)
		})
	})
}

// parts reads what the operations ask for, but for long lists, whose views it
// pins, and says whether there are such. total is the bytes of all parts, of
// pinned ones the least they can take; past multiReadMax the rest is not read.
func (r *read) parts(ops []wire.MultiOp) (parts []readPart, pinned bool, total int64) {
	parts = make([]readPart, len(ops))
	for i, op := range ops {
		if total > multiReadMax {
			break
		}
		p := &parts[i]
		p.res.Type = op.Op
		switch req := op.Record.(type) {
		case *wire.GetDataRequest:
			var n *znode.Node
			if n, p.res.Err = r.node(orRoot(req.Path), wire.PermRead); p.res.Err == wire.OK {
				p.res.Data, p.res.Stat = n.Data, n.Stat()
				total += int64(len(n.Data))
			}
		case *wire.GetChildrenRequest:
			var n *znode.Node
			if n, p.res.Err = r.node(orRoot(req.Path), wire.PermRead); p.res.Err == wire.OK {
				pinned = p.list(r, n) || pinned
				total += max(int64(len(p.names)), nameBytesMin*int64(n.NumChildren))
			}
		}
	}
	return parts, pinned, total
}

// list finds the list of a node's children, gathers it if it is short, else pins
// its view and returns true.
func (p *readPart) list(r *read, n *znode.Node) (pinned bool) {
	if p.names, p.place = r.childList(n); p.names != nil {
		return false
	}
	it, err := r.s.machine.Tree().OpenChildren(n.Path)
	if err != nil {
		p.fail(r, n, err)
		return false
	}
	p.node, p.it = n, it
	if n.NumChildren > listInline {
		return true
	}
	p.gather(r)
	return false
}

// gather reads the list from its view, which it lets go.
func (p *readPart) gather(r *read) {
	n, it := p.node, p.it
	p.node, p.it = nil, nil
	names, err := encodeNames(n, it)
	if err != nil {
		p.fail(r, n, err)
		return
	}
	p.names = names
	r.s.lists.keep(p.place, names)
}

func (p *readPart) fail(r *read, n *znode.Node, err error) {
	r.s.failed(fmt.Errorf("list children of %s: %w", n.Path, err))
	p.res.Err = wire.ErrSystemError
}

// gatherParts gathers the lists that are pinned, as long as the total allows it,
// and returns the new total. Every view is let go.
func (r *read) gatherParts(parts []readPart, total int64) int64 {
	for i := range parts {
		p := &parts[i]
		if p.node == nil {
			continue
		}
		if total > multiReadMax {
			if err := p.it.Close(); err != nil {
				p.fail(r, p.node, err)
			}
			continue
		}
		total -= nameBytesMin * int64(p.node.NumChildren)
		p.gather(r)
		total += int64(len(p.names))
	}
	return total
}

func (p *readPart) appendTo(b []byte) []byte {
	if p.res.Err != wire.OK {
		p.res.Type = wire.OpError
	}
	if p.names == nil || p.res.Err != wire.OK {
		return p.res.AppendTo(b)
	}
	b = (&wire.MultiHeader{Type: p.res.Type}).AppendTo(b)
	return append(b, p.names...)
}
