package command

import (
	"context"
	"errors"
	"os"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/cmd/zkcli/internal/subtree"
)

// writeOptions are those of commands that write subtrees.
var writeOptions = []cmdline.Option{
	{Name: "f", Help: "overwrite the data of nodes that exist"},
	{Name: "n", Help: "only show what would be done"},
	{Name: "open", Help: "give new nodes to everybody instead of keeping their ACLs"},
}

// tally counts what a writer did.
type tally struct {
	Path    string `json:"path"`
	Created int    `json:"created"`
	Updated int    `json:"updated"`
	Same    int    `json:"same"`
	Skipped int    `json:"skipped"`
	DryRun  bool   `json:"dryRun,omitempty"`
}

// writer makes a writer of the options, which counts into a tally.
func (c *Call) writer(target string) (*subtree.Writer, *tally) {
	t := &tally{Path: target, DryRun: c.Has("n")}
	w := &subtree.Writer{Session: c.Session, Target: target, Overwrite: c.Has("f"), OpenACL: c.Has("open"), DryRun: c.Has("n")}
	w.Report = func(path string, change subtree.Change) {
		switch change {
		case subtree.Created:
			t.Created++
		case subtree.Updated:
			t.Updated++
		case subtree.Same:
			t.Same++
		case subtree.Skipped:
			t.Skipped++
			c.Out.Complain("skipped, since it is ephemeral: %s", path)
		}
		if t.DryRun {
			c.Out.Emit(render.Result{
				Data: struct {
					Path   string         `json:"path"`
					Change subtree.Change `json:"change"`
				}{path, change},
				Text: func(p *render.Page) { p.Printf("%s %s\n", padded(string(change), 8), path) },
			})
		}
	}
	return w, t
}

// result tells the tally; the text goes where "Created" goes.
func (t *tally) result() render.Result {
	return render.Result{Data: t, Text: func(p *render.Page) {
		would := ""
		if t.DryRun {
			would = "would be "
		}
		p.Talkf("%s%d created, %d updated, %d unchanged, %d skipped\n", would, t.Created, t.Updated, t.Same, t.Skipped)
	}}
}

// copyTree copies a subtree.
func copyTree() *Command {
	return &Command{
		Name: "cp", Args: "[-f] [-n] [-open] source target", Help: "copy a node and all below it", Extra: true,
		syntax: cmdline.Syntax{Options: writeOptions}, operands: 2,
		run: func(ctx context.Context, c *Call) error {
			if err := validPaths(c.Args[1:3]); err != nil {
				return err
			}
			w, t := c.writer(c.Args[2])
			if err := subtree.Copy(ctx, c.Session, c.path(), w); err != nil {
				return err
			}
			c.Out.Emit(t.result())
			return nil
		},
	}
}

func validPaths(paths []string) error {
	for _, p := range paths {
		if err := session.ValidatePath(p); err != nil {
			return err
		}
	}
	return nil
}

// move moves a subtree.
func move() *Command {
	return &Command{
		Name: "mv", Args: "source target", Help: "move a node and all below it", Extra: true, operands: 2,
		run: runMove,
	}
}

func runMove(ctx context.Context, c *Call) error {
	source, target := c.Args[1], c.Args[2]
	if err := validPaths(c.Args[1:3]); err != nil {
		return err
	}
	if source == "/" || subtree.System(source) || subtree.System(target) {
		return failf("%s cannot be moved to %s: the root and %s belong to the server", source, target, subtree.SystemNode)
	}
	nodes, whole, err := subtree.Move(ctx, c.Session, source, target)
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Source string `json:"source"`
			Target string `json:"target"`
			Nodes  int    `json:"nodes"`
			Atomic bool   `json:"atomic"`
		}{source, target, nodes, whole},
		Text: func(p *render.Page) {
			how := "at once"
			if !whole {
				how = "in parts"
			}
			p.Talkf("Moved %d nodes %s\n", nodes, how)
		},
	})
	return nil
}

// exportTree writes a subtree as JSON.
func exportTree() *Command {
	return &Command{
		Name: "export", Args: "path [file]", Help: "write a node and all below it as JSON", Extra: true, operands: 1,
		run: runExport,
	}
}

func runExport(ctx context.Context, c *Call) error {
	if len(c.Args) < 3 || c.Args[2] == "-" {
		_, err := subtree.Export(ctx, c.Session, c.path(), c.Out.Writer())
		return err
	}
	name := c.Args[2]
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // nodes may hold secrets
	if err != nil {
		return err
	}
	nodes, err := subtree.Export(ctx, c.Session, c.path(), f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		if removeErr := os.Remove(name); removeErr != nil {
			return errors.Join(err, removeErr)
		}
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Path  string `json:"path"`
			File  string `json:"file"`
			Nodes int    `json:"nodes"`
		}{c.path(), name, nodes},
		Text: func(p *render.Page) { p.Talkf("Exported %d nodes to %s\n", nodes, name) },
	})
	return nil
}

// importTree writes what exportTree wrote.
func importTree() *Command {
	return &Command{
		Name: "import", Args: "[-f] [-n] [-open] path file", Help: "write nodes from JSON below a path", Extra: true,
		syntax: cmdline.Syntax{Options: writeOptions}, operands: 2,
		run: runImport,
	}
}

func runImport(ctx context.Context, c *Call) error {
	if err := validPaths(c.Args[1:2]); err != nil {
		return err
	}
	in := c.In
	if name := c.Args[2]; name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		return fail("there is no input to read from")
	}
	w, t := c.writer(c.path())
	if err := subtree.Import(ctx, in, w); err != nil {
		return err
	}
	c.Out.Emit(t.result())
	return nil
}
