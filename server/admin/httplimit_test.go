package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowClients opens more connections than the server keeps and says nothing on
// them, or only the beginning of a request: a probe is answered all the same.
func TestSlowClients(t *testing.T) {
	src := recorded(Standalone)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := ServeHTTP(l, HTTPConfig{Source: src, Commands: NewCommands(CommandsConfig{Words: NewWords(WordsConfig{Source: src})}), IdleTimeout: time.Second})
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	var silent []net.Conn
	for i := range connectionsMax + 20 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := []string{"", "GET /commands/ruok HTTP/1.1\r\nHo", "POST /commands/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"}
		if _, err := io.WriteString(c, begin[i%len(begin)]); err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + l.Addr().String() + "/commands/ruok")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
	// Each of them ends within the time for a header.
	for i, c := range silent {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("connection %d of %d stays open: %v", i, len(silent), err)
		}
	}
}

// TestBadRequests sends what is too large or no HTTP at all.
func TestBadRequests(t *testing.T) {
	src := recorded(Standalone)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := ServeHTTP(l, HTTPConfig{Source: src, Commands: NewCommands(CommandsConfig{Words: NewWords(WordsConfig{Source: src})})})
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, tc := range map[string]struct {
		request string
		want    int
	}{
		"header of 1 MiB": {"GET /commands/ruok HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", 431},
		"no HTTP":         {"\x00\x00\x00\x2c\x00\x00\x00\x00\r\n\r\n", 400},
		"TLS hello":       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		"no host":         {"GET /commands/ruok HTTP/1.1\r\n\r\n", 400},
		"lying length":    {"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400},
		"huge body":       {"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc", 405},
		"no body":         {"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 405},
		"no chunks":       {"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 405},
		"traversal":       {"GET /commands/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 307},
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(c, tc.request) }() // the server may close before it has all
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if res.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, tc.want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConnLimit(t *testing.T) {
	l := connLimit{most: 2}
	open := func() net.Conn { a, b := net.Pipe(); t.Cleanup(func() { a.Close(); b.Close() }); return a }
	a, b, c, d := open(), open(), open(), open()
	check := func(got, want net.Conn, what string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s", what, fmt.Sprint(got == nil, want == nil))
		}
	}
	check(l.note(a, http.StateNew), nil, "first")
	check(l.note(b, http.StateNew), nil, "second")
	check(l.note(b, http.StateActive), nil, "b announces a body")
	l.use(a, true)
	check(l.note(c, http.StateNew), b, "third takes the place of the one that waits")
	l.use(b, true) // does not count any more
	l.use(c, true)
	check(l.note(d, http.StateNew), d, "all are busy")
	check(l.note(a, http.StateClosed), nil, "a ends")
	check(l.note(d, http.StateNew), nil, "there is room")
	l.use(c, false)
	l.use(c, true)
	l.use(c, false)
	check(l.note(a, http.StateNew), d, "c has had its answer later than d came")
}
