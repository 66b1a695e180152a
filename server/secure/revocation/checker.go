package revocation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Options of a Checker.
type Options struct {
	// OCSP asks responders first; without it lists alone are asked.
	OCSP bool
	// Patience bounds one Check; default 8 s, which is within the 10 s of a handshake.
	Patience time.Duration

	now   func() time.Time // tests
	limit limits           // tests
}

// patience is also what a handshake waits for at most.
const patience = 8 * time.Second

// skew is how far clocks may be apart (Java: RevocationChecker.MAX_CLOCK_SKEW).
const skew = 15 * time.Minute

// chainsMax bounds the ways to an authority that are looked at.
const chainsMax = 4

// Checker asks, and remembers what it was told. The zero value is not ready: use New.
type Checker struct {
	opts    Options
	fetch   *fetcher
	lists   *cache[*list]
	answers *cache[*answer]
	stats   counters
}

// Stats counts since the Checker was made.
type Stats struct {
	// Revoked and Undetermined are the checks that refused, Passed those that did not.
	Passed, Revoked, Undetermined int64
	// Downloads are requests to authorities, Failed those that brought nothing of use.
	Downloads, Failed int64
}

type counters struct{ passed, revoked, undetermined, downloads, failed atomic.Int64 }

// New makes a Checker, which needs no closing.
func New(o Options) *Checker {
	o.Patience = cmp.Or(o.Patience, patience)
	if o.now == nil {
		o.now = time.Now
	}
	c := &Checker{opts: o, lists: newCache[*list](listsMax, listsBytesMax, o.now), answers: newCache[*answer](answersMax, 0, o.now)}
	c.fetch = newFetcher(o.limit, &c.stats, o.now)
	return c
}

// Stats is what was counted so far.
func (c *Checker) Stats() Stats {
	s := &c.stats
	return Stats{Passed: s.passed.Load(), Revoked: s.revoked.Load(), Undetermined: s.undetermined.Load(), Downloads: s.downloads.Load(), Failed: s.failed.Load()}
}

// Check wants one of the verified chains, each from a peer's certificate up to a trusted one, to
// have no revoked certificate. The error is an *Error. A chain of one certificate is that of a peer
// that is trusted itself: nobody is asked about it. Check waits for the network, for no longer
// than Patience, and ends with ctx.
func (c *Checker) Check(ctx context.Context, chains [][]*x509.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Patience)
	defer cancel()
	// Of several ways Java takes the shortest: what the operator trusts ends a chain.
	chains = slices.SortedStableFunc(slices.Values(chains), func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	var first *Error
	for _, chain := range chains[:min(len(chains), chainsMax)] {
		err := c.chain(ctx, chain)
		if err == nil {
			c.stats.passed.Add(1)
			return nil
		}
		if first == nil {
			first = err
		}
	}
	switch {
	case first == nil:
		return errors.New("no verified chain of certificates") // callers verify before
	case first.Revoked != nil:
		c.stats.revoked.Add(1)
	default:
		c.stats.undetermined.Add(1)
	}
	return first
}

// chain goes from the top down: nobody is asked at an address that a revoked authority gives.
func (c *Checker) chain(ctx context.Context, chain []*x509.Certificate) *Error {
	for i := len(chain) - 2; i >= 0; i-- {
		by := issuer{cert: chain[i+1], trusted: i+1 == len(chain)-1}
		if err := c.one(ctx, chain[i], by); err != nil {
			return err
		}
	}
	return nil
}

// issuer is the certificate above the one that is asked about.
type issuer struct {
	cert    *x509.Certificate
	trusted bool // it is in the trust store
}

// id is that of name and key: the same authority may have several certificates.
func (i issuer) id() string {
	h := sha256.New()
	h.Write(i.cert.RawSubject)
	h.Write(i.cert.RawSubjectPublicKeyInfo)
	return string(h.Sum(nil))
}

// one asks about one certificate.
func (c *Checker) one(ctx context.Context, cert *x509.Certificate, by issuer) *Error {
	var causes []error
	if c.opts.OCSP {
		revoked, err := c.askResponder(ctx, cert, by)
		if revoked != nil {
			return &Error{Cert: cert, Revoked: revoked}
		}
		if err == nil {
			return nil
		}
		causes = append(causes, err)
	}
	revoked, err := c.askLists(ctx, cert, by)
	if revoked != nil {
		return &Error{Cert: cert, Revoked: revoked}
	}
	if err != nil {
		return &Error{Cert: cert, causes: append(causes, err), ocsp: c.opts.OCSP}
	}
	return nil
}

// askLists takes the first of the certificate's lists that can be had and is about it.
func (c *Checker) askLists(ctx context.Context, cert *x509.Certificate, by issuer) (*Revocation, error) {
	if len(cert.CRLDistributionPoints) == 0 {
		return nil, errNoList
	}
	var errs []error
	for _, url := range cert.CRLDistributionPoints[:min(len(cert.CRLDistributionPoints), addressesMax)] {
		l, err := c.lists.get(ctx, url+by.id(), func(old *list) (*list, error) { return c.fetchList(ctx, url, by, old) })
		if err == nil {
			err = l.covers(cert)
		}
		if err == nil {
			return l.find(cert, url), nil
		}
		errs = append(errs, fmt.Errorf("CRL %s: %w", shorten(url), err))
	}
	return nil, errors.Join(errs...)
}

func (c *Checker) fetchList(ctx context.Context, url string, by issuer, old *list) (*list, error) {
	var seen validators
	if old != nil {
		seen = old.seen
	}
	got, err := c.fetch.list(ctx, url, seen)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(got.body)
	if got.same || old != nil && sum == old.sum { // not every server knows conditions
		return old, old.current(c.opts.now())
	}
	l, err := parseList(got.body, by)
	if err != nil {
		return nil, err
	}
	if old != nil && l.from.Before(old.from) {
		return old, old.current(c.opts.now()) // a list from before, which anybody on the way can send
	}
	l.seen, l.sum = got.seen, sum
	return l, l.current(c.opts.now())
}

// shorten is for an address in a line of the log.
func shorten(url string) string {
	const most = 200
	if len(url) > most {
		return url[:most] + "..."
	}
	return url
}
