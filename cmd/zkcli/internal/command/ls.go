package command

import (
	"context"
	"slices"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// list: LsCommand.
func list() *Command {
	return &Command{
		Name: "ls", Args: "[-s] [-w] [-R] path", Help: "list the children of a node",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "?", Help: "help"}, {Name: "s", Help: "stat"}, {Name: "w", Help: "watch"}, {Name: "R", Help: "recurse"},
		}},
		run: runList,
	}
}

func runList(ctx context.Context, c *Call) error {
	if c.Has("?") {
		c.Out.Say("usage: ls [options] path\n%s", c.cmd.syntax.Table()[:len(c.cmd.syntax.Table())-1])
	}
	if err := c.again("'ls path [watch]' has been deprecated. Please use 'ls [-w] path' instead."); err != nil {
		return err
	}
	if len(c.Args) < 2 {
		return fail(c.cmd.Usage())
	}
	if c.Has("R") {
		return visit(ctx, c.Session, c.path(), c.Has("w"), func(path string) error {
			c.Out.Emit(render.Result{
				Data: struct {
					Path string `json:"path"`
				}{path},
				Text: func(p *render.Page) { p.Printf("%s\n", path) },
			})
			return c.Out.Error()
		})
	}
	children, stat, err := c.Session.AllChildren(ctx, c.path(), c.Has("w"))
	if err != nil {
		return err
	}
	slices.Sort(children)
	c.Out.Emit(render.Result{
		Data: struct {
			Path     string       `json:"path"`
			Children []string     `json:"children"`
			Stat     *render.Stat `json:"stat"`
		}{c.path(), append([]string{}, children...), render.NewStat(stat)},
		Text: func(p *render.Page) {
			p.Printf("%s\n", render.JavaList(children))
			if c.Has("s") {
				render.StatText(p, stat, c.Zone)
			}
		},
	})
	return nil
}

// visit calls f for path and for each node below: first all children of a node, then
// what is below each. A node that is gone meanwhile is passed over. (ZKUtil.visitSubTreeDFS)
func visit(ctx context.Context, s *session.Session, path string, watch bool, f func(path string) error) error {
	if _, _, err := s.GetData(ctx, path, watch); err != nil {
		return err
	}
	if err := f(path); err != nil {
		return err
	}
	return visitBelow(ctx, s, path, watch, f)
}

func visitBelow(ctx context.Context, s *session.Session, path string, watch bool, f func(path string) error) error {
	children, _, err := s.AllChildren(ctx, path, watch)
	switch {
	case session.Code(err) == wire.ErrNoNode:
		return nil
	case err != nil:
		return err
	}
	slices.Sort(children)
	for _, name := range children {
		if err := f(session.Join(path, name)); err != nil {
			return err
		}
	}
	for _, name := range children {
		if err := visitBelow(ctx, s, session.Join(path, name), watch, f); err != nil {
			return err
		}
	}
	return nil
}
