package admin

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"holt/wire"
)

// fakeSnapshot is of so many bytes and fails where it is told to.
type fakeSnapshot struct {
	size   int
	writes int // so far
	fails  int // the write that fails, from 1; 0: none
	saved  bool
	closed chan struct{} // closed by Close, after which the test may look
}

func (s *fakeSnapshot) Zxid() wire.Zxid { return 0x123 }

func (s *fakeSnapshot) WriteTo(w io.Writer) (int64, error) {
	s.writes++
	size := s.size
	if s.writes == s.fails {
		size /= 2
	}
	n, err := w.Write(bytes.Repeat([]byte("x"), size))
	if s.writes == s.fails {
		err = errors.New("disk failed")
	}
	return int64(n), err
}

func (s *fakeSnapshot) Save(int64) error { s.saved = true; return nil }
func (s *fakeSnapshot) Close() error     { close(s.closed); return nil }

func TestSnapshotStatuses(t *testing.T) {
	var s *fakeSnapshot
	var takeErr error
	taken := make(chan *fakeSnapshot, 1) // those that were taken
	words := NewWords(WordsConfig{Source: recorded(Standalone)})
	c := NewCommands(CommandsConfig{Words: words, Authorize: func(*http.Request, string, []byte) Access { return Granted },
		Snapshots: SnapshotConfig{Take: func(*http.Request) (Snapshot, error) {
			if takeErr != nil {
				return nil, takeErr
			}
			taken <- s
			return s, nil
		}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := ServeHTTP(l, HTTPConfig{Source: words.src, Commands: c})
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path string) (int, int, error) {
		req, err := http.NewRequest(method, "http://"+l.Addr().String()+"/commands/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "ip")
		res, err := client.Do(req)
		if err != nil {
			return 0, 0, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, len(b), err
	}
	for _, tc := range []struct {
		method, path string
		snapshot     fakeSnapshot
		take         error
		code         int
		broken       bool
	}{
		{method: "GET", path: "snapshot", snapshot: fakeSnapshot{size: 1 << 20}, code: 200},
		{method: "GET", path: "snap?streaming=true", snapshot: fakeSnapshot{size: 3}, code: 200},
		{method: "GET", path: "snapshot?streaming=false", code: 200},
		{method: "GET", path: "snapshot", take: errors.New("busy"), code: 500},
		{method: "GET", path: "snapshot", snapshot: fakeSnapshot{fails: 1}, code: 500},
		{method: "GET", path: "snapshot", snapshot: fakeSnapshot{size: 1 << 20, fails: 2}, broken: true},
		{method: "POST", path: "snapshot", code: 405},
		{method: "GET", path: "restore", code: 405},
		{method: "POST", path: "restore", code: 503},
	} {
		s, takeErr = &tc.snapshot, tc.take
		s.closed = make(chan struct{})
		code, n, err := ask(tc.method, tc.path)
		switch {
		case tc.broken:
			if err == nil {
				t.Errorf("%s: %d, %d bytes, want a broken answer", tc.path, code, n)
			}
		case err != nil || code != tc.code:
			t.Errorf("%s %s: %d, %v, want %d", tc.method, tc.path, code, err, tc.code)
		case code == 200 && s.size > 0 && n != s.size:
			t.Errorf("%s: %d bytes, want %d", tc.path, n, s.size)
		}
		select {
		case <-taken:
			<-s.closed // or the test hangs
		default:
		}
		if s.saved != (tc.path == "snapshot?streaming=false") {
			t.Errorf("%s: saved %v", tc.path, s.saved)
		}
	}
	if got := c.Snapshots(); got.Errors.Load() != 3 || got.Limited.Load() != 0 {
		t.Errorf("%d errors, %d limited", got.Errors.Load(), got.Limited.Load())
	}
}
