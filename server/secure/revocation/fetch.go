package revocation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// limits of downloads. The zero value has the defaults.
type limits struct {
	list, answer int64         // bytes; default 16 MiB and 64 KiB
	wait         time.Duration // of one download; default 4 s, at most half of the time left
}

const (
	listMax      = 16 << 20
	answerMax    = 64 << 10
	downloadWait = 4 * time.Second
	connectWait  = 3 * time.Second
	redirectsMax = 3
	// downloadsMax bounds the downloads under way; others wait for their turn.
	downloadsMax = 16
	// addressesMax bounds the addresses of one certificate that are tried.
	addressesMax = 4
	// downFor is how long a host that could not be reached is not tried for anything else: a
	// responder that is gone must not cost each of a thousand certificates the time that their lists need.
	downFor  = 5 * time.Second
	hostsMax = 64
)

var errDown = errors.New("its host could not be reached a moment ago")

// fetcher makes requests by HTTP.
type fetcher struct {
	client *http.Client
	turns  chan struct{}
	limit  limits
	stats  *counters
	now    func() time.Time

	mu   sync.Mutex
	down map[string]time.Time // by host and port: when it was last found so
}

// validators are by what a server recognises that its list has not changed.
type validators struct{ etag, modified string }

// fetched is a list as it was sent.
type fetched struct {
	body []byte
	seen validators
	same bool // as what seen was given for; no body
}

func newFetcher(l limits, stats *counters, now func() time.Time) *fetcher {
	l.list = cmp.Or(l.list, listMax)
	l.answer = cmp.Or(l.answer, answerMax)
	l.wait = cmp.Or(l.wait, downloadWait)
	f := &fetcher{turns: make(chan struct{}, downloadsMax), limit: l, stats: stats, now: now, down: map[string]time.Time{}}
	f.client = &http.Client{
		// Requests are rare: connections are not kept, so that none is left over.
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: connectWait}).DialContext,
			TLSHandshakeTimeout:    connectWait,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > redirectsMax {
				return errors.New("too many redirects")
			}
			return checkScheme(r.URL)
		},
	}
	return f
}

func checkScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("not an address of http or https")
	}
	return nil
}

// list downloads a CRL, unless the server says that it is the one of seen.
func (f *fetcher) list(ctx context.Context, address string, seen validators) (fetched, error) {
	header := http.Header{}
	if seen.etag != "" {
		header.Set("If-None-Match", seen.etag)
	}
	if seen.modified != "" {
		header.Set("If-Modified-Since", seen.modified)
	}
	return f.do(ctx, request{method: http.MethodGet, address: address, header: header, most: f.limit.list})
}

// ask sends a question to an OCSP responder.
func (f *fetcher) ask(ctx context.Context, address string, question []byte) ([]byte, error) {
	header := http.Header{"Content-Type": {"application/ocsp-request"}, "Accept": {"application/ocsp-response"}}
	got, err := f.do(ctx, request{method: http.MethodPost, address: address, header: header, body: question, most: f.limit.answer})
	return got.body, err
}

type request struct {
	method, address string
	header          http.Header
	body            []byte
	most            int64 // bytes of the answer
}

// do waits for a turn and makes the request.
func (f *fetcher) do(ctx context.Context, r request) (fetched, error) {
	u, err := url.Parse(r.address)
	if err != nil {
		return fetched{}, errors.New("not an address")
	}
	if err := checkScheme(u); err != nil {
		return fetched{}, err
	}
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return fetched{}, errPatience
	}
	if f.isDown(u.Host) {
		return fetched{}, errDown
	}
	f.stats.downloads.Add(1)
	wait := f.limit.wait
	if end, ok := ctx.Deadline(); ok {
		// Half of the time left: the rest is for another address, and a host that does not answer is found out
		// and left alone, however short the time is. Otherwise each handshake would wait for it anew.
		wait = min(wait, time.Until(end)/2)
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	got, err := f.send(limited, r)
	if err == nil {
		return got, nil
	}
	f.stats.failed.Add(1)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the address is named by the caller
	}
	var network net.Error
	switch {
	case ctx.Err() != nil:
		err = errPatience // which says nothing of the host
	case errors.Is(err, context.DeadlineExceeded):
		f.setDown(u.Host)
		err = fmt.Errorf("no answer within %v", wait.Round(time.Millisecond))
	case errors.As(err, &network):
		f.setDown(u.Host)
	}
	return fetched{}, err
}

func (f *fetcher) isDown(host string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, ok := f.down[host]
	if ok && f.now().Sub(since) >= downFor {
		delete(f.down, host)
		return false
	}
	return ok
}

func (f *fetcher) setDown(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.down) >= hostsMax {
		clear(f.down) // they are tried again, no more
	}
	f.down[host] = f.now()
}

func (f *fetcher) send(ctx context.Context, r request) (got fetched, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.address, bytes.NewReader(r.body))
	if err != nil {
		return got, err
	}
	req.Header = r.header
	req.Header.Set("User-Agent", "holt")
	resp, err := f.client.Do(req)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close() // it was read, or is of no use
	conditional := r.header.Get("If-None-Match") != "" || r.header.Get("If-Modified-Since") != ""
	if resp.StatusCode == http.StatusNotModified && conditional {
		return fetched{same: true}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return got, fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	tooLarge := fmt.Errorf("larger than %d bytes", r.most)
	if resp.ContentLength > r.most {
		return got, tooLarge
	}
	got.body, err = io.ReadAll(io.LimitReader(resp.Body, r.most+1))
	if err != nil {
		return got, err
	}
	if int64(len(got.body)) > r.most {
		return got, tooLarge
	}
	got.seen = validators{etag: resp.Header.Get("ETag"), modified: resp.Header.Get("Last-Modified")}
	return got, nil
}
