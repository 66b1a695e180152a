package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"holt/wire"
	"holt/wire/client"
	"holt/znode"
	"holt/znode/store"
)

// GraftConfig says which subtree goes where. Path and Into are required.
type GraftConfig struct {
	// Path is the node in the backup whose subtree is taken, Into the path it gets.
	// The parent of Into must exist.
	Path, Into string
	// Overwrite gives nodes that exist the data and ACL of the backup; without it they stay as they are.
	Overwrite bool
	// Progress is told now and then how many nodes were done. May be nil.
	Progress func(done, total int64)
}

// Grafted counts what became of the nodes of a subtree.
type Grafted struct {
	Created     int64 `json:"created"`
	Existed     int64 `json:"existed"`
	Overwritten int64 `json:"overwritten"`
	Ephemeral   int64 `json:"ephemeralLeftOut"`
}

// graftWindow is how many requests are under way.
const graftWindow = 500

// Graft creates the nodes of a subtree through a client's connection, parents first. Ephemeral nodes are
// left out: they are nobody's. Stats are new. What was created stays if there is an error.
func (r *Repository) Graft(ctx context.Context, s *Set, c *client.Conn, cfg GraftConfig) (g Grafted, err error) {
	err = r.withTree(s, func(tree *store.Store) error {
		w := &grafter{ctx: ctx, c: c, cfg: cfg, tree: tree, g: &g}
		return w.run()
	})
	return g, err
}

type grafter struct {
	ctx     context.Context
	c       *client.Conn
	cfg     GraftConfig
	tree    *store.Store
	g       *Grafted
	pending []graftCall
	done    int64
	total   int64
}

type graftCall struct {
	call *client.Call
	node *znode.Node
	to   string
}

func (w *grafter) run() error {
	top, err := w.tree.Node(w.cfg.Path)
	if err != nil {
		return err
	}
	if top == nil {
		return fmt.Errorf("there is no %s in the backup", w.cfg.Path)
	}
	err = w.tree.Subtree(w.cfg.Path, func([]byte, int) { w.total++ })
	if err != nil {
		return err
	}
	if w.cfg.Into != znode.Root {
		if err := w.add(top, w.cfg.Into); err != nil {
			return err
		}
	}
	var failed error
	err = w.tree.Subtree(w.cfg.Path, func(path []byte, _ int) {
		if failed != nil {
			return
		}
		n, err := w.tree.Node(string(path))
		if err != nil {
			failed = err
			return
		}
		if n.Path == znode.System || strings.HasPrefix(n.Path, znode.System+"/") {
			return // every ensemble has its own
		}
		to := strings.TrimSuffix(w.cfg.Into, "/") + "/" + strings.TrimPrefix(strings.TrimPrefix(n.Path, w.cfg.Path), "/")
		failed = w.add(n, to)
	})
	return errors.Join(err, failed, w.settle(0))
}

// add sends the request that creates n at to.
func (w *grafter) add(n *znode.Node, to string) error {
	acl := n.ACL.Entries()
	var call *client.Call
	ttl, isTTL := n.Owner.TTL()
	switch {
	case n.Owner.IsSession():
		w.g.Ephemeral++
		return nil
	case n.Owner.IsContainer():
		call = w.c.Send(wire.OpCreateContainer, &wire.CreateRequest{Path: to, Data: n.Data, ACL: acl, Flags: int32(wire.ModeContainer)})
	case isTTL:
		call = w.c.Send(wire.OpCreateTTL, &wire.CreateTTLRequest{Path: to, Data: n.Data, ACL: acl, Flags: int32(wire.ModePersistentWithTTL), TTLMillis: ttl})
	default:
		call = w.c.Send(wire.OpCreate, &wire.CreateRequest{Path: to, Data: n.Data, ACL: acl})
	}
	w.pending = append(w.pending, graftCall{call, n, to})
	return w.settle(graftWindow)
}

// settle waits until no more than n requests are under way.
func (w *grafter) settle(n int) error {
	for len(w.pending) > n {
		p := w.pending[0]
		w.pending = w.pending[1:]
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		err := p.call.Wait(ctx)
		cancel()
		switch {
		case err == nil:
			w.g.Created++
		case errors.Is(err, wire.ErrNodeExists) && w.cfg.Overwrite:
			if err := w.overwrite(p.node, p.to); err != nil {
				return err
			}
			w.g.Overwritten++
		case errors.Is(err, wire.ErrNodeExists):
			w.g.Existed++
		default:
			return fmt.Errorf("create %s: %w", p.to, err)
		}
		if w.done++; w.cfg.Progress != nil {
			w.cfg.Progress(w.done, w.total)
		}
	}
	return nil
}

func (w *grafter) overwrite(n *znode.Node, to string) error {
	if _, err := w.c.SetData(w.ctx, to, n.Data, -1); err != nil {
		return fmt.Errorf("set data of %s: %w", to, err)
	}
	if _, err := w.c.SetACL(w.ctx, to, n.ACL.Entries(), -1); err != nil {
		return fmt.Errorf("set ACL of %s: %w", to, err)
	}
	return nil
}
