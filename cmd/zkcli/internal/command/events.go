package command

import (
	"slices"
	"sync"

	"holt/cmd/zkcli/internal/session"
)

// Events hands the events of a session to whoever asked for them before. The zero
// value is ready. Its methods may be called from any goroutine.
type Events struct {
	mu     sync.Mutex
	takers []*taker
}

type taker struct {
	take func(session.Event) bool
}

// Subscribe calls take for each event until cancel is called. An event that take returns
// true for concerns nobody else. take must not block.
func (e *Events) Subscribe(take func(session.Event) bool) (cancel func()) {
	t := &taker{take}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.takers = append(e.takers, t)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.takers = slices.DeleteFunc(slices.Clone(e.takers), func(other *taker) bool { return other == t })
	}
}

// Offer shows an event to the subscribers and tells whether one of them took it.
func (e *Events) Offer(event session.Event) bool {
	e.mu.Lock()
	takers := e.takers
	e.mu.Unlock()
	for _, t := range takers {
		if t.take(event) {
			return true
		}
	}
	return false
}
