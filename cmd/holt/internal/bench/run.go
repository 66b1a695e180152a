package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
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
