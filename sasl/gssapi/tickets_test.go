package gssapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// office is a KDC that tests open and close, for Tickets.
type office struct {
	kdc *kdc

	mu    sync.Mutex
	err   error         // what it answers, if not a ticket
	slow  time.Duration // how long it takes
	asked map[string]int
}

func (o *office) ask(ctx context.Context, service string) (ticket, error) {
	o.mu.Lock()
	o.asked[service]++
	slow, err := o.slow, o.err
	o.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return ticket{}, ctx.Err()
	}
	if err != nil {
		return ticket{}, err
	}
	t := o.kdc.ticket(order{name: "zkquorum/a"})
	t.end = time.Now().Add(10 * time.Hour)
	return t, nil
}

func (o *office) be(err error, slow time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.slow = err, slow
}

// times is how often it was asked for a service since the last call.
func (o *office) times(service string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.asked[service]
	o.asked[service] = 0
	return n
}

// inOffice runs a test of Tickets in a bubble.
func inOffice(t *testing.T, cfg TicketsConfig, test func(t *testing.T, o *office, tickets *Tickets)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &office{kdc: newKDC(t), asked: map[string]int{}}
		tickets := newTickets(cfg, o.ask)
		go tickets.run()
		defer tickets.Close()
		test(t, o, tickets)
	})
}

// begin says whether there is a login within a second, and why not.
func begin(t *testing.T, tickets *Tickets, service string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c, err := tickets.Begin(ctx, service)
	if err == nil {
		if token, _, err := c.Step(nil); err != nil || !Initial(token) {
			t.Errorf("first token %q, %v", token, err)
		}
	}
	return err
}

