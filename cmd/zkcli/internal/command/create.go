package command

import (
	"context"
	"fmt"
	"strconv"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// ttlMax is the longest time to live that fits into a node's owner.
const ttlMax = 0xffffffffff

// create: CreateCommand.
func create() *Command {
	return &Command{
		Name: "create", Args: "[-s] [-e] [-c] [-t ttl] path [data] [acl]", Help: "create a node",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "e", Help: "ephemeral"}, {Name: "s", Help: "sequential"}, {Name: "c", Help: "container"}, {Name: "t", Arg: true, Help: "ttl"},
		}},
		operands: 1,
		run:      runCreate,
	}
}

func runCreate(ctx context.Context, c *Call) error {
	mode, ttl, err := createMode(c.Parsed)
	if err != nil {
		return err
	}
	var data []byte
	if len(c.Args) > 2 {
		data = []byte(c.Args[2])
	}
	acl := wire.OpenACL()
	if len(c.Args) > 3 {
		acl = parseACL(c.Out, c.Args[3])
	}
	path, err := c.Session.Create(ctx, c.path(), data, acl, mode, ttl)
	switch session.Code(err) {
	case wire.ErrEphemeralOnLocalSession:
		c.Out.Complain("Unable to create ephemeral node on a local session")
	case wire.ErrInvalidACL:
		c.Out.Complain("%s", err)
	}
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Path string `json:"path"`
		}{path},
		Text: func(p *render.Page) { p.Talkf("Created %s\n", path) },
	})
	return nil
}

// createMode combines the options.
func createMode(p *cmdline.Parsed) (mode wire.CreateMode, ttlMillis int64, err error) {
	e, s, c, t := p.Has("e"), p.Has("s"), p.Has("c"), p.Has("t")
	if c && (e || s) {
		return 0, 0, fail("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
	}
	if t {
		if ttlMillis, err = strconv.ParseInt(p.Value("t"), 10, 64); err != nil {
			return 0, 0, fail("-t argument must be a long value")
		}
	}
	switch {
	case t && e:
		return 0, 0, fail("TTLs cannot be used with Ephemeral znodes")
	case t && c:
		return 0, 0, fail("TTLs cannot be used with Container znodes")
	case t && (ttlMillis <= 0 || ttlMillis > ttlMax):
		return 0, 0, fail(fmt.Sprintf("ttl must be positive and cannot be larger than: %d", int64(ttlMax)))
	case e && s:
		return wire.ModeEphemeralSequential, 0, nil
	case e:
		return wire.ModeEphemeral, 0, nil
	case s && t:
		return wire.ModePersistentSequentialWithTTL, ttlMillis, nil
	case s:
		return wire.ModePersistentSequential, 0, nil
	case c:
		return wire.ModeContainer, 0, nil
	case t:
		return wire.ModePersistentWithTTL, ttlMillis, nil
	}
	return wire.ModePersistent, 0, nil
}
