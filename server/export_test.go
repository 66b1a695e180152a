package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/admin"
	"holt/wire"
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

// measured returns what a member measures: for distributions how many values, and
// their sum as NAME+"_sum".
func measured(s *Server) map[string]float64 {
	values := map[string]float64{}
	s.Metrics(func(m *admin.Metric) {
		name := m.Name
		if m.Label != "" {
			name += "{" + m.LabelValue + "}"
		}
		if m.Kind == admin.Counter || m.Kind == admin.Gauge {
			values[name] = m.Value
			return
		}
		values[name], values[name+"_sum"] = float64(m.Values.Count()), float64(m.Values.Sum())
	})
	return values
}

// TestWhatIsMeasured does things a known number of times.
func TestWhatIsMeasured(t *testing.T) {
	s := newServer(t, func(c *Config) { c.HandshakeTimeoutMillis = 200 })
	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpGetData, &wire.GetDataRequest{Path: "/", Watch: true}, nil)
	c.call(wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/", Watch: true}, nil)
	before := measured(s)
	for i := range 10 {
		c.send(wire.OpCreate, create(fmt.Sprint("/a", i), "", 0))
	}
	c.receive(wire.XidNotification, nil)
	for i := range 10 {
		c.receive(c.xid-9+wire.Xid(i), nil)
	}
	set := c.send(wire.OpSetData, &wire.SetDataRequest{Path: "/", Version: -1})
	c.receive(wire.XidNotification, nil)
	c.receive(set, nil)
	// A client that comes back, one that leaves without a word, one that says nothing.
	again := connect(t, s, wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd})
	if err := again.nc.Close(); err != nil {
		t.Fatal(err)
	}
	silent, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, silent); err != nil {
		t.Fatal(err)
	}
	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	var after map[string]float64
	// The server notices in its own time that connections have ended.
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		after = measured(s)
		if after["connection_drop_count"]-before["connection_drop_count"] >= 2 || time.Now().After(deadline) {
			break
		}
	}
	for name, want := range map[string]float64{
		"commit_count": 12, "proposal_count": 12, "learner_commit_received_count": 0, "holt_stage_seconds{queue}": 12,
		"connection_revalidate_count": 1, "sessionless_connections_expired": 1, "connection_drop_count": 2,
		"node_children_watch_count": 1, "node_changed_watch_count": 1, "node_created_watch_count": 0,
		"looking_count": 0, "unrecoverable_error_count": 0,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s went up by %v, want %v", name, got, want)
		}
	}
	for name, least := range map[string]float64{
		"holt_stage_seconds{save}": 1, "holt_stage_seconds{commit}": 1, "holt_stage_seconds{apply}": 1, "holt_stage_seconds{reply}": 1,
		"sync_processor_queue_and_flush_time_ms": 1, "quorum_ack_latency": 1, "propagation_latency": 1,
		"bytes_received_count": 10 * 40, "response_bytes": 10 * 16, "watch_bytes": 16 + 4 + 4 + 5 + 16,
	} {
		if got := after[name] - before[name]; got < least {
			t.Errorf("%s went up by %v, want %v at least", name, got, least)
		}
	}
	for _, name := range []string{"looking_count", "election_time", "unavailable_time", "leader_unavailable_time", "dbinittime", "follower_sync_time"} {
		if after[name] != 1 {
			t.Errorf("%s is %v, want 1", name, after[name])
		}
	}
}

// TestDiskMetrics: what is left of the disk of each directory, all samples of a name together.
func TestDiskMetrics(t *testing.T) {
	s := newServer(t, func(cfg *Config) { cfg.FS, cfg.DataDir, cfg.LogDir = vfs.Default, t.TempDir(), t.TempDir() })
	var got []string
	s.Metrics(func(m *admin.Metric) {
		if strings.HasPrefix(m.Name, "holt_disk_") {
			got = append(got, m.Name+" "+m.LabelValue)
			if m.Value < 1<<20 {
				t.Errorf("%s of %s is %v", m.Name, m.LabelValue, m.Value)
			}
		}
	})
	want := "[holt_disk_available_bytes dataDir holt_disk_available_bytes dataLogDir holt_disk_bytes dataDir holt_disk_bytes dataLogDir]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
