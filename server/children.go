package server

import (
	"errors"
	"fmt"
	"strings"

	"holt/wire"
	"holt/znode"
)

// listInline is the number of children up to which a listing is read while the
// tree is locked. A longer one pins its view, lets the tree go on, and keeps the
// connection's events back until the reply is queued.
const listInline = 512

func (r *read) getChildren(d *wire.Decoder) {
	var req wire.GetChildren2Request
	if req.Decode(d); !r.decoded(d) {
		return
	}
	r.lock()
	path := orRoot(req.Path)
	n, code := r.node(path, wire.PermRead)
	if code != wire.OK {
		r.fail(code)
		r.unlock()
		return
	}
	if req.Watch {
		r.watched = true
		r.s.watches.AddChild(strings.Clone(req.Path), r.c)
	}
	if names, place := r.childList(n); names != nil {
		r.ok(r.children(n, names))
		r.unlock()
	} else {
		r.gatherChildren(n, place)
	}
}

// childList returns the list of a node's children if it need not be gathered, else
// the place to keep it in, if there is one.
func (r *read) childList(n *znode.Node) (names []byte, place *keptList) {
	if n.NumChildren == 0 {
		return []byte{0, 0, 0, 0}, nil
	}
	return r.s.lists.find(n)
}

// gatherChildren reads a list of children from the store and answers with it. It
// unlocks the machine.
func (r *read) gatherChildren(n *znode.Node, place *keptList) {
	queue := r.c.out.reply
	it, err := r.s.machine.Tree().OpenChildren(n.Path)
	if n.NumChildren > listInline && err == nil {
		queue = r.c.out.release
		r.c.out.hold()
		r.unlock()
	} else {
		defer r.unlock()
	}
	var names []byte
	if err == nil {
		names, err = encodeNames(n, it)
	}
	if err != nil {
		r.s.failed(fmt.Errorf("list children of %s: %w", n.Path, err))
		queue(func(b []byte) []byte { return appendReply(b, r.h.Xid, r.zxid, wire.ErrSystemError, nil) })
		return
	}
	r.s.lists.keep(place, names)
	queue(func(b []byte) []byte { return r.frame(b, r.children(n, names)) })
}

// children appends the reply to getChildren or getChildren2.
func (r *read) children(n *znode.Node, names []byte) func(b []byte) []byte {
	return func(b []byte) []byte {
		b = append(b, names...)
		if r.h.Op == wire.OpGetChildren2 {
			st := n.Stat()
			b = st.AppendTo(b)
		}
		return b
	}
}

// encodeNames returns the names of a node's children as a list of the protocol, and
// closes the iterator over them.
func encodeNames(n *znode.Node, it znode.ChildIter) (names []byte, err error) {
	defer func() { err = errors.Join(err, it.Close()) }()
	b := make([]byte, 4, 4+20*int(min(n.NumChildren, 1<<20)))
	count := int32(0)
	for name, ok := it.Next(); ok; name, ok = it.Next() {
		b = wire.AppendBuffer(b, name)
		count++
	}
	wire.AppendInt32(b[:0], count)
	return b, nil
}

func (r *read) getAllChildrenNumber(d *wire.Decoder) {
	var req wire.GetAllChildrenNumberRequest
	if req.Decode(d); !r.decoded(d) {
		return
	}
	r.lock()
	defer r.unlock()
	path := orRoot(req.Path)
	if _, code := r.node(path, wire.PermRead); code != wire.OK {
		r.fail(code)
		return
	}
	n, err := r.s.machine.Tree().CountDescendants(path)
	if err != nil {
		r.broken("count descendants of", path, err)
		return
	}
	if req.Path == "" {
		n++ // below its alias the root counts itself
	}
	r.ok(func(b []byte) []byte { return (&wire.GetAllChildrenNumberResponse{TotalNumber: int32(n)}).AppendTo(b) })
}

// pageNamesMax bounds a page of children of which the client set no bound.
const pageNamesMax = 1 << 20

// pageOverhead is what a page's reply holds besides names: header, count, Stat,
// cursor.
const pageOverhead = 16 + 4 + 68 + 12

// getChildrenPage lists children in the order of their creation, as many as fit
// into a frame that the client accepts. LinkedIn's ZooKeeper: paginated
// getChildren.
func (r *read) getChildrenPage(d *wire.Decoder) {
	var req wire.GetChildrenPageRequest
	if req.Decode(d); !r.decoded(d) {
		return
	}
	r.lock()
	defer r.unlock()
	if req.MaxReturned <= 0 || req.MinCzxid < 0 || req.CzxidOffset < 0 {
		r.fail(wire.ErrBadArguments)
		return
	}
	path := orRoot(req.Path)
	n, code := r.node(path, wire.PermRead)
	if code != wire.OK {
		r.fail(code)
		return
	}
	page, err := r.s.machine.Tree().ChildPage(n, znode.PageQuery{
		From:     znode.PageCursor{Czxid: req.MinCzxid, Skip: req.CzxidOffset},
		NamesMax: int(min(req.MaxReturned, pageNamesMax)),
		BytesMax: r.s.cfg.MaxFrame - pageOverhead,
	})
	if err != nil {
		r.broken("list children of", path, err)
		return
	}
	if req.Watch && page.Next == znode.PageEnd {
		// Only a client that has seen all children can make sense of a change.
		r.watched = true
		r.s.watches.AddChild(strings.Clone(path), r.c)
	}
	r.ok(func(b []byte) []byte {
		return (&wire.GetChildrenPageResponse{Children: page.Names, Stat: n.Stat(),
			NextPageCzxid: page.Next.Czxid, NextPageCzxidOffset: page.Next.Skip}).AppendTo(b)
	})
}
