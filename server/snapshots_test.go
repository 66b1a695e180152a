package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// loadSnapshot makes a tree of a snapshot's bytes.
func loadSnapshot(t *testing.T, b []byte) *znode.Tree {
	t.Helper()
	s, err := store.Open("loaded", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	tree, err := znode.NewTree(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zkfile.LoadSnapshot(tree, bytes.NewReader(b), zkfile.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	return tree
}

func askSnapshot(t *testing.T, s *Server, query, authorization string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+s.AdminAddr().String()+"/commands/snapshot"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

// TestSnapshotCommand streams the state of a member that goes on writing: what arrives is a
// snapshot of ZooKeeper's with all that was acknowledged before, and its digest is right.
func TestSnapshotCommand(t *testing.T) {
	s := adminServer(t, func(c *Config) { c.AdminSnapshotIntervalMillis = -1 })
	c := connect(t, s, wire.ConnectRequest{})
	for i := range 100 {
		c.call(wire.OpCreate, create(fmt.Sprint("/a", i), "x", 0), nil)
	}
	var last wire.Zxid
	c.call(wire.OpCreate, create("/e", "x", 1), nil)
	last = c.call(wire.OpSetACL, &wire.SetACLRequest{Path: "/a0", Version: -1,
		ACL: []wire.ACL{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.1"}}}}, nil).Zxid
	stop, stopped := make(chan struct{}), make(chan struct{})
	w := connect(t, s, wire.ConnectRequest{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.call(wire.OpCreate, create(fmt.Sprint("/w", i), "x", 0), nil)
			}
		}
	}()
	res, b := askSnapshot(t, s, "", "digest any:body")
	close(stop)
	<-stopped
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %v %.200s", res.StatusCode, res.Header, b)
	}
	zxid, err := strconv.ParseUint(res.Header.Get("last_zxid"), 0, 64)
	if err != nil || wire.Zxid(zxid) < last {
		t.Errorf("last_zxid %q, want at least %v", res.Header.Get("last_zxid"), last)
	}
	if res.Header.Get("snapshot_size") != fmt.Sprint(len(b)) {
		t.Errorf("snapshot_size %s of %d bytes", res.Header.Get("snapshot_size"), len(b))
	}
	tree := loadSnapshot(t, b)
	for _, path := range []string{"/a0", "/a99", "/e"} {
		if n, err := tree.Get(path); err != nil || n == nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n, err := tree.Get("/a0"); err != nil || len(n.ACL.Entries()) != 1 || n.ACL.Entries()[0].ID != "10.0.0.1" {
		t.Errorf("ACL of /a0: %v", err)
	}
	if list, err := s.cfg.FS.List(s.cfg.DataDir); err != nil || slicesContain(list, snapshotTree) {
		t.Errorf("left behind: %v, %v", list, err)
	}
	// The last bytes are the zxid and its seal.
	if got := binary.BigEndian.Uint64(b[len(b)-21:]); got != zxid {
		t.Errorf("zxid at the end 0x%x, want 0x%x", got, zxid)
	}
}

func slicesContain(list []string, name string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}

func TestSavedSnapshots(t *testing.T) {
	s := adminServer(t, func(c *Config) { c.AdminSnapshotIntervalMillis = -1 })
	c := connect(t, s, wire.ConnectRequest{})
	var zxids []wire.Zxid
	for i := range snapshotsKept + 2 {
		h := c.call(wire.OpCreate, create(fmt.Sprint("/a", i), "x", 0), nil)
		zxids = append(zxids, h.Zxid)
		res, b := askSnapshot(t, s, "?streaming=false", "ip")
		if res.StatusCode != 200 || string(b) != "{\n  \"command\" : \"snapshot\",\n  \"error\" : null\n}" {
			t.Fatalf("%d %s", res.StatusCode, b)
		}
	}
	dir := s.cfg.FS.PathJoin(s.cfg.DataDir, snapshotFiles)
	names, err := s.cfg.FS.List(dir)
	if err != nil || len(names) != snapshotsKept {
		t.Fatalf("%v, %v", names, err)
	}
	last := zxids[len(zxids)-1]
	f, err := s.cfg.FS.Open(s.cfg.FS.PathJoin(dir, zkfile.SnapshotName(last, "")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := loadSnapshot(t, b).Get(fmt.Sprint("/a", len(zxids)-1)); err != nil || n == nil {
		t.Errorf("the last node is missing: %v", err)
	}
}

func TestSnapshotsAreRefused(t *testing.T) {
	s := adminServer(t, nil)
	check := func(s *Server, authorization string, want int) {
		t.Helper()
		if res, b := askSnapshot(t, s, "?streaming=false", authorization); res.StatusCode != want {
			t.Errorf("%q: %d %s, want %d", authorization, res.StatusCode, b, want)
		}
	}
	check(s, "", 401)
	check(s, "digest", 401)
	check(s, "digest a:b", 200)
	check(s, "digest a:b", 429)
	off := adminServer(t, func(c *Config) { c.AdminSnapshotDisabled = true })
	check(off, "digest a:b", 503)

	// One at a time, and none once the member ends.
	first, err := s.takeSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.takeSnapshot(); !errors.Is(err, errSnapshotBusy) {
		t.Errorf("second: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	<-s.stop
	if _, err := first.WriteTo(io.Discard); !errors.Is(err, errPipelineClosed) {
		t.Errorf("write while the member ends: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := s.takeSnapshot(); err == nil {
		t.Error("a snapshot of a closed member")
	}
}
