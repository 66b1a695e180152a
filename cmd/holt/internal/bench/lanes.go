package bench

import (
	"context"
	"time"

	"holt/wire/client"
)

// lanes opens all connections and returns what each one's goroutine has to do, with the tally
// that it fills.
func (r *run) lanes(ctx context.Context) (work []func() error, tallies []*tally, err error) {
	switch r.cfg.Load {
	case "watch":
		return r.fanOutLanes(ctx)
	case "churn":
		return r.churnLanes(ctx)
	}
	kinds := len(r.kinds())
	conns, err := r.dialLanes(ctx, r.cfg.Connections, func(int) client.Options { return client.Options{} })
	if err != nil {
		return nil, nil, err
	}
	for i, conn := range conns {
		l := &lane{run: r, conn: conn, tally: newTally(kinds)}
		if l.script, err = r.scriptOf(r.cfg.Load, i); err != nil {
			abort(conns)
			return nil, nil, err
		}
		work = append(work, r.loop(l, i))
		tallies = append(tallies, &l.tally)
	}
	return work, tallies, nil
}

// dialLanes opens n sessions, or none.
func (r *run) dialLanes(ctx context.Context, n int, options func(i int) client.Options) ([]*client.Conn, error) {
	var conns []*client.Conn
	for i := range n {
		c, err := r.dialLane(ctx, i, options(i))
		if err != nil {
			abort(conns)
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

func abort(conns []*client.Conn) {
	for _, c := range conns {
		c.Abort()
	}
}

// loop returns the closed or the open loop of lane i.
func (r *run) loop(l *lane, i int) func() error {
	if r.cfg.Rate == 0 {
		return l.closedLoop
	}
	interval := time.Duration(float64(time.Second) * float64(r.cfg.Connections) / r.cfg.Rate)
	offset := interval * time.Duration(i) / time.Duration(r.cfg.Connections)
	return func() error { return l.openLoop(offset, interval) }
}

// kinds names the histograms of a run: the load, or the parts of a mix.
func (r *run) kinds() []string {
	if r.cfg.Load != "mixed" {
		return []string{r.cfg.Load}
	}
	names, _, err := parseMix(r.cfg.Mix)
	if err != nil {
		return nil // scriptOf reports it
	}
	return names
}
