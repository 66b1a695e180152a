package main

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// devNetwork lets the members of a development ensemble find one another by
// name. Each listens for the others on a free loopback port: nothing collides
// with another ensemble on the machine, and data that was kept is not bound to
// the ports of an earlier run.
type devNetwork struct {
	mu    sync.Mutex
	ports map[string]string // by name, the address that is listened on
}

func newDevNetwork() *devNetwork { return &devNetwork{ports: map[string]string{}} }

// peerName is the address that stands for the i-th member.
func peerName(i int) string { return fmt.Sprintf("member-%d:2888", i+1) }

func isPeerName(addr string) bool {
	var i int
	n, err := fmt.Sscanf(addr, "member-%d:2888", &i)
	return n == 1 && err == nil
}

// listen opens any address but a peer's as it is.
func (n *devNetwork) listen(addr string) (net.Listener, error) {
	if !isPeerName(addr) {
		return net.Listen("tcp", addr)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports[addr] = l.Addr().String()
	return l, nil
}

// dial fails, as it would on a network, while the peer has not listened yet.
func (n *devNetwork) dial(ctx context.Context, addr string) (net.Conn, error) {
	if isPeerName(addr) {
		n.mu.Lock()
		port, ok := n.ports[addr]
		n.mu.Unlock()
		if !ok {
			return nil, fmt.Errorf("dial %s: it has not started yet", addr)
		}
		addr = port
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}
