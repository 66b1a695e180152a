package revocation

import (
	"crypto/x509"
	"time"
)

// Clock and limits of tests.
func (o Options) WithNow(now func() time.Time) Options { o.now = now; return o }

func (o Options) WithLimits(list, answer int64, wait time.Duration) Options {
	o.limit = limits{list, answer, wait}
	return o
}

const (
	Recheck = recheck
	Skew    = skew
	DownFor = downFor
)

// ReadScope reads the value of the extension and returns the addresses in it.
func ReadScope(der []byte) ([]string, error) {
	s, err := parseScope(der)
	return s.addresses, err
}

// ReadAnswer and ReadList are the parsers.
func ReadAnswer(der []byte, cert, by *x509.Certificate, now time.Time) error {
	_, err := parseAnswer(der, cert, issuer{cert: by, trusted: true}, now)
	return err
}

func ReadList(data []byte, cert, by *x509.Certificate) error {
	l, err := parseList(data, issuer{cert: by, trusted: true})
	if err != nil {
		return err
	}
	if err := l.covers(cert); err != nil {
		return err
	}
	if l.find(cert, "") != nil {
		return errNoList // any error
	}
	return nil
}

// Cached counts lists and answers, and the bytes of lists.
func (c *Checker) Cached() (lists, answers, bytes int) {
	c.lists.mu.Lock()
	defer c.lists.mu.Unlock()
	c.answers.mu.Lock()
	defer c.answers.mu.Unlock()
	return len(c.lists.slots), len(c.answers.slots), c.lists.bytes
}

// ListsMax is the bound of their number.
const ListsMax = listsMax
