package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holt/wire"
)

// The phases of a run, in order.
const (
	warming int32 = iota
	measured
	ended
)

// run is one load under way.
type run struct {
	cfg   Config
	dir   string // parent of the nodes of this run, <root>/<load>-<unique>
	data  []byte // content of each node
	start time.Time
	phase atomic.Int32
	left  atomic.Int64 // of Config.Count; not used without
}

// Run prepares cfg.Load, runs it and cleans up. The report of a run that ctx ended early covers
// what was measured until then. An error means that the load could not be run, or not be cleaned
// up after; lanes lost on the way are part of the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.AutoPIDs {
		pids, err := listeners(cfg.Servers)
		if err != nil {
			return nil, err
		}
		cfg.PIDs = pids
	}
	r := &run{cfg: cfg, data: make([]byte, cfg.Size), start: time.Now()}
	for i := range r.data {
		r.data[i] = 'x'
	}
	r.dir = fmt.Sprintf("%s/%s-%d-%d", cfg.Root, cfg.Load, os.Getpid(), r.start.UnixMilli())
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", cfg.Load, err)
	}
	report, err := r.press(ctx)
	if !cfg.Keep {
		err = errors.Join(err, r.cleanUp(context.WithoutCancel(ctx)))
	}
	return report, err
}

// now returns nanoseconds since the start of the run.
func (r *run) now() int64 { return int64(time.Since(r.start)) }

// more tells whether new requests may still be sent.
func (r *run) more() bool { return r.phase.Load() != ended }

// measuring tells whether replies count.
func (r *run) measuring() bool { return r.phase.Load() == measured }

// take is more, and uses up one of Config.Count.
func (r *run) take() bool {
	if r.cfg.Count == 0 || r.cfg.Load == "delete" { // whose scripts end after their share
		return r.more()
	}
	return r.more() && r.left.Add(-1) >= 0
}

// press opens the lanes, runs them through the phases, and reports.
func (r *run) press(ctx context.Context) (*Report, error) {
	work, tallies, err := r.lanes(ctx)
	if err != nil {
		return nil, err
	}
	r.left.Store(r.cfg.Count)
	done := make(chan struct{})
	begin := func() {
		r.start = time.Now() // of the schedule of the open loop
		var wg sync.WaitGroup
		for i, f := range work {
			wg.Go(func() { tallies[i].lost = f() })
		}
		go func() { wg.Wait(); close(done) }()
	}
	if r.cfg.WarmUp > 0 {
		begin()
		wait(ctx, r.cfg.WarmUp, done)
	}
	before, err := r.sample()
	if err != nil {
		r.phase.Store(ended)
		return nil, err
	}
	r.phase.Store(measured)
	if r.cfg.WarmUp == 0 {
		begin()
	}
	duration := r.cfg.Duration
	if r.cfg.Count > 0 {
		duration = 1<<63 - 1
	}
	wait(ctx, duration, done)
	r.phase.Store(ended)
	after, err := r.sample()
	if err != nil {
		return nil, err
	}
	// A server that does not answer must not hold up the report.
	wait(context.WithoutCancel(ctx), drainTimeout, done)
	select {
	case <-done:
	default:
		return nil, fmt.Errorf("replies are outstanding %v after the end", drainTimeout)
	}
	return r.report(tallies, before, after), nil
}

// drainTimeout bounds the time from the end of the measurement to the last reply.
const drainTimeout = 10 * time.Second

// wait returns after d, or earlier when ctx ends or done is closed.
func wait(ctx context.Context, d time.Duration, done <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-done:
	}
}

// sample is a reading of all clocks.
type sample struct {
	at     time.Time
	client time.Duration // CPU of this process
	server usage
}

func (r *run) sample() (sample, error) {
	u, err := usageOf(r.cfg.PIDs)
	return sample{time.Now(), ownCPU(), u}, err
}

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
	var opened []*session
	for i := range r.cfg.Connections {
		s, err := r.dialLane(ctx, i)
		if err == nil {
			opened = append(opened, s)
			l := &lane{run: r, s: s, tally: newTally(kinds)}
			if l.script, err = r.scriptOf(r.cfg.Load, i); err == nil {
				work = append(work, r.loop(l, i))
				tallies = append(tallies, &l.tally)
				continue
			}
		}
		for _, s := range opened {
			s.conn.Close()
		}
		return nil, nil, err
	}
	return work, tallies, nil
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

