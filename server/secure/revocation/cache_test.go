package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"holt/server/secure/revocation"
	"holt/server/secure/securetest"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) read() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// TestRecheck asks again after half a minute and not before: a revocation is seen then. What could be had is
// good for longer if nothing newer can be.
func TestRecheck(t *testing.T) {
	for _, responder := range []bool{false, true} {
		t.Run(fmt.Sprintf("OCSP %v", responder), func(t *testing.T) {
			ca := securetest.New(t, "ours")
			p := ca.Publish(t)
			leaf := ca.Issue(t, p.Template("client")).Cert
			now := newClock()
			c := revocation.New(revocation.Options{OCSP: responder}.WithNow(now.read))
			asked := func(want int) {
				t.Helper()
				lists, answers := p.Asked()
				if n := lists + answers; n != want {
					t.Errorf("asked %d times, want %d", n, want)
				}
			}
			good := func() {
				t.Helper()
				if err := check(c, leaf, ca.Cert); err != nil {
					t.Error(err)
				}
			}
			good()
			now.pass(revocation.Recheck - time.Second)
			good()
			asked(1)
			now.pass(time.Second)
			good()
			asked(2)

			p.Instead(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			now.pass(revocation.Recheck)
			good()
			before := c.Stats().Failed
			good() // it was tried just now
			if got := c.Stats().Failed; got != before {
				t.Errorf("%d failed downloads, then %d", before, got)
			}
			now.pass(time.Hour + revocation.Skew)
			refused(t, check(c, leaf, ca.Cert), false, "HTTP status 503")

			p.Instead(nil)
			p.ChangeList(func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(5 * time.Hour) })
			refused(t, check(c, leaf, ca.Cert), false, "HTTP status 503") // not asked again yet
			if responder {
				return // its answers are of the real time
			}
			now.pass(revocation.Recheck)
			good()
			p.Revoke(leaf)
			good()
			now.pass(revocation.Recheck)
			refused(t, check(c, leaf, ca.Cert), true)
		})
	}
}

