package bench

import (
	"context"
	"errors"
	"sync/atomic"

	"holt/wire"
	"holt/wire/client"
)

// fanOut is the load watch: every connection watches one node; a writer sets it, waits until
// each watcher was notified and watches again, and sets it again. An operation is one
// notification; its latency counts from the writer's set.
type fanOut struct {
	run      *run
	path     string
	setAt    atomic.Int64  // when the present round's set was sent
	armed    atomic.Int64  // watchers that watch again in the present round
	round    chan struct{} // one element when all do
	over     chan struct{} // closed when the writer has ended
	watchers []*watcher
}

// watcher is one connection that watches. Its fields are for the connection's reader.
type watcher struct {
	fanOut *fanOut
	conn   *client.Conn
	arm    client.Call
	tally
}

func (r *run) fanOutLanes(ctx context.Context) (work []func() error, tallies []*tally, err error) {
	f := &fanOut{run: r, path: r.dir + "/n00000000", round: make(chan struct{}, 1), over: make(chan struct{})}
	for range r.cfg.Connections {
		w := &watcher{fanOut: f, tally: newTally(1)}
		w.arm = client.Call{Op: wire.OpGetData, Request: &wire.GetDataRequest{Path: f.path, Watch: true}, Done: w.armed}
		f.watchers = append(f.watchers, w)
	}
	conns, err := r.dialLanes(ctx, r.cfg.Connections+1, func(i int) client.Options {
		if i == r.cfg.Connections {
			return client.Options{} // the writer
		}
		return client.Options{OnEvent: f.watchers[i].event}
	})
	if err != nil {
		return nil, nil, err
	}
	for i, w := range f.watchers {
		w.conn = conns[i]
		work = append(work, w.watch)
		tallies = append(tallies, &w.tally)
	}
	writing := newTally(1)
	work = append(work, func() error { return f.write(ctx, conns[r.cfg.Connections]) })
	return work, append(tallies, &writing), nil
}

// watch sets the first watch; the rest happens on the reader, until the writer has ended.
func (w *watcher) watch() error {
	w.conn.Go(&w.arm)
	select {
	case <-w.fanOut.over:
	case <-w.conn.Done():
		w.fanOut.nextRound() // so that the writer sees it
	}
	return w.conn.Close()
}

// armed counts the watchers that are ready for the next set.
func (w *watcher) armed(call *client.Call) {
	if call.Outcome() == nil && w.fanOut.armed.Add(1) == int64(len(w.fanOut.watchers)) {
		w.fanOut.nextRound()
	}
}

func (w *watcher) event(e client.Event) {
	if e.Type != wire.EventNodeDataChanged {
		return // the end: the node was deleted
	}
	if f := w.fanOut; f.run.measuring() {
		w.count(0, f.run.now()-f.setAt.Load(), wire.OK)
	}
	w.conn.Go(&w.arm)
}

func (f *fanOut) nextRound() {
	select {
	case f.round <- struct{}{}:
	default:
	}
}

var errWatcherLost = errors.New("a watcher lost its connection")

// write sets the node once per round and deletes it at the end.
func (f *fanOut) write(ctx context.Context, conn *client.Conn) error {
	defer close(f.over)
	ctx = context.WithoutCancel(ctx) // the run's end ends it, in good order
	for f.run.take() {
		<-f.round
		if f.armed.Swap(0) != int64(len(f.watchers)) {
			conn.Abort()
			return errWatcherLost
		}
		f.setAt.Store(f.run.now())
		if _, err := conn.SetData(ctx, f.path, f.run.data, -1); err != nil {
			conn.Abort()
			return err
		}
	}
	return errors.Join(conn.Delete(ctx, f.path, -1), conn.Close())
}
