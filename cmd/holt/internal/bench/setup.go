package bench

import (
	"context"
	"errors"
	"fmt"

	"holt/wire"
	"holt/wire/client"
)

// setupWindow is how many requests are in flight while nodes are made and deleted.
const setupWindow = 100

// prepare creates the nodes that the load works on.
func (r *run) prepare(ctx context.Context) error {
	c, err := r.dialLane(ctx, 0, client.Options{})
	if err != nil {
		return err
	}
	err = r.createNodes(ctx, c)
	return errors.Join(err, c.Close())
}

func (r *run) createNodes(ctx context.Context, c *client.Conn) error {
	for _, path := range []string{r.cfg.Root, r.dir} {
		if _, err := c.Create(ctx, path, nil, wire.OpenACL(), wire.ModePersistent); err != nil && !errors.Is(err, wire.ErrNodeExists) {
			return fmt.Errorf("create %s: %w", path, err)
		}
	}
	switch r.cfg.Load {
	case "create", "churn":
		return nil
	case "delete":
		for lane := range r.cfg.Connections {
			path := fmt.Sprintf("%s/c%d-%s", r.dir, lane, placeholder)
			if err := stream(c, &counted{template: newTemplate(wire.OpCreate, r.createRequest(path)), limit: r.share(lane)}); err != nil {
				return err
			}
		}
		return nil
	}
	path := r.dir + "/n" + placeholder
	return stream(c, &counted{template: newTemplate(wire.OpCreate, r.createRequest(path)), limit: r.cfg.Nodes})
}

// cleanUp deletes what the run created, but not Root.
func (r *run) cleanUp(ctx context.Context) error {
	c, err := r.dialLane(ctx, 0, client.Options{})
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	if err = r.deleteNodes(ctx, c); err != nil {
		err = fmt.Errorf("clean up %s: %w", r.dir, err)
	}
	return errors.Join(err, c.Close())
}

func (r *run) deleteNodes(ctx context.Context, c *client.Conn) error {
	if err := c.Sync(ctx, r.dir); err != nil {
		return err
	}
	names, err := c.GetChildren(ctx, r.dir, false)
	if err != nil {
		return err
	}
	if err := stream(c, &listed{r.dir, names}); err != nil {
		return err
	}
	return c.Delete(ctx, r.dir, -1)
}

// stream sends a script to its end and returns the first outcome that is not OK.
func stream(c *client.Conn, sc script) error {
	var first error
	p := pump{
		conn: c, script: sc, window: setupWindow,
		now:  func() int64 { return 0 },
		more: func() bool { return first == nil },
		reply: func(s *slot) {
			if code, err := s.outcome(); err != nil {
				first = err
			} else if code != wire.OK && first == nil {
				first = code
			}
		},
	}
	p.run()
	return first
}
