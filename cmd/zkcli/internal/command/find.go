package command

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/subtree"
	"holt/wire"
)

// find searches a subtree. All that is asked for must be true of a node.
func find() *Command {
	return &Command{
		Name: "find", Args: "[-name glob] [-path regexp] [-data text] [-e] [-p] [-d depth] path", Extra: true,
		Help: "list the nodes below a node that match",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "name", Arg: true, Help: "of the node, with * ? [a-z]"}, {Name: "path", Arg: true, Help: "regular expression found in the path"},
			{Name: "data", Arg: true, Help: "text found in the data"}, {Name: "d", Arg: true, Help: "how deep to go"},
			{Name: "e", Help: "ephemeral nodes only"}, {Name: "p", Help: "nodes without children only"},
		}},
		operands: 1,
		run:      runFind,
	}
}

func runFind(ctx context.Context, c *Call) error {
	depth, err := c.depth()
	if err != nil {
		return err
	}
	matches, err := finder(c.Parsed)
	if err != nil {
		return err
	}
	return subtree.Walk(ctx, c.Session, c.path(), subtree.Options{Depth: depth, Data: c.Has("data")}, func(n *subtree.Node) error {
		if n.Err != wire.OK {
			c.Out.Complain("%s: %s", n.Path, n.Err)
		}
		if matches(n) {
			c.Out.Emit(render.Result{Data: newTreeEntry(n), Text: func(p *render.Page) {
				p.Printf("%s\n", nodeName(p, n.Path, n))
			}})
		}
		return c.Out.Error()
	})
}

// finder makes one condition of the options.
func finder(p *cmdline.Parsed) (func(*subtree.Node) bool, error) {
	var all []func(*subtree.Node) bool
	if glob := p.Value("name"); p.Has("name") {
		if _, err := path.Match(glob, ""); err != nil {
			return nil, failf("-name argument is no pattern: %q", glob)
		}
		all = append(all, func(n *subtree.Node) bool {
			ok, err := path.Match(glob, n.Path[strings.LastIndexByte(n.Path, '/')+1:])
			return ok && err == nil
		})
	}
	if p.Has("path") {
		re, err := regexp.Compile(p.Value("path"))
		if err != nil {
			return nil, failf("-path argument is no regular expression: %v", err)
		}
		all = append(all, func(n *subtree.Node) bool { return re.MatchString(n.Path) })
	}
	if text := []byte(p.Value("data")); p.Has("data") {
		all = append(all, func(n *subtree.Node) bool { return bytes.Contains(n.Data, text) })
	}
	if p.Has("e") {
		all = append(all, (*subtree.Node).Ephemeral)
	}
	if p.Has("p") {
		all = append(all, func(n *subtree.Node) bool { return n.Stat.NumChildren == 0 })
	}
	return func(n *subtree.Node) bool {
		for _, f := range all {
			if !f(n) {
				return false
			}
		}
		return true
	}, nil
}
