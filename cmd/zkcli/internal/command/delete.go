package command

import (
	"context"
	"slices"
	"strconv"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// deleteNode: DeleteCommand.
func deleteNode() *Command {
	return &Command{
		Name: "delete", Args: "[-v version] path", Help: "delete a node that has no children",
		syntax:   cmdline.Syntax{Options: []cmdline.Option{{Name: "v", Arg: true, Help: "version"}}},
		operands: 1,
		run:      runDelete,
	}
}

func runDelete(ctx context.Context, c *Call) error {
	if len(c.Args) > 2 {
		// The version is not looked at any more.
		c.Out.Complain("'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.")
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	if err := c.Session.Delete(ctx, c.path(), version); err != nil {
		return err
	}
	c.Out.Emit(deleted(c.path(), 1))
	return nil
}

func deleted(path string, nodes int) render.Result {
	return render.Result{Data: struct {
		Path    string `json:"path"`
		Deleted int    `json:"deleted"`
	}{path, nodes}}
}

// deleteAll: DeleteAllCommand.
func deleteAll() *Command {
	return &Command{
		Name: "deleteall", Args: "path [-b batch size]", Help: "delete a node and all below it",
		syntax:   cmdline.Syntax{Options: []cmdline.Option{{Name: "b", Arg: true, Help: "batch size"}}},
		operands: 1,
		run:      runDeleteAll,
	}
}

func runDeleteAll(ctx context.Context, c *Call) error {
	batch := 1000
	if c.Has("b") {
		n, err := strconv.ParseInt(c.Value("b"), 10, 32)
		if err != nil {
			return fail("-b argument must be an int value")
		}
		batch = int(n)
	}
	found, err := breadthFirst(ctx, c.Session, c.path())
	if err != nil {
		return err
	}
	slices.Reverse(found) // children before their parents
	if batch <= 0 {
		for _, path := range found {
			if err := c.Session.Delete(ctx, path, -1); err != nil {
				return err
			}
		}
		c.Out.Emit(deleted(c.path(), len(found)))
		return nil
	}
	for paths := range slices.Chunk(found, batch) {
		var ops []wire.MultiOp
		for _, path := range paths {
			ops = append(ops, wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: path, Version: -1}})
		}
		if _, err := c.Session.Multi(ctx, ops); err != nil {
			if ctx.Err() != nil {
				return err
			}
			// The original does not say what failed, and does not count it as a failure.
			c.Out.Complain("Failed to delete some node(s) in the subtree!")
			return nil
		}
	}
	c.Out.Emit(deleted(c.path(), len(found)))
	return nil
}

// breadthFirst returns the paths of a subtree, level by level. (ZKUtil.listSubTreeBFS)
func breadthFirst(ctx context.Context, s *session.Session, root string) ([]string, error) {
	found := []string{root}
	for i := 0; i < len(found); i++ {
		children, _, err := s.AllChildren(ctx, found[i], false)
		if err != nil {
			return nil, err
		}
		for _, name := range children {
			found = append(found, session.Join(found[i], name))
		}
	}
	return found, nil
}