// TestUnchanged asks for a list on condition, and takes what has not changed for as long as it is good.
func TestUnchanged(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	leaf := ca.Issue(t, p.Template("client")).Cert
	list := p.List()
	var seen []string
	p.Instead(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("If-None-Match")+" "+r.Header.Get("If-Modified-Since"))
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"7"`)
		w.Header().Set("Last-Modified", "Wed, 25 Nov 2026 10:00:00 GMT")
		say(w, string(list))
	})
	now := newClock()
	c := revocation.New(revocation.Options{}.WithNow(now.read))
	for range 2 {
		if err := check(c, leaf, ca.Cert); err != nil {
			t.Fatal(err)
		}
		now.pass(revocation.Recheck)
	}
	if len(seen) != 2 || seen[0] != " " || seen[1] != `"7" Wed, 25 Nov 2026 10:00:00 GMT` {
		t.Errorf("conditions %q", seen)
	}
	now.pass(time.Hour + revocation.Skew)
	refused(t, check(c, leaf, ca.Cert), false, "out of date")
}

// TestOlderList is sent by somebody on the way who has kept a list from before the revocation.
func TestOlderList(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	leaf := ca.Issue(t, p.Template("client")).Cert
	p.ChangeList(func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(-10 * time.Minute) })
	kept := p.List()
	p.ChangeList(nil)
	p.Revoke(leaf)
	now := newClock()
	c := revocation.New(revocation.Options{}.WithNow(now.read))
	refused(t, check(c, leaf, ca.Cert), true)
	p.Instead(func(w http.ResponseWriter, _ *http.Request) { say(w, string(kept)) })
	now.pass(revocation.Recheck)
	refused(t, check(c, leaf, ca.Cert), true)
}

// TestTogether has many handshakes wait for one download, and for no longer than their own patience.
func TestTogether(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	leaf := ca.Issue(t, p.Template("client")).Cert
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	p.Instead(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		say(w, string(p.List()))
	})
	c := revocation.New(revocation.Options{Patience: time.Minute}.WithLimits(0, 0, time.Minute))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := check(c, leaf, ca.Cert); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	// One that gives up meanwhile takes nobody's download along.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Check(ctx, []certs{{leaf, ca.Cert}})
	refused(t, err, false, "no time was left")
	close(release)
	wg.Wait()
	if lists, _ := p.Asked(); lists != 1 {
		t.Errorf("%d downloads", lists)
	}
}

// TestGivenUp is about one who downloads and gives up: that says nothing of the address, and the next one asks.
func TestGivenUp(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	leaf := ca.Issue(t, p.Template("client")).Cert
	ctx, cancel := context.WithCancel(t.Context())
	p.Instead(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	c := revocation.New(revocation.Options{})
	refused(t, c.Check(ctx, []certs{{leaf, ca.Cert}}), false, "no time was left")
	p.Instead(nil)
	if err := check(c, leaf, ca.Cert); err != nil {
		t.Error(err)
	}
}

// TestShortPatience is shorter than a silent responder's time: there is some left for the list, and the next handshake does not
// wait for the responder again. Nor does one that has an old list wait for a newer one for ever.
func TestShortPatience(t *testing.T) {
	ca := securetest.New(t, "ours")
	p, silent := ca.Publish(t), ca.Publish(t)
	silent.Instead(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees the client go only after that
		<-r.Context().Done()
	})
	template := p.Template("client")
	template.OCSPServer = []string{silent.OCSP()}
	leaf := ca.Issue(t, template).Cert
	now := newClock()
	c := revocation.New(revocation.Options{OCSP: true, Patience: time.Second}.WithNow(now.read))
	for range 3 {
		if err := check(c, leaf, ca.Cert); err != nil {
			t.Fatal(err)
		}
	}
	if _, answers := silent.Asked(); answers != 1 {
		t.Errorf("the silent responder was asked %d times", answers)
	}
	now.pass(revocation.Recheck)
	p.Instead(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for range 3 {
		if err := check(c, leaf, ca.Cert); err != nil {
			t.Fatal(err)
		}
	}
	if lists, _ := p.Asked(); lists != 2 {
		t.Errorf("the silent publisher was asked %d times for its list", lists)
	}
	alone := revocation.New(revocation.Options{Patience: 20 * time.Millisecond})
	refused(t, check(alone, leaf, ca.Cert), false, "no answer within")
}

// TestBounded shows many addresses: not all are remembered.
func TestBounded(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	c := revocation.New(revocation.Options{})
	for i := range revocation.ListsMax + 10 {
		template := p.Template("client")
		template.CRLDistributionPoints = []string{fmt.Sprintf("%s?%d", p.CRL(), i)}
		if err := check(c, ca.Issue(t, template).Cert, ca.Cert); err != nil {
			t.Fatal(err)
		}
	}
	lists, _, bytes := c.Cached()
	if one := bytes / lists; lists != revocation.ListsMax || one < 100 || one > 1000 {
		t.Errorf("%d lists of %d bytes", lists, bytes)
	}
}

// TestSlowRenewal holds up the one handshake that asks again, not the others, as long as the old list is good.
func TestSlowRenewal(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	leaf := ca.Issue(t, p.Template("client")).Cert
	now := newClock()
	c := revocation.New(revocation.Options{Patience: time.Minute}.WithNow(now.read).WithLimits(0, 0, time.Minute))
	if err := check(c, leaf, ca.Cert); err != nil {
		t.Fatal(err)
	}
	now.pass(revocation.Recheck)
	p.Revoke(leaf)
	arrived, release := make(chan struct{}), make(chan struct{})
	p.Instead(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		say(w, string(p.List()))
	})
	asks := make(chan error, 1)
	go func() { asks <- check(c, leaf, ca.Cert) }()
	<-arrived
	if err := check(c, leaf, ca.Cert); err != nil {
		t.Errorf("while another asks: %v", err)
	}
	close(release)
	refused(t, <-asks, true)
	refused(t, check(c, leaf, ca.Cert), true)
}

// TestHostIsDown has many certificates name a responder that nobody can reach: one of them is told so by the network,
// the others at once, and their list decides.
func TestHostIsDown(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	now := newClock()
	c := revocation.New(revocation.Options{OCSP: true}.WithNow(now.read))
	gone := securetest.Nowhere(t)
	visit := func() {
		t.Helper()
		template := p.Template("client")
		template.OCSPServer = []string{gone}
		if err := check(c, ca.Issue(t, template).Cert, ca.Cert); err != nil {
			t.Error(err)
		}
	}
	for range 20 {
		visit()
	}
	if s := c.Stats(); s.Downloads != 2 || s.Failed != 1 {
		t.Errorf("the responder and the list were asked like this: %+v", s)
	}
	now.pass(revocation.DownFor)
	visit()
	if s := c.Stats(); s.Failed != 2 {
		t.Errorf("not tried again: %+v", s)
	}
}

// BenchmarkCheck is a handshake's part when the list is there.
func BenchmarkCheck(b *testing.B) {
	ca := securetest.New(b, "ours")
	p := ca.Publish(b)
	for range 1000 {
		p.Revoke(&x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano())})
	}
	chains := []certs{{ca.Issue(b, p.Template("client")).Cert, ca.Cert}}
	c := revocation.New(revocation.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Check(context.Background(), chains); err != nil {
			b.Fatal(err)
		}
	}
}
