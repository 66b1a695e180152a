// Package servertest runs a Holt server in the memory of a test, for the tests of the command
// line: a real one, so that they need no model of it, without disk or network.
//
// Connections to it can be cut and refused, to see what a client makes of that. All
// methods may be called from any goroutine. The server ends with the test.
package servertest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server"
)

// Server is a server under test.
type Server struct {
	server *server.Server

	mu      sync.Mutex
	refuse  map[string]bool // addresses that nobody answers at
	conns   []net.Conn      // made and perhaps open
	dialled []string        // addresses in the order of the attempts
}

// Start starts an empty server with TTL nodes, quotas and all four-letter words.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := server.Start(server.Config{
		DataDir: "data", FS: vfs.NewMem(), ClientAddr: server.Off, TickMillis: 500, MaxClientConns: -1,
		ExtendedTypes: true, FourLetterWords: []string{"*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	<-s.Ready()
	return &Server{server: s, refuse: make(map[string]bool)}
}

// Dial connects to the server, whatever the address, for session.Config.
func (s *Server) Dial(_ context.Context, address string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialled = append(s.dialled, address)
	if s.refuse[address] || s.refuse["*"] {
		return nil, errors.New("connection refused")
	}
	nc, err := s.server.Dial()
	if err != nil {
		return nil, err
	}
	s.conns = append(s.conns, nc)
	return nc, nil
}

// Cut breaks every connection.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nc := range s.conns {
		nc.Close()
	}
	s.conns = nil
}

// Refuse sets whether connections to an address are refused; "*" is all addresses.
func (s *Server) Refuse(address string, refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse[address] = refuse
}

// Dialled returns the addresses of all attempts to connect.
func (s *Server) Dialled() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.dialled...)
}
