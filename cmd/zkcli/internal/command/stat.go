package command

import (
	"context"
	"time"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// stat: StatCommand. Beyond it: -h.
func stat() *Command {
	return &Command{
		Name: "stat", Args: "[-w] path", Help: "show what is known of a node besides its data; -h for people",
		syntax:   cmdline.Syntax{Options: []cmdline.Option{{Name: "w", Help: "watch"}, {Name: "h", Help: "with words, times and owner", Extra: true}}},
		operands: 1,
		run:      runStat,
	}
}

func runStat(ctx context.Context, c *Call) error {
	if err := c.again("'stat path [watch]' has been deprecated. Please use 'stat [-w] path' instead."); err != nil {
		return err
	}
	stat, err := c.Session.Exists(ctx, c.path(), c.Has("w"))
	if err != nil {
		return err
	}
	if stat == nil {
		return &session.Error{Code: wire.ErrNoNode, Path: c.path()}
	}
	r := statOf(c.path(), stat)
	r.Text = func(p *render.Page) { render.StatText(p, stat, c.Zone) }
	if c.Has("h") {
		r.Text = func(p *render.Page) { statForPeople(p, c, stat) }
	}
	c.Out.Emit(r)
	return nil
}

func statForPeople(p *render.Page, c *Call, s *wire.Stat) {
	row := func(name, format string, args ...any) {
		p.Printf("%s "+format+"\n", append([]any{p.Paint(render.Dim, name+spaces[:12-len(name)])}, args...)...)
	}
	row("path", "%s", c.path())
	row("owner", "%s", owner(c.Session.ID(), s.EphemeralOwner))
	row("created", "%s, zxid %s", c.when(s.Ctime), s.Czxid)
	row("changed", "%s, zxid %s, version %d", c.when(s.Mtime), s.Mzxid, s.Version)
	row("data", "%s", render.Bytes(int64(s.DataLength)))
	row("children", "%d, last change zxid %s, version %d", s.NumChildren, s.Pzxid, s.Cversion)
	row("acl", "version %d", s.Aversion)
}

const spaces = "            "

// when is a time with how long ago it was.
func (c *Call) when(millis int64) string {
	zone := c.Zone
	if zone == nil {
		zone = time.Local
	}
	t := time.UnixMilli(millis)
	ago := render.Ago(c.now().Sub(t))
	if ago != "now" {
		ago += " ago"
	}
	return t.In(zone).Format("2006-01-02 15:04:05.000 MST") + " (" + ago + ")"
}

// owner says whose an ephemeral node is. A session's id carries the id of the member
// that made it in its top byte.
func owner(mine wire.SessionID, id int64) string {
	switch {
	case id == 0:
		return "none, it stays"
	case wire.SessionID(id) == mine:
		return "this session, " + mine.String()
	}
	return "session " + wire.SessionID(id).String() + ", begun at member " + itoa(uint64(id)>>56)
}
