package broker

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"holt/broker/metadata"
	"holt/broker/network"
)

// TestNoCoordination: a broker that finds no coordination service says so, and leaves nothing behind.
func TestNoCoordination(t *testing.T) {
	b, err := Start(t.Context(), Config{
		ID: 1, LogDirs: []string{t.TempDir()}, Listeners: []Listener{{Name: "PLAINTEXT", Protocol: network.Plaintext, Address: "127.0.0.1:0"}},
		ZooKeeper: metadata.ZooKeeperConfig{Servers: []string{"127.0.0.1:1"}, StartTimeout: 100 * time.Millisecond},
		Logger:    zaptest.NewLogger(t),
	})
	if b != nil || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, %v", b, err)
	}
}
