package metadata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// FollowerConfig says how a Follower follows.
type FollowerConfig struct {
	// Coordinator is where the tree is. The Follower does not close it.
	Coordinator Coordinator

	// Logger takes what could not be read. Default: none.
	Logger *zap.Logger

	// InFlight bounds the reads at a time. Default: 256.
	InFlight int

	// ACLs has the image hold the rules of /kafka-acl too.
	ACLs bool

	// RetryAfter is the pause after a read failed for another reason than the
	// connection. Default: 200 ms.
	RetryAfter time.Duration
}

func (c FollowerConfig) withDefaults() FollowerConfig {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.InFlight <= 0 {
		c.InFlight = 256
	}
	if c.RetryAfter <= 0 {
		c.RetryAfter = 200 * time.Millisecond
	}
	return c
}

// Follower keeps an [Image] of the tree and tells subscribers what changed. See the
// package comment for how.
type Follower struct {
	cfg   FollowerConfig
	image atomic.Pointer[Image]

	stopListening func()
	cancel        context.CancelFunc // ends the reads under way
	wake          chan struct{}      // of capacity 1: there is work for the loop
	done          chan struct{}      // closed when the loop has ended
	closeOnce     sync.Once

	// changeSeen is the number of the last notification of a changed
	// configuration; aclSeen that of each family of ACLs. The loop's own.
	changeSeen int64
	aclSeen    map[string]int64

	mu          sync.Mutex
	closed      bool
	dirty       map[string]mark // by path: to be read
	generation  uint64          // of marks from now on
	reload      bool            // everything is to be read: the connection is another one
	barriers    []barrier
	subscribers []*subscriber
	changed     chan struct{} // closed with the next image
}

// mark says since when a path is to be read.
type mark struct {
	generation uint64
	fresh      bool // the node probably is not there yet
}

// barrier waits until nothing of its generation or before is dirty.
type barrier struct {
	generation uint64
	done       chan struct{}
}

type subscriber struct {
	f     func(*Delta)
	fresh bool // has not been called yet
	gone  bool
}

// NewFollower returns a Follower whose image is empty until Start.
func NewFollower(cfg FollowerConfig) *Follower {
	f := &Follower{
		cfg:     cfg.withDefaults(),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		dirty:   map[string]mark{},
		changed: make(chan struct{}),
		aclSeen: map[string]int64{},
	}
	f.image.Store(emptyImage())
	return f
}

// Start reads the tree, whose top-level paths must be there, and returns when the
// image is complete. It is called once. When it fails, or ctx ends, the Follower
// is closed.
func (f *Follower) Start(ctx context.Context) error {
	run, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.stopListening = f.cfg.Coordinator.Listen(f.event)
	f.mu.Lock()
	f.reload = true
	f.mu.Unlock()
	go f.run(run)
	if err := f.Sync(ctx); err != nil {
		f.Close()
		return fmt.Errorf("read the cluster's metadata: %w", err)
	}
	return nil
}

// Close ends the following; the image stays as it is. It returns when no
// subscriber is being called, and must not be called by one.
func (f *Follower) Close() {
	f.closeOnce.Do(func() {
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		if f.cancel == nil {
			close(f.done)
			return
		}
		f.stopListening()
		f.cancel()
		f.signal()
	})
	<-f.done
}

// Image is the newest image.
func (f *Follower) Image() *Image { return f.image.Load() }

// Subscribe has fn called with every change from now on, one at a time, in order,
// from the Follower's goroutine; first with the whole image as if all of it were
// new. fn must return soon: nothing is read meanwhile. It must not call Sync,
// Close or stop. Unless a call is under way none follows after stop returned.
func (f *Follower) Subscribe(fn func(*Delta)) (stop func()) {
	s := &subscriber{f: fn, fresh: true}
	f.mu.Lock()
	f.subscribers = append(f.subscribers, s)
	f.mu.Unlock()
	f.signal()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		s.gone = true
		f.subscribers = slices.DeleteFunc(f.subscribers, func(o *subscriber) bool { return o == s })
	}
}

