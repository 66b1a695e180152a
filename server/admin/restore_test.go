package admin

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"holt/wire"
)

// TestRestoreStatuses sends snapshots, and is answered as the original answers.
func TestRestoreStatuses(t *testing.T) {
	words := NewWords(WordsConfig{Source: recorded(Standalone)})
	c := NewCommands(CommandsConfig{Words: words, Authorize: func(*http.Request, string, []byte) Access { return Granted },
		Snapshots: SnapshotConfig{Interval: time.Hour, Restore: func(_ *http.Request, r io.Reader) (wire.Zxid, error) {
			b, err := io.ReadAll(r)
			if string(b) == "bad" {
				err = errors.New("no snapshot")
			}
			return wire.Zxid(len(b)), err
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
	for _, tc := range []struct {
		body       string
		again      bool // within the interval
		code       int
		wantAnswer string
	}{
		{body: strings.Repeat("x", 300_000), code: 200, wantAnswer: "{\n  \"last_zxid\" : 300000,\n  \"command\" : \"restore\",\n  \"error\" : null\n}"},
		{body: "bad", code: 500, wantAnswer: "{\n  \"command\" : \"restore\",\n  \"error\" : \"no snapshot\"\n}"},
		{body: "bad", again: true, code: 429, wantAnswer: "{\n  \"command\" : \"restore\",\n  \"error\" : \"Only one restore in 1h0m0s is made (admin.rateLimiterIntervalInMS)\"\n}"},
	} {
		if !tc.again {
			c.restoreLimit.last = time.Time{}
		}
		req, err := http.NewRequest("POST", "http://"+l.Addr().String()+"/commands/rest", strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "ip")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != tc.code || string(b) != tc.wantAnswer {
			t.Errorf("%.10s: %d %s, want %d %s", tc.body, res.StatusCode, b, tc.code, tc.wantAnswer)
		}
	}
	if got := c.Restores(); got.Errors.Load() != 1 || got.Limited.Load() != 1 || got.Nanos.Snapshot().Count() != 1 {
		t.Errorf("%d errors, %d limited, %d restores", got.Errors.Load(), got.Limited.Load(), got.Nanos.Snapshot().Count())
	}
}
