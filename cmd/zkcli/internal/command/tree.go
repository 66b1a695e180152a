package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/subtree"
	"holt/wire"
)

// treeEntry is a node for JSON.
type treeEntry struct {
	Path      string `json:"path"`
	Depth     int    `json:"depth"`
	Children  int32  `json:"numChildren"`
	Bytes     int32  `json:"dataLength"`
	Version   int32  `json:"dataVersion"`
	Ephemeral string `json:"ephemeralOwner,omitempty"`
	Error     string `json:"error,omitempty"`
}

func newTreeEntry(n *subtree.Node) treeEntry {
	e := treeEntry{Path: n.Path, Depth: n.Depth, Children: n.Stat.NumChildren, Bytes: n.Stat.DataLength, Version: n.Stat.Version}
	if n.Ephemeral() {
		e.Ephemeral = wire.SessionID(n.Stat.EphemeralOwner).String()
	}
	if n.Err != wire.OK {
		e.Error = n.Err.String()
	}
	return e
}

// tree draws a subtree.
func tree() *Command {
	return &Command{
		Name: "tree", Args: "[-d depth] [-s] path", Help: "draw a node and all below it", Extra: true,
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "d", Arg: true, Help: "how deep to go"}, {Name: "s", Help: "with sizes, versions and owners"},
		}},
		operands: 1,
		run:      runTree,
	}
}

func runTree(ctx context.Context, c *Call) error {
	depth, err := c.depth()
	if err != nil {
		return err
	}
	d := drawing{stat: c.Has("s")}
	return subtree.Walk(ctx, c.Session, c.path(), subtree.Options{Depth: depth}, func(n *subtree.Node) error {
		c.Out.Emit(render.Result{Data: newTreeEntry(n), Text: func(p *render.Page) { d.line(p, n) }})
		return c.Out.Error()
	})
}

// depth is the value of -d, −1 for none.
func (c *Call) depth() (int, error) {
	if !c.Has("d") {
		return -1, nil
	}
	n, err := strconv.Atoi(c.Value("d"))
	if err != nil || n < 0 {
		return 0, failf("-d argument must be a number from 0: %q", c.Value("d"))
	}
	return n, nil
}

// drawing keeps, for each level above the present one, how many children are to come.
type drawing struct {
	stat bool
	left []int
}

func (d *drawing) line(p *render.Page, n *subtree.Node) {
	d.left = d.left[:n.Depth]
	name := n.Path
	if n.Depth > 0 {
		d.left[n.Depth-1]--
		for _, left := range d.left[:n.Depth-1] {
			p.Printf("%s", p.Paint(render.Dim, bar(left)))
		}
		branch := "├── "
		if d.left[n.Depth-1] <= 0 {
			branch = "└── "
		}
		p.Printf("%s", p.Paint(render.Dim, branch))
		name = n.Path[strings.LastIndexByte(n.Path, '/')+1:]
	}
	d.left = append(d.left, len(n.Children))
	p.Printf("%s%s\n", nodeName(p, name, n), d.notes(p, n))
}

func bar(left int) string {
	if left > 0 {
		return "│   "
	}
	return "    "
}

// nodeName is a name with a mark for what kind of node it is.
func nodeName(p *render.Page, name string, n *subtree.Node) string {
	switch {
	case n.Ephemeral():
		return p.Paint(render.Yellow, name) + "*"
	case n.Stat.NumChildren > 0:
		return p.Paint(render.Blue, name)
	}
	return name
}

func (d *drawing) notes(p *render.Page, n *subtree.Node) string {
	var notes []string
	if n.Err != wire.OK {
		notes = append(notes, p.Paint(render.Red, n.Err.String()))
	}
	if n.Children == nil && n.Stat.NumChildren > 0 {
		notes = append(notes, children(n.Stat.NumChildren))
	}
	if d.stat {
		notes = append(notes, fmt.Sprintf("%s v%d", render.Bytes(int64(n.Stat.DataLength)), n.Stat.Version))
		if n.Ephemeral() {
			notes = append(notes, wire.SessionID(n.Stat.EphemeralOwner).String())
		}
	}
	if len(notes) == 0 {
		return ""
	}
	return "  " + p.Paint(render.Dim, "("+strings.Join(notes, ", ")+")")
}

func children(n int32) string {
	if n == 1 {
		return "1 child"
	}
	return fmt.Sprintf("%d children", n)
}

// diskUse adds up a subtree.
func diskUse() *Command {
	return &Command{
		Name: "du", Args: "[-d depth] path", Help: "add up nodes and bytes below a node", Extra: true,
		syntax:   cmdline.Syntax{Options: []cmdline.Option{{Name: "d", Arg: true, Help: "how deep to list; 1 if not given"}}},
		operands: 1,
		run:      runDiskUse,
	}
}

// usage is the sum over a node and all below it.
type usage struct {
	Path  string `json:"path"`
	Nodes int64  `json:"nodes"`
	Bytes int64  `json:"bytes"`
	depth int
}

func runDiskUse(ctx context.Context, c *Call) error {
	depth := 1
	if c.Has("d") {
		var err error
		if depth, err = c.depth(); err != nil {
			return err
		}
	}
	// A walk meets a node before what is below it, so its sum is known when the walk comes
	// back to its level or above: open holds those not yet complete.
	var open, list []*usage
	err := subtree.Walk(ctx, c.Session, c.path(), subtree.Options{Depth: -1}, func(n *subtree.Node) error {
		open = open[:n.Depth]
		u := &usage{Path: n.Path, depth: n.Depth}
		open = append(open, u)
		if n.Depth <= depth {
			list = append(list, u)
		}
		for _, above := range open {
			above.Nodes++
			above.Bytes += int64(n.Stat.DataLength)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The total comes last, as with the du of file systems.
	for _, u := range append(list[1:], list[0]) {
		c.Out.Emit(render.Result{Data: u, Text: func(p *render.Page) {
			p.Printf("%10s %9d  %s\n", render.Bytes(u.Bytes), u.Nodes, u.Path)
		}})
	}
	return nil
}
