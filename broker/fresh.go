package broker

import (
	"context"
	"sync"
	"time"

	"holt/broker/metadata"
)

// shared is an action that callers share: who comes while it is under way waits for its
// end, and who comes within every of its end does not have it done again. So clients
// that ask for what does not exist cost the coordination service little.
type shared struct {
	every time.Duration

	mu      sync.Mutex
	running chan struct{} // closed at the end of what is under way; nil if nothing is
	last    time.Time     // of the last end
}

// do returns when action has run, or ctx ends. An error of action is its own business:
// callers look for themselves what has changed.
func (s *shared) do(ctx context.Context, action func()) {
	s.mu.Lock()
	if s.running == nil && time.Since(s.last) < s.every {
		s.mu.Unlock()
		return
	}
	if running := s.running; running != nil {
		s.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
		}
		return
	}
	done := make(chan struct{})
	s.running = done
	s.mu.Unlock()
	action()
	s.mu.Lock()
	s.running, s.last = nil, time.Now()
	s.mu.Unlock()
	close(done)
}

// applied is the newest image that all parts of the broker go by: the follower's, once
// replicas and coordinators have been told of it. What clients are told comes from it, so
// that a leader that Metadata names serves.
type applied struct {
	mu      sync.Mutex
	image   *metadata.Image
	changed chan struct{} // closed with the next image
	closed  bool
}

func newApplied(image *metadata.Image) *applied {
	return &applied{image: image, changed: make(chan struct{})}
}

func (a *applied) set(image *metadata.Image) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.image = image
	if !a.closed {
		close(a.changed)
		a.changed = make(chan struct{})
	}
}

// close ends all waiting.
func (a *applied) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		close(a.changed)
	}
}

func (a *applied) get() *metadata.Image {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.image
}

// wait returns when an image satisfies the predicate. The error is that of ctx, or
// metadata.ErrClosed.
func (a *applied) wait(ctx context.Context, predicate func(*metadata.Image) bool) error {
	for {
		a.mu.Lock()
		image, changed, closed := a.image, a.changed, a.closed
		a.mu.Unlock()
		if predicate(image) {
			return nil
		}
		if closed {
			return metadata.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
