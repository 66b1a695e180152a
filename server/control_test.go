package server

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/wire"
	"holt/znode/store"
)

// A checkpoint is there as long as the connection is, however deep the data directory lies.
func TestControlCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a-directory-whose-name-is-longer-than-the-path-of-a-socket-may-be-which-is-a-hundred-and-seven-bytes-as-is-well-known")
	s := newServer(t, func(c *Config) { c.FS, c.DataDir, c.Control = vfs.Default, dir, true })
	connect(t, s, wire.ConnectRequest{TimeoutMillis: 10_000})
	nc, err := DialControl(dir)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil }}}
	resp, err := client.Post("http://member"+ControlCheckpoint, "", nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	var answer CheckpointAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	cp, err := store.Open(answer.Dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := cp.Node("/zookeeper"); err != nil || n == nil {
		t.Errorf("node %v, %v", n, err)
	}
	if err := cp.Close(); err != nil {
		t.Fatal(err)
	}
	// Closing a body before its end closes the connection.
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // it is another process's view: polled
		if _, err := os.Stat(answer.Dir); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the checkpoint is still there")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if nc, err := DialControl(dir); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the end: %v, %v", nc, err)
	}
}

// Where there can be no socket clients are served all the same.
func TestControlImpossible(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ControlSocket, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	s := newServer(t, func(c *Config) {
		c.FS, c.DataDir, c.Control, c.Logger = vfs.Default, dir, true, zap.New(core)
	})
	connect(t, s, wire.ConnectRequest{TimeoutMillis: 10_000})
	if logs.FilterMessageSnippet("no control socket").Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
}
