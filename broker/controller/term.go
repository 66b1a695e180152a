package controller

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// term is the time in office, from an election on. It runs in the Controller's
// goroutine; batches, removals and reads run in others, at most BatchesInFlight plus
// one removal and one read, each of which ends with one report.
type term struct {
	*Controller
	ctx     context.Context // of the term; stored because the term is its lifetime
	end     context.CancelFunc
	core    *Core
	image   *metadata.Image // the last one that core has seen
	epoch   int32
	version int32 // of the epoch's node: the fence
	session metadata.SessionID

	batches  [][]*Write // to be sent, in order
	inFlight int        // batches
	removals []*Write
	removing bool
	reading  bool
	reports  chan report
	askers   map[Ticket]chan<- Answer
	over     bool
}

// report is what a goroutine of the term has to say.
type report struct {
	done    []*Write
	results [][]metadata.Result
	failed  []*Write
	fresh   [][]Fresh
	again   [][]*Write // batches to be tried again
	over    error      // the term has ended
	removal bool
	logDirs map[string]int32 // notifications that were read
}

func newTerm(ctx context.Context, end context.CancelFunc, c *Controller, epoch, version int32, session metadata.SessionID) *term {
	cfg := c.cfg.Core
	cfg.Epoch = epoch
	t := &term{
		Controller: c, ctx: ctx, end: end, epoch: epoch, version: version, session: session,
		reports: make(chan report, c.cfg.BatchesInFlight+2), askers: map[Ticket]chan<- Answer{},
	}
	t.image = c.cfg.Follower.Image()
	began := time.Now()
	t.core = NewCore(cfg, t.image, began)
	c.cfg.Logger.Info("elected controller", zap.Int32("epoch", epoch), zap.Int("partitions", t.image.PartitionCount()), zap.Duration("took", time.Since(began)))
	return t
}

// run serves until the term is over and all that was under way has been reported.
func (t *term) run() {
	t.Controller.epoch.Store(t.epoch)
	if t.cfg.Elected != nil {
		t.cfg.Elected(t.epoch)
	}
	tick := time.NewTicker(t.cfg.TickEvery)
	defer tick.Stop()
	for !t.over {
		t.send()
		select {
		case <-t.ctx.Done():
			t.over = true
		case <-t.wake:
			t.follow()
		case r := <-t.reports:
			t.report(r)
		case <-tick.C:
			t.core.Tick(time.Now())
		case r := <-t.requests:
			t.askers[r.make(t.core)] = r.answer
		case done := <-t.resigns:
			t.over = true
			t.close()
			close(done)
			return
		}
	}
	t.close()
}

// close waits for what is under way, refuses whoever waits, and leaves the office.
func (t *term) close() {
	t.end()
	t.Controller.epoch.Store(0)
	for t.inFlight > 0 || t.removing || t.reading {
		t.landed(<-t.reports)
	}
	t.core.Refuse()
	t.answer()
	for _, asker := range t.askers {
		asker <- Answer{Code: kerror.NotController}
	}
	t.vacate()
	if t.cfg.Resigned != nil {
		t.cfg.Resigned()
	}
	t.cfg.Logger.Info("no longer controller", zap.Int32("epoch", t.epoch))
}

// vacateWithin bounds the wait for the deletion of the controller's node.
const vacateWithin = 2 * time.Second

// vacate deletes the controller's node, so that others need not wait for the end of the
// session. The fence keeps it from being another term's.
func (t *term) vacate() {
	if t.cfg.Client.Session() != t.session {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), vacateWithin)
	defer cancel()
	_, err := t.cfg.Client.Multi(ctx, t.fence(), metadata.Delete(metadata.ControllerPath, metadata.AnyVersion))
	if err != nil && !errors.Is(err, metadata.ErrBadVersion) && !errors.Is(err, metadata.ErrNoNode) && !errors.Is(err, metadata.ErrClosed) {
		t.cfg.Logger.Warn("controller's node not deleted, it goes with the session", zap.Error(err))
	}
}

func (t *term) fence() metadata.Op { return metadata.Check(metadata.ControllerEpochPath, t.version) }

// follow shows the newest image to the core.
func (t *term) follow() {
	image := t.cfg.Follower.Image()
	if image == t.image {
		return
	}
	t.image = image
	if is := image.Controller(); is.Epoch > t.epoch || is.ID != t.cfg.Broker || is.Owner != t.session {
		t.cfg.Logger.Warn("another controller was elected", zap.Int32("broker", is.ID), zap.Int32("epoch", is.Epoch))
		t.over = true
		return
	}
	t.core.Update(image, time.Now())
}

// send takes what the core has decided and sends as much as may be under way.
func (t *term) send() {
	if t.over {
		return
	}
	t.answer()
	t.queue(t.core.Take())
	for t.inFlight < t.cfg.BatchesInFlight && len(t.batches) > 0 {
		batch := t.batches[0]
		t.batches = t.batches[1:]
		t.inFlight++
		go func() { t.reports <- t.write(batch) }()
	}
	if len(t.removals) > 0 && !t.removing {
		w := t.removals[0]
		t.removals = t.removals[1:]
		t.removing = true
		go func() { t.reports <- t.remove(w) }()
	}
	if unread := t.core.UnreadLogDirEvents(); len(unread) > 0 && !t.reading {
		t.reading = true
		go func() { t.reports <- t.readLogDirs(unread) }()
	}
}

// queue packs writes into batches. The last one is filled up first.
func (t *term) queue(writes []*Write) {
	for _, w := range writes {
		if w.Remove != "" {
			t.removals = append(t.removals, w)
			continue
		}
		last := len(t.batches) - 1
		if last < 0 || opsOf(t.batches[last])+len(w.Ops) > t.cfg.BatchOps {
			t.batches = append(t.batches, nil)
			last++
		}
		t.batches[last] = append(t.batches[last], w)
	}
}

func opsOf(batch []*Write) int {
	n := 0
	for _, w := range batch {
		n += len(w.Ops)
	}
	return n
}

// landed counts a report's goroutine off.
func (t *term) landed(r report) {
	switch {
	case r.logDirs != nil:
		t.reading = false
	case r.removal:
		t.removing = false
	default:
		t.inFlight--
	}
}

func (t *term) report(r report) {
	t.landed(r)
	if r.over != nil {
		if t.ctx.Err() == nil {
			t.cfg.Logger.Warn("controller's writes are refused", zap.Int32("epoch", t.epoch), zap.Error(r.over))
		}
		t.over = true
		return
	}
	for i, w := range r.done {
		t.core.Done(w, r.results[i])
	}
	for i, w := range r.failed {
		t.core.Failed(w, r.fresh[i])
	}
	t.batches = append(r.again, t.batches...)
	for name, broker := range r.logDirs {
		t.core.LogDirFailed(name, broker)
	}
}

// answer hands the core's answers on.
func (t *term) answer() {
	for _, a := range t.core.Answers() {
		if asker, ok := t.askers[a.Ticket]; ok {
			delete(t.askers, a.Ticket)
			asker <- a
		}
	}
}
