package command

import (
	"context"
	"strconv"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// syncServer: SyncCommand.
func syncServer() *Command {
	return &Command{Name: "sync", Args: "path", Help: "let the server catch up with its leader", operands: 1, run: runSync}
}

func runSync(ctx context.Context, c *Call) error {
	err := c.Session.Sync(ctx, c.path())
	code := session.Code(err)
	if err != nil && code == wire.OK {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Path string `json:"path"`
			Code int    `json:"code"`
		}{c.path(), int(code)},
		Text: func(p *render.Page) {
			if code == wire.OK {
				p.Printf("Sync is OK\n")
			} else {
				p.Printf("Sync has failed. rc=%d\n", int(code))
			}
		},
	})
	return nil
}

// addAuth: AddAuthCommand.
func addAuth() *Command {
	return &Command{Name: "addauth", Args: "scheme auth", Help: "hand in credentials", operands: 1, run: runAddAuth}
}

func runAddAuth(_ context.Context, c *Call) error {
	var credentials []byte
	if len(c.Args) > 2 {
		credentials = []byte(c.Args[2])
	}
	c.Session.AddAuth(c.Args[1], credentials)
	return nil
}

// whoAmI: WhoAmICommand.
func whoAmI() *Command {
	return &Command{Name: "whoami", Args: "", Help: "show the identities the server knows", loose: true, run: runWhoAmI}
}

func runWhoAmI(ctx context.Context, c *Call) error {
	// What the server does not want to tell is nothing, as in the original.
	infos, err := c.Session.WhoAmI(ctx)
	if err != nil && session.Code(err) == wire.OK {
		return err
	}
	type identity struct {
		Scheme string `json:"scheme"`
		User   string `json:"user"`
	}
	identities := []identity{}
	for _, i := range infos {
		identities = append(identities, identity{i.AuthScheme, i.User})
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Identities []identity `json:"identities"`
		}{identities},
		Text: func(p *render.Page) {
			p.Printf("Auth scheme: User\n")
			for _, i := range identities {
				p.Printf("%s: %s\n", i.Scheme, i.User)
			}
		},
	})
	return nil
}

// ephemerals: GetEphemeralsCommand.
func ephemerals() *Command {
	return &Command{Name: "getEphemerals", Args: "path", Help: "list this session's ephemeral nodes below a path", run: runEphemerals}
}

func runEphemerals(ctx context.Context, c *Call) error {
	prefix := "/"
	if len(c.Args) > 1 {
		prefix = c.path()
	}
	paths, err := c.Session.Ephemerals(ctx, prefix)
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Ephemerals []string `json:"ephemerals"`
		}{append([]string{}, paths...)},
		Text: func(p *render.Page) { p.Printf("%s\n", render.JavaList(paths)) },
	})
	return nil
}

// countDescendants: GetAllChildrenNumberCommand.
func countDescendants() *Command {
	return &Command{Name: "getAllChildrenNumber", Args: "path", Help: "count the nodes below a path", operands: 1, run: runCount}
}

func runCount(ctx context.Context, c *Call) error {
	n, err := c.Session.CountDescendants(ctx, c.path())
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Path  string `json:"path"`
			Count int32  `json:"count"`
		}{c.path(), n},
		Text: func(p *render.Page) { p.Printf("%d\n", n) },
	})
	return nil
}

// version: VersionCommand.
func version() *Command {
	return &Command{Name: "version", Args: "", Help: "show the version of this program", run: runVersion}
}

func runVersion(_ context.Context, c *Call) error {
	if len(c.Args) > 1 {
		return fail(c.cmd.Usage())
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Version string `json:"version"`
		}{c.Version},
		Text: func(p *render.Page) { p.Printf("ZooKeeper CLI version: %s\n", c.Version) },
	})
	return nil
}

// closeSession: CloseCommand.
func closeSession() *Command {
	return &Command{Name: "close", Args: "", Help: "end the session", loose: true, run: func(ctx context.Context, c *Call) error {
		c.Session.Close(ctx)
		return nil
	}}
}

// addWatch: AddWatchCommand.
//
// Differs from ZooKeeper: there a mode stays chosen for later uses of the command without -m.
func addWatch() *Command {
	return &Command{
		Name: "addWatch", Help: "set a watch that stays",
		Args:   "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
		syntax: cmdline.Syntax{Options: []cmdline.Option{{Name: "m", Arg: true}}},
		run:    runAddWatch,
	}
}

func runAddWatch(ctx context.Context, c *Call) error {
	if len(c.Args) != 2 {
		return fail(c.cmd.Usage())
	}
	mode := wire.AddWatchPersistentRecursive
	if c.Has("m") {
		switch strings.ToUpper(c.Value("m")) {
		case "PERSISTENT":
			mode = wire.AddWatchPersistent
		case "PERSISTENT_RECURSIVE":
		default:
			return fail(c.cmd.Usage())
		}
	}
	return c.Session.AddWatch(ctx, c.path(), mode)
}

// removeWatches: RemoveWatchesCommand.
func removeWatches() *Command {
	return &Command{
		Name: "removewatches", Args: "path [-c|-d|-a] [-l]", Help: "remove the watches of a node",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "c", Help: "child watcher type"}, {Name: "d", Help: "data watcher type"},
			{Name: "p", Help: "persistent watcher type"}, {Name: "r", Help: "persistent recursive watcher type"},
			{Name: "a", Help: "any watcher type"}, {Name: "l", Help: "remove locally when there is no server connection"},
		}},
		operands: 1,
		run:      runRemoveWatches,
	}
}

func runRemoveWatches(ctx context.Context, c *Call) error {
	kind := wire.WatcherAny
	switch {
	case c.Has("c"):
		kind = wire.WatcherChildren
	case c.Has("d"):
		kind = wire.WatcherData
	case c.Has("p"):
		kind = wire.WatcherPersistent
	case c.Has("r"):
		kind = wire.WatcherPersistentRecursive
	}
	return c.Session.RemoveWatches(ctx, c.path(), kind, c.Has("l"))
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
