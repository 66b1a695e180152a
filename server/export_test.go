package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMetricsOverHTTP asks a member for its metrics while it starts, runs and
// ends.
func TestMetricsOverHTTP(t *testing.T) {
	listening := make(chan net.Listener, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l := <-listening
		// Sent before the member is complete: the answer comes when it is.
		client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Get("http://" + l.Addr().String() + "/metrics")
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		for _, name := range []string{"znode_count 5", "fsynctime_count ", "holt_raft_term ", "holt_apply_entries ", "holt_log_write_seconds_bucket{le=",
			"holt_cache_hits ", "holt_tree_batches ", "holt_log_sync_seconds_count ", "holt_peer_writes ", "holt_watches_set ",
			"holt_sessions_tracked ", "holt_pipeline_inflight "} {
			if !strings.Contains(string(page), "\n"+name) {
				t.Errorf("no %s in\n%s", name, page)
			}
		}
	}()
	s, err := Start(Config{DataDir: "data", FS: vfs.NewMem(), ClientAddr: Off, MetricsAddr: "127.0.0.1:0", Listen: func(addr string) (net.Listener, error) {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			listening <- l
		}
		return l, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
