package badinput

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
)

// probeBound is how long a probe may wait while others hold the port up.
const probeBound = 5 * time.Second

// slowBound is when a connection that is slow must have been closed: Holt allows 10 s for a header
// and 30 s for the rest.
const slowBound = 45 * time.Second

// operated starts one server with an AdminServer and a metrics page.
func operated(t *testing.T) (*ensemble.Member, ensemble.Kind) {
	t.Helper()
	e := target.Start(t, ensemble.Config{Operators: true, Metrics: true})
	return e.Members()[0], target.Kind(t)
}

// page is a port of HTTP, and a path that is answered there.
type page struct{ name, addr, path string }

func pages(m *ensemble.Member) []page {
	addr := func(url string) string { return strings.SplitN(strings.TrimPrefix(url, "http://"), "/", 2)[0] }
	return []page{{"admin", addr(m.AdminURL()), "/commands/ruok"}, {"metrics", addr(m.MetricsURL()), "/metrics"}}
}

// served asks for the page on a connection of its own.
func (p page) served(t *testing.T) {
	t.Helper()
	client := http.Client{Timeout: probeBound, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + p.addr + p.path)
	if err != nil {
		t.Fatalf("the page is not served beside it: %v", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the page is not served beside it: %s, %v", res.Status, err)
	}
}

// answer sends bytes and returns the status of the answer, 0 if there is none, once the
// connection was closed. It is an error if that does not happen.
func (p page) answer(t *testing.T, said string) int {
	t.Helper()
	r := dialRaw(t, p.addr)
	go func() { _, _ = io.WriteString(r.conn, said) }() // ends with the connection
	in := bufio.NewReader(r.conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("neither answered nor closed")
		}
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestBadHTTP sends what is no request, or one that is too large.
func TestBadHTTP(t *testing.T) {
	m, kind := operated(t)
	beside := newWitness(t, m)
	check := boundedMemory(t, m, kind)
	long := strings.Repeat("x", 10<<20)
	for _, p := range pages(m) {
		for name, tc := range map[string]struct {
			said string
			ok   bool // may be answered with 200
		}{
			"garbage":                       {said: "\x00\x01\x02\xff\xfe garbage\r\n\r\n"},
			"a frame":                       {said: string(frame(connectRequest())) + "\r\n\r\n"},
			"TLS":                           {said: string(record(22, 2000, make([]byte, 2000))) + "\r\n\r\n"},
			"a path of 10 MB":               {said: "GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n"},
			"a header of 10 MB":             {said: "GET " + p.path + " HTTP/1.1\r\nHost: x\r\nX: " + long + "\r\n\r\n"},
			"a million headers":             {said: "GET " + p.path + " HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 1_000_000) + "\r\n"},
			"no host":                       {said: "GET " + p.path + " HTTP/1.1\r\n\r\n", ok: kind == ensemble.ZooKeeper},
			"two lengths":                   {said: "POST " + p.path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"},
			"a length below zero":           {said: "POST " + p.path + " HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"},
			"a length that is none":         {said: "POST " + p.path + " HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n"},
			"chunks that lie":               {said: "POST " + p.path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", ok: kind == ensemble.ZooKeeper},
			"a body of 10 MB to a GET page": {said: "GET " + p.path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10485760\r\n\r\n" + long, ok: true},
			"a command of 64 KB":            {said: "GET /commands/" + long[:8<<10] + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", ok: true},
			"HTTP/2":                        {said: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
			"CONNECT":                       {said: "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\nConnection: close\r\n\r\n"},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				if got := p.answer(t, tc.said); got >= 200 && got < 300 && !tc.ok {
					t.Errorf("answered with %d", got)
				}
				p.served(t)
				beside.served(t)
			})
		}
	}
	check()
}

// TestUnauthenticated asks for what copies or changes everything without credentials, and with
// some that do not suffice: refused, before a body is read. The root is not everybody's, as it is at
// first: then every digest would do.
func TestUnauthenticated(t *testing.T) {
	m, _ := operated(t)
	beside := newWitness(t, m)
	anyone := wire.Identity{Scheme: "world", ID: "anyone"}
	acl := wire.SetACLRequest{Path: "/", ACL: []wire.ACL{{Perms: wire.PermRead | wire.PermWrite, Identity: anyone}}, Version: -1}
	beside.write(request(1, wire.OpSetACL, acl.AppendTo(nil)))
	if did := beside.reaction(); did != "0 open" {
		t.Fatal(did)
	}
	admin := pages(m)[0]
	for _, command := range []struct{ method, name, body string }{
		{"POST", "restore", "\r\nContent-Length: 1000000000"}, // that is not sent: an answer must not wait for it
		{"POST", "rest", "\r\nTransfer-Encoding: chunked"},
		{"GET", "snapshot", ""}, {"GET", "snap", ""}, {"GET", "snapshot?streaming=true", ""}, {"HEAD", "snapshot", ""},
		{"POST", "restore?x=%zz", "\r\nContent-Length: 0"},
	} {
		for name, header := range map[string]string{
			"no credentials": "", "no scheme": "\r\nAuthorization: x", "an unknown scheme": "\r\nAuthorization: foo bar", "a wrong password": "\r\nAuthorization: digest super:wrong",
			"an empty digest": "\r\nAuthorization: digest ", "basic": "\r\nAuthorization: Basic c3VwZXI6c2VjcmV0", "a large one": "\r\nAuthorization: digest " + strings.Repeat("u", 8000) + ":p",
			"another's address": "\r\nX-Forwarded-For: 10.0.0.1\r\nAuthorization: ip 10.0.0.1", "x509 without TLS": "\r\nAuthorization: x509 CN=root",
			"world": "\r\nAuthorization: world anyone",
		} {
			t.Run(command.method+" "+command.name+"/"+name, func(t *testing.T) {
				said := fmt.Sprintf("%s /commands/%s HTTP/1.1\r\nHost: x\r\nConnection: close%s%s\r\n\r\n", command.method, command.name, command.body, header)
				if got := admin.answer(t, said); got < 400 {
					t.Errorf("status %d, want a refusal", got)
				}
				beside.served(t)
			})
		}
	}
}

// TestBadRestore has somebody who may do everything restore what is no snapshot. The member refuses
// it and keeps what it has. The original is left out: it has lost its state by then.
func TestBadRestore(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("the original gives its state up before it reads the snapshot")
	}
	e := target.Start(t, ensemble.Config{Operators: true, Settings: []string{
		"DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=", "admin.rateLimiterIntervalInMS=0"}})
	m := e.Members()[0]
	beside := newWitness(t, m)
	beside.served(t)
	check := boundedMemory(t, m, ensemble.Holt)
	admin := pages(m)[0]
	header := join([]byte("ZKSN"), i32(2), make([]byte, 8))
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	for range 1000 { // a gigabyte, in a megabyte
		if _, err := gz.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"nothing": nil, "garbage": bytes.Repeat([]byte("garbage "), 4<<20), "a header alone": header,
		"2^31-1 sessions":       join(header, i32(math.MaxInt32), make([]byte, 16<<20)),
		"-1 sessions":           join(header, i32(-1), make([]byte, 1000)),
		"2^31-1 ACLs":           join(header, i32(0), i32(math.MaxInt32), bytes.Repeat([]byte{0xff}, 16<<20)),
		"a path of 2^31-1":      join(header, i32(0), i32(0), i32(math.MaxInt32), make([]byte, 16<<20)),
		"a gigabyte of nothing": packed.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			got := admin.answer(t, fmt.Sprintf("POST /commands/restore HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: digest super:test\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			if got < 400 {
				t.Errorf("status %d, want a refusal", got)
			}
			admin.served(t)
			beside.served(t)
		})
	}
	check()
}

// TestSlowHTTP opens as many slow connections as there may be, and more: they must neither keep
// probes out nor stay.
func TestSlowHTTP(t *testing.T) {
	m, kind := operated(t)
	beside := newWitness(t, m)
	check := boundedMemory(t, m, kind)
	for _, p := range pages(m) {
		for name, said := range map[string]string{
			"silence": "", "half a line": "GE", "half a header": "GET " + p.path + " HTTP/1.1\r\nHost: x\r\nX-",
			"a body that does not come": "POST /commands/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx",
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				var slow []*raw
				for range 300 {
					r := dialRaw(t, p.addr)
					r.write([]byte(said))
					slow = append(slow, r)
				}
				p.served(t)
				beside.served(t)
				if kind == ensemble.ZooKeeper {
					return // its connections may be slow for as long as they please
				}
				drip(t, slow, p, beside)
			})
		}
	}
	check()
}

// drip sends a byte at a time on connections until they are closed, and sees that others are
// served meanwhile.
func drip(t *testing.T, slow []*raw, p page, beside witness) {
	t.Helper()
	end := time.Now().Add(slowBound)
	for open := slow; len(open) > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d of %d connections are open after %v", len(open), len(slow), slowBound)
		}
		var still []*raw
		for _, r := range open {
			if !ended(r.conn) {
				_, _ = r.conn.Write([]byte("a")) // whether it is closed is seen next time
				still = append(still, r)
			}
		}
		open = still
		p.served(t)
		beside.served(t)
		time.Sleep(200 * time.Millisecond) // the pace of a slow client
	}
}

// ended reports whether the other side has closed the connection. What it has sent before is
// dropped.
func ended(c net.Conn) bool {
	b := make([]byte, 4096)
	for {
		_ = c.SetDeadline(time.Now().Add(time.Millisecond)) // an error shows in what follows
		if _, err := c.Read(b); err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}
