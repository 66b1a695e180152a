package command

import (
	"context"
	"strconv"
	"time"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// watch prints the changes of nodes as they come, until it is interrupted. It sets
// persistent watches, which servers have had since 3.6, and takes them away at the end.
func watch() *Command {
	return &Command{
		Name: "watch", Args: "[-r] [-n count] [-t seconds] path...", Help: "print changes as they come", Extra: true,
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "r", Help: "of all nodes below too"}, {Name: "n", Arg: true, Help: "end after so many"},
			{Name: "t", Arg: true, Help: "end after so many seconds"},
		}},
		operands: 1,
		run:      runWatch,
	}
}

// watchBuffer is how many events may wait to be printed. When it is full, the events that
// come are counted and not kept: the server must not be held up.
const watchBuffer = 4096

func runWatch(ctx context.Context, c *Call) error {
	count, err := c.number("n")
	if err != nil {
		return err
	}
	seconds, err := c.number("t")
	if err != nil {
		return err
	}
	if seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	paths := c.Args[1:]
	events := make(chan session.Event, watchBuffer)
	lost := make(chan struct{}, 1)
	defer c.Events.Subscribe(func(e session.Event) bool {
		if e.Type == wire.EventNone || e.Type > wire.EventNodeChildrenChanged {
			return e.Type != wire.EventNone // the removal of our own watches is nobody's business
		}
		select {
		case events <- e:
		default:
			select {
			case lost <- struct{}{}:
			default:
			}
		}
		return true
	})()
	mode, kind := wire.AddWatchPersistent, wire.WatcherPersistent
	if c.Has("r") {
		mode, kind = wire.AddWatchPersistentRecursive, wire.WatcherPersistentRecursive
	}
	for i, path := range paths {
		if err := c.Session.AddWatch(ctx, path, mode); err != nil {
			unwatch(ctx, c.Session, paths[:i], kind)
			return err
		}
	}
	defer unwatch(ctx, c.Session, paths, kind)
	return c.stream(ctx, events, lost, count)
}

// number is the value of an option that counts, 0 if it was not given.
func (c *Call) number(option string) (int, error) {
	if !c.Has(option) {
		return 0, nil
	}
	n, err := strconv.Atoi(c.Value(option))
	if err != nil || n < 1 {
		return 0, failf("-%s argument must be a number from 1: %q", option, c.Value(option))
	}
	return n, nil
}

// unwatch takes the watches away, which the end of ctx must not prevent.
func unwatch(ctx context.Context, s *session.Session, paths []string, kind wire.WatcherType) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, path := range paths {
		// There may be no connection any more; then there are no watches either.
		_ = s.RemoveWatches(ctx, path, kind, true)
	}
}

// stream prints events until there were count, or ctx ends. An interrupted watch has
// done what it was to do, so that is no error.
func (c *Call) stream(ctx context.Context, events <-chan session.Event, lost <-chan struct{}, count int) error {
	for n := 0; count == 0 || n < count; n++ {
		select {
		case e := <-events:
			c.Out.Emit(c.change(e))
		case <-lost:
			n--
			c.Out.Complain("some events came too fast and are not shown")
		case <-ctx.Done():
			return nil
		}
		if err := c.Out.Error(); err != nil {
			return err
		}
	}
	return nil
}

// change is an event with the time at which it arrived.
func (c *Call) change(e session.Event) render.Result {
	at := c.now()
	what, colour := "changed", render.Yellow
	switch e.Type {
	case wire.EventNodeCreated:
		what, colour = "created", render.Green
	case wire.EventNodeDeleted:
		what, colour = "deleted", render.Red
	case wire.EventNodeChildrenChanged:
		what, colour = "children", render.Blue
	}
	zone := c.Zone
	if zone == nil {
		zone = time.Local
	}
	zxid := e.Zxid.String()
	if e.Zxid < 0 {
		zxid = "-" // servers before 3.9 do not tell
	}
	return render.Result{
		Data: struct {
			Time string `json:"time"`
			Type string `json:"type"`
			Path string `json:"path"`
			Zxid string `json:"zxid"`
		}{render.Time(at.UnixMilli()), e.Type.String(), e.Path, zxid},
		Text: func(p *render.Page) {
			p.Printf("%s zxid=%-12s %s %s\n", at.In(zone).Format("15:04:05.000"), zxid, p.Paint(colour, padded(what, 8)), e.Path)
		},
	}
}

func padded(s string, width int) string { return s + spaces[:max(0, width-len(s))] }