// dialLane opens the session of lane i, at the servers in turn.
func (r *run) dialLane(ctx context.Context, i int) (*session, error) {
	return dial(ctx, r.cfg.Servers[i%len(r.cfg.Servers)], r.cfg.SessionTime)
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

// prepare creates the nodes that the load works on.
func (r *run) prepare(ctx context.Context) error {
	s, err := r.dialLane(ctx, 0)
	if err != nil {
		return err
	}
	err = r.prepareNodes(s)
	return errors.Join(err, s.close())
}

func (r *run) prepareNodes(s *session) error {
	for _, path := range []string{r.cfg.Root, r.dir} {
		if err := s.call(wire.OpCreate, &wire.CreateRequest{Path: path, ACL: []wire.ACL{openACL()}}, nil); err != nil && err != wire.ErrNodeExists {
			return fmt.Errorf("create %s: %w", path, err)
		}
	}
	switch r.cfg.Load {
	case "create", "churn":
		return nil
	case "delete":
		for lane := range r.cfg.Connections {
			path := fmt.Sprintf("%s/c%d-%s", r.dir, lane, placeholder)
			if err := s.stream(&counted{template: newTemplate(wire.OpCreate, r.createRequest(path)), limit: r.share(lane)}); err != nil {
				return err
			}
		}
		return nil
	}
	nodes := &counted{template: newTemplate(wire.OpCreate, r.createRequest(r.dir+"/n"+placeholder)), limit: r.cfg.Nodes}
	return s.stream(nodes)
}

// cleanUp deletes what the run created, but not Root.
func (r *run) cleanUp(ctx context.Context) error {
	s, err := r.dialLane(ctx, 0)
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	if err = r.deleteNodes(s); err != nil {
		err = fmt.Errorf("clean up %s: %w", r.dir, err)
	}
	return errors.Join(err, s.close())
}

func (r *run) deleteNodes(s *session) error {
	if err := s.call(wire.OpSync, &wire.SyncRequest{Path: r.dir}, nil); err != nil {
		return err
	}
	var listing wire.GetChildrenResponse
	if err := s.call(wire.OpGetChildren, &wire.GetChildrenRequest{Path: r.dir}, &listing); err != nil {
		return err
	}
	names := &listed{dir: r.dir}
	for _, name := range listing.Children {
		names.names = append(names.names, strings.Clone(name)) // the buffer is about to be used again
	}
	if err := s.stream(names); err != nil {
		return err
	}
	return s.call(wire.OpDelete, &wire.DeleteRequest{Path: r.dir, Version: -1}, nil)
}

// listed is a script that deletes the children of dir.
type listed struct {
	dir   string
	names []string
}

func (d *listed) next(b []byte, xid wire.Xid) ([]byte, int, bool) {
	if len(d.names) == 0 {
		return b, 0, false
	}
	b, mark := wire.BeginFrame(b)
	b = (&wire.RequestHeader{Xid: xid, Op: wire.OpDelete}).AppendTo(b)
	b = (&wire.DeleteRequest{Path: d.dir + "/" + d.names[0], Version: -1}).AppendTo(b)
	d.names = d.names[1:]
	return wire.EndFrame(b, mark), 0, true
}

// stream sends a script to its end, a hundred requests in flight, and returns the first outcome
// that is not OK.
func (s *session) stream(sc script) error {
	var first error
	inFlight := 0
	for more := true; more || inFlight > 0; {
		for more && inFlight < 100 {
			out, _, ok := sc.next(s.out, s.xid+1)
			if more = ok; !ok {
				break
			}
			s.out = out
			s.xid++
			inFlight++
		}
		if inFlight == 0 {
			break
		}
		if !s.frames.Buffered() {
			if err := s.flush(); err != nil {
				return err
			}
		}
		h, err := s.next()
		if err != nil {
			return err
		}
		if h.Xid < 0 {
			continue
		}
		if inFlight--; h.Err != wire.OK && first == nil {
			first = h.Err
		}
	}
	return first
}
