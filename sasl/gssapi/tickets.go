package gssapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holt/sasl"
)

// TicketsConfig is a long-running client's.
type TicketsConfig struct {
	Credentials
	// Wanted says whether a ticket is to be renewed when its time has come; nil means yes. One that is not is
	// forgotten.
	Wanted func(service string) bool
	// Failed, unless nil, is told when the first attempt to renew a ticket fails, and until when the present one is
	// good. Failures that Begin returns it is not told of.
	Failed func(service string, until time.Time, err error)
}

// Tickets keeps the tickets of a client that logs in now and then, at several services.
type Tickets struct {
	cfg TicketsConfig
	ask func(ctx context.Context, service string) (ticket, error)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
	kick   chan struct{} // holds a token when the goroutine is to look what is due

	mu   sync.Mutex
	kept map[string]*kept // guarded by mu, by service
}

// kept is what there is for a service. Its zero value is due at once.
type kept struct {
	ticket   ticket // the zero value, if there was none
	since    time.Time
	err      error         // of the last attempt; nil if it succeeded, or there was none
	failures int           // since the last success
	due      time.Time     // when the KDC is to be asked
	waiting  chan struct{} // closed when the next attempt has ended; nil if nobody waits
}

const (
	// unreachableMax and refusedMax bound the pauses after failures. Who asks too often with a stale key may
	// find its principal locked.
	pauseMin       = time.Second
	unreachableMax = 5 * time.Second
	refusedMax     = time.Minute
	// refusedAge is how old a ticket has to be for a new one to be asked for when the service refused it.
	refusedAge = time.Minute
)

// NewTickets starts with none. It fails if the credentials are of no use (Credentials.Check); whether there is a KDC does
// not matter yet. The owner calls Close.
func NewTickets(cfg TicketsConfig) (*Tickets, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	t := newTickets(cfg, cfg.ticket)
	go t.run()
	return t, nil
}

func newTickets(cfg TicketsConfig, ask func(context.Context, string) (ticket, error)) *Tickets {
	t := &Tickets{cfg: cfg, ask: ask, done: make(chan struct{}), kick: make(chan struct{}, 1), kept: map[string]*kept{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Close gives up what is under way, and has Begin fail. With a KDC that took a connection and is silent it takes up to
// fifteen seconds.
func (t *Tickets) Close() {
	t.cancel()
	<-t.done
}

var errClosed = errors.New("this client is stopping")

// Begin makes the client's side of a login at the service, as zkquorum/host. Where there is no good ticket it waits for the
// KDC until ctx ends; the KDC's answer is kept then, for the next one.
//
// If the service refuses the login, Refused is to be called on what was returned: its key may be another by now.
func (t *Tickets) Begin(ctx context.Context, service string) (*Initiation, error) {
	for waited := false; ; waited = true {
		c, wait, err := t.look(service, waited)
		switch {
		case err != nil:
			return nil, err
		case c != nil:
			return c, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, fmt.Errorf("ticket for %s: no answer of the KDC yet: %w", service, context.Cause(ctx))
		case <-t.ctx.Done():
			return nil, errClosed
		}
	}
}

// look returns a login by the ticket for a service, why there is none, or what to wait for.
func (t *Tickets) look(service string, waited bool) (*Initiation, <-chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kept[service]
	if k == nil {
		k = &kept{}
		t.kept[service] = k
	}
	now := time.Now()
	switch {
	case now.Before(k.ticket.end):
		side, err := newInitiation(k.ticket, true)
		if err != nil {
			return nil, nil, err
		}
		return &Initiation{initiation: side, tickets: t, service: service}, nil, nil
	case k.err != nil && (waited || now.Before(k.due)):
		return nil, nil, k.err
	case k.waiting == nil:
		k.waiting = make(chan struct{})
		t.kickLocked()
	}
	return nil, k.waiting, nil
}

func (t *Tickets) kickLocked() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// run asks the KDC, for one service after the other.
func (t *Tickets) run() {
	defer close(t.done)
	for t.ctx.Err() == nil {
		service, pause := t.next()
		if service != "" {
			t.renew(service)
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-t.kick:
		case <-t.ctx.Done():
		}
		timer.Stop()
	}
}

// next returns a service for which the KDC is to be asked now, first one that is waited for, or how long there is none.
func (t *Tickets) next() (due string, pause time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, pause := time.Now(), time.Hour
	for service, k := range t.kept {
		switch left := k.due.Sub(now); {
		case left > 0:
			pause = min(pause, left)
		case k.waiting != nil:
			return service, 0
		case t.cfg.Wanted != nil && !t.cfg.Wanted(service):
			delete(t.kept, service)
		default:
			due = service
		}
	}
	return due, pause
}

func (t *Tickets) renew(service string) {
	got, err := t.ask(t.ctx, service)
	t.mu.Lock()
	k, now := t.kept[service], time.Now()
	until := k.ticket.end
	if err == nil && !now.Before(got.end) {
		err = fmt.Errorf("ticket for %s: it ended at %s already; set the clocks of this host and of the KDC right", service, got.end.Format(time.RFC3339))
	}
	if k.err = err; err == nil {
		k.ticket, k.since, k.failures = got, now, 0
		k.due = now.Add(max(got.end.Sub(now)*4/5, pauseMin))
	} else {
		k.failures++
		k.due = now.Add(pauseAfter(k.failures, err))
	}
	first := k.failures == 1
	if k.waiting != nil {
		close(k.waiting)
		k.waiting = nil
	}
	t.mu.Unlock()
	if first && now.Before(until) && t.cfg.Failed != nil && t.ctx.Err() == nil {
		t.cfg.Failed(service, until, err)
	}
}

func pauseAfter(failures int, err error) time.Duration {
	limit := refusedMax
	if errors.Is(err, errUnreachable) {
		limit = unreachableMax
	}
	return min(pauseMin<<min(failures-1, 10), limit)
}

// Initiation is the client's side of one login, by a ticket of Tickets.
type Initiation struct {
	*initiation
	tickets *Tickets
	service string
}

var _ sasl.Client = (*Initiation)(nil)

// Refused says that the service did not take the login. Unless the ticket is a new one another is asked for, since the
// service may have a new key; the present one stays until then.
func (c *Initiation) Refused() {
	t := c.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if k := t.kept[c.service]; k != nil && k.err == nil && now.Sub(k.since) > refusedAge {
		k.due = now
		t.kickLocked()
	}
}