// Sync returns when the image shows all that had been written, by anybody, when it
// was called, and subscribers have been told.
func (f *Follower) Sync(ctx context.Context) error {
	if err := f.cfg.Coordinator.Sync(ctx); err != nil {
		return err
	}
	// Events of what was written have arrived before the answer, see Coordinator.Listen.
	b := barrier{done: make(chan struct{})}
	f.mu.Lock()
	b.generation = f.generation
	f.generation++
	f.barriers = append(f.barriers, b)
	f.mu.Unlock()
	f.signal()
	select {
	case <-b.done:
		return nil
	case <-f.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Wait returns when an image satisfies the predicate.
func (f *Follower) Wait(ctx context.Context, predicate func(*Image) bool) error {
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if predicate(f.Image()) {
			return nil
		}
		select {
		case <-changed:
		case <-f.done:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// event is called by the Coordinator, and must not block.
func (f *Follower) event(e Event) {
	f.mu.Lock()
	switch {
	case e.Path != "":
		f.markLocked(e.Path, mark{generation: f.generation})
	case e.State == Connected:
		// Whether the session was kept or not, no watch was. This is told before
		// the answer of any Sync on the new connection, whose barrier thus waits.
		f.reload = true
	}
	f.mu.Unlock()
	f.signal()
}

// markLocked has a path read, if it is one that the image is made of. The older of two
// marks stays.
func (f *Follower) markLocked(path string, m mark) {
	if old, ok := f.dirty[path]; ok {
		m.generation = min(m.generation, old.generation)
		m.fresh = m.fresh && old.fresh
	}
	f.dirty[path] = m
}

func (f *Follower) signal() {
	select {
	case f.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run is the loop: rounds of reading all that is dirty, publishing, and telling.
func (f *Follower) run(ctx context.Context) {
	defer close(f.done)
	for range f.wake {
		for {
			more, err := f.round(ctx)
			if ctx.Err() != nil || errors.Is(err, ErrClosed) {
				return
			}
			if err != nil {
				f.cfg.Logger.Warn("metadata could not be read, trying again", zap.Error(err))
				f.pause(ctx)
				continue
			}
			if !more {
				break
			}
		}
	}
}

func (f *Follower) pause(ctx context.Context) {
	select {
	case <-time.After(f.cfg.RetryAfter):
	case <-ctx.Done():
	}
}

// round reads what is dirty once. more tells whether there is something dirty
// already again.
func (f *Follower) round(ctx context.Context) (more bool, err error) {
	f.mu.Lock()
	reload := f.reload
	f.reload = false
	f.mu.Unlock()

	b := newBuilder(f.Image(), f.cfg)
	b.changeSeen, b.aclSeen = f.changeSeen, f.aclSeen
	if reload {
		if err := f.reloadAll(ctx, b); err != nil {
			f.mu.Lock()
			f.reload = true
			f.mu.Unlock()
			return false, err
		}
	}

	f.mu.Lock()
	work := f.dirty
	f.dirty = make(map[string]mark, len(work)/4)
	f.mu.Unlock()

	replies := f.readAll(ctx, work)
	for _, r := range replies {
		if r.err != nil {
			err = r.err
			b.again(r)
			continue
		}
		b.apply(r)
	}
	f.changeSeen = b.changeSeen
	return f.publish(b), err
}

// publish makes what was built the image, and tells.
func (f *Follower) publish(b *builder) (more bool) {
	before := f.Image()
	after := b.finish()
	delta := b.touched.delta(before, after)

	f.mu.Lock()
	for path, m := range b.marks {
		f.markLocked(path, m)
	}
	if !delta.empty() {
		f.image.Store(after)
		close(f.changed)
		f.changed = make(chan struct{})
	} else {
		after = before
	}
	subscribers := slices.Clone(f.subscribers)
	f.mu.Unlock()

	for _, s := range subscribers {
		f.tell(s, delta, after)
	}
	return f.passBarriers()
}

func (f *Follower) tell(s *subscriber, delta *Delta, image *Image) {
	f.mu.Lock()
	gone := s.gone
	f.mu.Unlock()
	switch {
	case gone:
	case s.fresh:
		s.fresh = false
		s.f(everything(image).delta(emptyImage(), image))
	case !delta.empty():
		s.f(delta)
	}
}

// passBarriers lets those go whose marks have all been read, and what they led to.
func (f *Follower) passBarriers() (more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	oldest := f.generation
	for _, m := range f.dirty {
		oldest = min(oldest, m.generation)
	}
	if f.reload {
		oldest = 0
	}
	f.barriers = slices.DeleteFunc(f.barriers, func(b barrier) bool {
		if b.generation >= oldest && (len(f.dirty) > 0 || f.reload) {
			return false
		}
		close(b.done)
		return true
	})
	return len(f.dirty) > 0 || f.reload
}