// TestTicketsAreKept: the KDC is asked once, and again when four fifths of the ticket's life are over, whether there is a
// login then or not. When it is away nobody notices until the end, and it says so once; then logins fail, and go on when
// it is back.
func TestTicketsAreKept(t *testing.T) {
	var told []string
	failed := func(service string, until time.Time, err error) {
		told = append(told, fmt.Sprintf("%s for %v: %v", service, time.Until(until), err))
	}
	inOffice(t, TicketsConfig{Failed: failed}, func(t *testing.T, o *office, tickets *Tickets) {
		for range 3 {
			if err := begin(t, tickets, "s/b"); err != nil {
				t.Fatal(err)
			}
		}
		if n := o.times("s/b"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(8*time.Hour - time.Second)
		if n := o.times("s/b"); n != 0 {
			t.Errorf("asked %d times before it was due", n)
		}
		time.Sleep(2 * time.Second)
		if n := o.times("s/b"); n != 1 {
			t.Errorf("renewed %d times", n)
		}

		o.be(errUnreachable, 0)
		for range 9 {
			time.Sleep(time.Hour)
			if err := begin(t, tickets, "s/b"); err != nil {
				t.Fatal(err)
			}
		}
		if want := "s/b for 2h0m0s: " + errUnreachable.Error(); len(told) != 1 || told[0] != want {
			t.Errorf("told %q, want %q", told, want)
		}
		time.Sleep(time.Hour)
		if err := begin(t, tickets, "s/b"); !errors.Is(err, errUnreachable) {
			t.Errorf("after the end: %v", err)
		}
		o.be(nil, 0)
		time.Sleep(unreachableMax)
		if err := begin(t, tickets, "s/b"); err != nil || len(told) != 1 {
			t.Errorf("when the KDC is back: %v, told %q", err, told)
		}
	})
}

// TestTicketsOfASlowKDC: who asks waits no longer than its context, several wait for one answer, and that is kept.
func TestTicketsOfASlowKDC(t *testing.T) {
	inOffice(t, TicketsConfig{}, func(t *testing.T, o *office, tickets *Tickets) {
		o.be(nil, 1500*time.Millisecond)
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := begin(t, tickets, "s/b"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ticket for s/b") {
					t.Errorf("impatient: %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
		for range 3 {
			if err := begin(t, tickets, "s/b"); err != nil {
				t.Error(err)
			}
		}
		if took, n := time.Since(start), o.times("s/b"); took != 1500*time.Millisecond || n != 1 {
			t.Errorf("it took %v, asked %d times", took, n)
		}
		o.be(errors.New("no"), 500*time.Millisecond)
		if err := begin(t, tickets, "s/c"); err == nil || err.Error() != "no" {
			t.Errorf("a slow no: %v", err)
		}
	})
}

// TestTicketsPause bounds how often a KDC is asked that cannot be reached, or says no, by somebody who tries four times a
// second.
func TestTicketsPause(t *testing.T) {
	for _, tt := range []struct {
		err      error
		min, max int
	}{
		{errUnreachable, 115, 125}, // within ten minutes
		{errors.New("no"), 12, 18},
	} {
		inOffice(t, TicketsConfig{}, func(t *testing.T, o *office, tickets *Tickets) {
			o.be(tt.err, 0)
			for start := time.Now(); time.Since(start) < 10*time.Minute; time.Sleep(250 * time.Millisecond) {
				if err := begin(t, tickets, "s/b"); !errors.Is(err, tt.err) {
					t.Fatal(err)
				}
			}
			if n := o.times("s/b"); n < tt.min || n > tt.max {
				t.Errorf("%v: asked %d times", tt.err, n)
			}
			o.be(nil, 0)
			time.Sleep(refusedMax)
			if err := begin(t, tickets, "s/b"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTicketsNotWanted: those of members that have left are not renewed, and not kept.
func TestTicketsNotWanted(t *testing.T) {
	wanted := map[string]bool{"s/b": true}
	cfg := TicketsConfig{Wanted: func(service string) bool { return wanted[service] }}
	inOffice(t, cfg, func(t *testing.T, o *office, tickets *Tickets) {
		for _, service := range []string{"s/b", "s/c"} { // the latter may be a member that this one does not know yet
			if err := begin(t, tickets, service); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(9 * time.Hour)
		synctest.Wait()
		if b, c := o.times("s/b"), o.times("s/c"); b != 2 || c != 1 || !slices.Equal(slices.Collect(maps.Keys(tickets.kept)), []string{"s/b"}) {
			t.Errorf("asked %d times for the one, %d for the other; kept %v", b, c, tickets.kept)
		}
	})
}

// TestTicketsRefused: a service that refuses a ticket may have a new key; one that refuses each is not a reason to ask
// more than once a minute.
func TestTicketsRefused(t *testing.T) {
	inOffice(t, TicketsConfig{}, func(t *testing.T, o *office, tickets *Tickets) {
		refused := func() {
			t.Helper()
			c, err := tickets.Begin(t.Context(), "s/b")
			if err != nil {
				t.Fatal(err)
			}
			c.Refused()
			synctest.Wait()
		}
		for start := time.Now(); time.Since(start) < 10*time.Minute; time.Sleep(250 * time.Millisecond) {
			refused()
		}
		if n := o.times("s/b"); n < 10 || n > 11 {
			t.Errorf("asked %d times", n)
		}
		o.be(errUnreachable, 0)
		time.Sleep(time.Hour)
		refused()
		refused() // the old one stays
	})
}

func TestTicketsClose(t *testing.T) {
	inOffice(t, TicketsConfig{}, func(t *testing.T, o *office, tickets *Tickets) {
		o.be(nil, time.Hour)
		result := make(chan error)
		go func() { _, err := tickets.Begin(t.Context(), "s/b"); result <- err }()
		synctest.Wait()
		tickets.Close()
		if err := <-result; err == nil {
			t.Error("it goes on")
		}
		if _, err := tickets.Begin(t.Context(), "s/c"); !errors.Is(err, errClosed) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestTicketsOfAnotherTime: by this host's clock the ticket has ended.
func TestTicketsOfAnotherTime(t *testing.T) {
	inOffice(t, TicketsConfig{}, func(t *testing.T, o *office, tickets *Tickets) {
		ask := tickets.ask
		tickets.ask = func(ctx context.Context, service string) (ticket, error) {
			t, err := ask(ctx, service)
			t.end = time.Now().Add(-time.Minute)
			return t, err
		}
		if err := begin(t, tickets, "s/b"); err == nil || !strings.Contains(err.Error(), "clocks") {
			t.Error(err)
		}
	})
}
