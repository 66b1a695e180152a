package subtree

import (
	"context"
	"slices"
	"strings"
	"sync"

	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// SystemNode and what is below it belong to the server.
const SystemNode = "/zookeeper"

// System tells whether path is SystemNode or below it.
func System(path string) bool {
	return path == SystemNode || strings.HasPrefix(path, SystemNode+"/")
}

// Node is a node as a walk found it.
type Node struct {
	Path     string
	Depth    int // below the root of the walk, which has 0
	Stat     wire.Stat
	Data     []byte     // nil if it is null, or was not asked for
	ACL      []wire.ACL // nil if it was not asked for
	Children []string   // names, sorted; nil at the depth at which the walk stops
	// Err is why the rest is not known, NoAuth for example; OK if it is.
	Err wire.ErrCode
}

// Ephemeral tells whether the node goes away with a session.
func (n *Node) Ephemeral() bool { return n.Stat.EphemeralOwner != 0 }

// Options say what a walk reads and where it stops.
type Options struct {
	Data bool // read the data of each node
	ACL  bool // read its access control list
	// SkipSystem leaves out SystemNode when the walk begins above it.
	SkipSystem bool
	// Depth is how far below the root to go; −1 is all the way.
	Depth int
}

// window is how many nodes are read at the same time. With their data they may take a
// megabyte each.
const window = 64

// Walk visits root and what is below it. An error of visit ends the walk and is
// returned; so is one of root itself, and of the session.
func Walk(ctx context.Context, s *session.Session, root string, o Options, visit func(*Node) error) error {
	w := walker{ctx: ctx, session: s, options: o, visit: visit}
	n, err := w.read(root, 0)
	if err != nil {
		return err
	}
	if n.Err != wire.OK {
		return &session.Error{Code: n.Err, Path: root}
	}
	return w.walk(n)
}

type walker struct {
	ctx     context.Context
	session *session.Session
	options Options
	visit   func(*Node) error
}

func (w *walker) walk(n *Node) error {
	if err := w.visit(n); err != nil {
		return err
	}
	for names := range slices.Chunk(n.Children, window) {
		nodes, err := w.readAll(n, names)
		if err != nil {
			return err
		}
		for _, child := range nodes {
			if child == nil {
				continue
			}
			if err := w.walk(child); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAll reads children of n at the same time; those that are gone are nil.
func (w *walker) readAll(n *Node, names []string) ([]*Node, error) {
	nodes, errs := make([]*Node, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		path := session.Join(n.Path, name)
		if w.options.SkipSystem && path == SystemNode {
			continue
		}
		wg.Go(func() { nodes[i], errs[i] = w.read(path, n.Depth+1) })
	}
	wg.Wait()
	for i, err := range errs {
		if session.Code(err) == wire.ErrNoNode {
			nodes[i] = nil
		} else if err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// read reads one node. What the server refuses to tell is noted in the node; the error
// is that there is no such node or no session.
func (w *walker) read(path string, depth int) (*Node, error) {
	n := &Node{Path: path, Depth: depth}
	for _, step := range []func(*Node) error{w.readData, w.readChildren, w.readACL} {
		switch err := step(n); session.Code(err) {
		case wire.OK:
			if err != nil {
				return nil, err
			}
		case wire.ErrNoNode, wire.ErrConnectionLoss, wire.ErrSessionExpired, wire.ErrAuthFailed:
			return nil, err
		default:
			n.Err = session.Code(err)
			return n, nil
		}
	}
	return n, nil
}

func (w *walker) readData(n *Node) error {
	if !w.options.Data {
		return nil
	}
	data, stat, err := w.session.GetData(w.ctx, n.Path, false)
	if err != nil {
		return err
	}
	n.Data, n.Stat = data, *stat
	return nil
}

func (w *walker) readChildren(n *Node) error {
	last := n.Depth == w.options.Depth
	if w.options.Data && (last || n.Stat.NumChildren == 0) {
		return nil // the stat is known, and that is all there is to know
	}
	children, stat, err := w.session.AllChildren(w.ctx, n.Path, false)
	if err != nil {
		return err
	}
	n.Stat = *stat
	if !last {
		slices.Sort(children)
		n.Children = children
	}
	return nil
}

func (w *walker) readACL(n *Node) error {
	if !w.options.ACL {
		return nil
	}
	acl, _, err := w.session.GetACL(w.ctx, n.Path)
	n.ACL = acl
	return err
}
