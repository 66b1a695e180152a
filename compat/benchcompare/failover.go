package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holt/compat/ensemble"
	"holt/compat/history"
	"holt/compat/ratio"
)

// Sizes of the failover measurement.
const (
	failoverClients = 4               // per member, each with one write outstanding
	failoverBefore  = 2 * time.Second // of load, before the kill
	failoverAfter   = 15 * time.Second
)

// failover is what clients saw of one kill of the leader.
type failover struct {
	resumed time.Duration // from the kill to the first reply, to any client of the other two members, to a write sent when the leader was gone
	all     time.Duration // the same until each of those clients had such a reply
	errors  int           // connections lost and refused writes, at those clients
}

// compareFailover kills the leader of three under load, in turn, and takes the medians.
func (c *comparison) compareFailover(ctx context.Context) error {
	resumed, all, errs := make(map[ensemble.Kind][]float64), make(map[ensemble.Kind][]float64), make(map[ensemble.Kind][]float64)
	p, err := c.startPair(ctx, 3)
	if err != nil {
		return err
	}
	for round := range c.failovers {
		for _, kind := range c.kinds() {
			f, ferr := killLeader(ctx, p[kind], fmt.Sprintf("/failover%d", round))
			if ferr != nil {
				return errors.Join(fmt.Errorf("failover of %s: %w", kind, ferr), p.close())
			}
			ratio.Progress("leader killed, round %d, %s: writes resume after %v, at all clients after %v, %d errors", round+1, kind, f.resumed, f.all, f.errors)
			resumed[kind] = append(resumed[kind], millis(f.resumed))
			all[kind] = append(all[kind], millis(f.all))
			errs[kind] = append(errs[kind], float64(f.errors))
		}
	}
	const title = "leader killed under load"
	holt, other := ensemble.Holt, c.other()
	c.add(title, "writes resume, median", "ms", ratio.Median(resumed[holt]), ratio.Median(resumed[other]), ratio.AtMostOwn(1500, "1.5 s"))
	c.add(title, "writes resume, worst", "ms", highest(resumed[holt]), highest(resumed[other]), ratio.AtMostOwn(1500, "1.5 s"))
	c.add(title, "writes resume at all clients, worst", "ms", highest(all[holt]), highest(all[other]), ratio.Bound{})
	c.add(title, "errors at clients of the other two", "", highest(errs[holt]), highest(errs[other]), ratio.AtMostOwn(0, "0"))
	return p.close()
}

func highest(values []float64) float64 {
	var most float64
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// killLeader does it once, and has all members running again afterwards.
func killLeader(ctx context.Context, e *ensemble.Ensemble, root string) (failover, error) {
	if err := history.MakeRegisters(ctx, root, 1, e.Addrs()...); err != nil {
		return failover{}, err
	}
	all := failoverClients * len(e.Members())
	w := &writers{recovered: make(chan time.Duration, all), start: time.Now()}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	for _, m := range e.Members() {
		for i := range failoverClients {
			w.wg.Go(func() { w.write(loadCtx, m, m.ID()*100+i, root+"/r0") })
		}
	}
	pauseFor(ctx, failoverBefore)
	leader, err := e.Leader(ctx) // now, since an ensemble may change its mind under load
	if err == nil {
		w.victim.Store(int64(leader.ID()))
		w.killedAt.Store(int64(time.Since(w.start)))
		err = leader.Kill()
	}
	if err != nil {
		return failover{}, err
	}
	w.goneAt.Store(int64(time.Since(w.start))) // what is sent from now on needs a new leader
	f, err := w.await(all - failoverClients)
	stop()
	w.wg.Wait()
	f.errors = int(w.errors.Load())
	return f, errors.Join(err, e.StartAll(ctx))
}

// writers are the clients that write while the leader dies.
type writers struct {
	wg        sync.WaitGroup
	start     time.Time
	victim    atomic.Int64       // member that is killed; 0 until it is chosen
	killedAt  atomic.Int64       // since start, when it was sent SIGKILL
	goneAt    atomic.Int64       // since start, when its process had ended; 0 until then
	recovered chan time.Duration // one per client of another member, since the kill
	errors    atomic.Int64       // at those clients, before and after
}

// write sets a register again and again through one member. A client of a survivor tells when it
// first had a reply to a write that it sent after that member was gone.
func (w *writers) write(ctx context.Context, m *ensemble.Member, id int, path string) {
	client := history.NewClient(history.NewRecorder(), id, 10*time.Second, m.Addr())
	told := false
	for n := 0; ctx.Err() == nil; n++ {
		sent := int64(time.Since(w.start))
		o := &history.Op{Kind: history.Set, Path: path, Token: fmt.Sprint(n), Version: -1}
		err := client.Do(ctx, o)
		failed := err != nil || !o.OK()
		switch gone := w.goneAt.Load(); {
		case ctx.Err() != nil:
		case int64(m.ID()) == w.victim.Load():
			if err != nil {
				return // its member is dead
			}
		case failed:
			w.errors.Add(1)
		case !told && gone > 0 && sent > gone:
			told = true
			w.recovered <- time.Since(w.start) - time.Duration(w.killedAt.Load())
		}
	}
	client.Abandon()
}

// await waits until all surviving clients have told.
func (w *writers) await(clients int) (failover, error) {
	var f failover
	timeout := time.After(failoverAfter)
	for i := range clients {
		select {
		case d := <-w.recovered:
			if i == 0 {
				f.resumed = d
			}
			f.resumed, f.all = min(f.resumed, d), max(f.all, d)
		case <-timeout:
			return f, fmt.Errorf("%d of %d clients cannot write %v after the kill", clients-i, clients, failoverAfter)
		}
	}
	return f, nil
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
