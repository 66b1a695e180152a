package simnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Link is one direction between two hosts. The zero value delivers at once.
type Link struct {
	// Delay of each segment, and at most as much Jitter on top.
	Delay, Jitter time.Duration
	// Loss is the probability of a segment to be lost. It costs a resend.
	Loss float64
	// Cut: nothing arrives.
	Cut bool
}

// resendAfter is what a lost segment costs, as in Linux.
const resendAfter = 200 * time.Millisecond

// Network is a set of hosts. Make one with New.
type Network struct {
	mu    sync.Mutex
	rng   *rand.Rand
	hosts map[string]*Host
	known map[string]bool // names that ever had a host
	links map[[2]string]Link
	all   Link // for pairs without one of their own
	// changed is closed and replaced when links or anything in a pipe changes.
	changed chan struct{}
}

// New makes a network whose losses and jitter follow from seed.
func New(seed uint64) *Network {
	return &Network{
		rng: rand.New(rand.NewPCG(seed, 0)), hosts: map[string]*Host{},
		known: map[string]bool{}, links: map[[2]string]Link{}, changed: make(chan struct{}),
	}
}

// Host returns the host of that name. It makes one if there is none, or if
// the last one has crashed.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[name]
	if h == nil {
		h = &Host{n: n, name: name, listeners: map[string]*listener{}, conns: map[*conn]bool{}}
		n.hosts[name], n.known[name] = h, true
	}
	return h
}

// SetAll sets the link between all pairs of hosts that have none of their own.
func (n *Network) SetAll(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = l
	n.changeLocked()
}

// Set sets the link from one host to another, in that direction.
func (n *Network) Set(from, to string, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[[2]string{from, to}] = l
	n.changeLocked()
}

// Cut cuts both directions between two hosts.
func (n *Network) Cut(a, b string) { n.cut(a, b, true) }

// Heal undoes Cut.
func (n *Network) Heal(a, b string) { n.cut(a, b, false) }

func (n *Network) cut(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range [][2]string{{a, b}, {b, a}} {
		l := n.linkLocked(k[0], k[1])
		l.Cut = cut
		n.links[k] = l
	}
	n.changeLocked()
}

// Isolate cuts a host off from all others; Rejoin undoes it.
func (n *Network) Isolate(name string) { n.each(name, n.Cut) }

// Rejoin heals all links of a host.
func (n *Network) Rejoin(name string) { n.each(name, n.Heal) }

func (n *Network) each(name string, f func(a, b string)) {
	n.mu.Lock()
	var others []string
	for other := range n.known {
		if other != name {
			others = append(others, other)
		}
	}
	n.mu.Unlock()
	for _, other := range others {
		f(name, other)
	}
}

func (n *Network) linkLocked(from, to string) Link {
	if l, ok := n.links[[2]string{from, to}]; ok {
		return l
	}
	return n.all
}

func (n *Network) changeLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Host is a machine with one process on it.
type Host struct {
	n    *Network
	name string

	// Guarded by n.mu.
	listeners map[string]*listener
	conns     map[*conn]bool
	nextPort  int
	crashed   bool
}

// addr is an address on the network.
type addr string

func (addr) Network() string  { return "sim" }
func (a addr) String() string { return string(a) }

// Listen listens on an address of this host.
func (h *Host) Listen(address string) (net.Listener, error) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if name, _, ok := strings.Cut(address, ":"); !ok || name != h.name || h.crashed {
		return nil, &net.OpError{Op: "listen", Net: "sim", Addr: addr(address), Err: syscall.EADDRNOTAVAIL}
	}
	if h.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "sim", Addr: addr(address), Err: syscall.EADDRINUSE}
	}
	l := &listener{h: h, addr: addr(address)}
	h.listeners[address] = l
	return l, nil
}

// Dial connects to an address. It takes a round trip; it is refused if nobody
// listens there, and waits for ctx while the way is cut.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "sim", Addr: addr(address), Err: err}
	}
	name, _, _ := strings.Cut(address, ":")
	for _, way := range [][2]string{{h.name, name}, {name, h.name}} {
		if err := h.n.travel(ctx, way[0], way[1]); err != nil {
			return fail(err)
		}
	}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	other := h.n.hosts[name]
	if !h.n.known[name] || h.crashed {
		return fail(syscall.EHOSTUNREACH)
	}
	if other == nil || other.listeners[address] == nil {
		return fail(syscall.ECONNREFUSED)
	}
	l := other.listeners[address]
	h.nextPort++
	here := addr(fmt.Sprintf("%s:c%d", h.name, h.nextPort))
	a, b := newConns(h, other, here, addr(address))
	h.conns[a], other.conns[b] = true, true
	l.backlog = append(l.backlog, b)
	h.n.changeLocked()
	return a, nil
}

// travel waits as long as one segment takes.
func (n *Network) travel(ctx context.Context, from, to string) error {
	n.mu.Lock()
	arrival := time.Now().Add(n.delayLocked(from, to))
	for {
		cut, changed := n.linkLocked(from, to).Cut, n.changed
		n.mu.Unlock()
		wait := time.Until(arrival)
		if !cut && wait <= 0 {
			return ctx.Err()
		}
		if cut {
			wait = time.Hour
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-changed:
		}
		timer.Stop()
		n.mu.Lock()
	}
}

func (n *Network) delayLocked(from, to string) time.Duration {
	l := n.linkLocked(from, to)
	d := l.Delay
	if l.Jitter > 0 {
		d += time.Duration(n.rng.Int64N(int64(l.Jitter)))
	}
	for l.Loss > 0 && n.rng.Float64() < l.Loss {
		d += resendAfter
	}
	return d
}

// Crash ends the host's process: listeners and connections vanish, peers see
// a reset, and what still runs of the process reaches nobody. Network.Host makes a
// new one of the same name.
func (h *Host) Crash() {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	for _, l := range h.listeners {
		l.closeLocked()
	}
	for c := range h.conns {
		c.resetLocked()
	}
	h.crashed = true
	if h.n.hosts[h.name] == h {
		delete(h.n.hosts, h.name)
	}
	h.n.changeLocked()
}

// listener implements net.Listener.
type listener struct {
	h       *Host
	addr    addr
	backlog []*conn // guarded by n.mu
	closed  bool
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	n := l.h.n
	for {
		n.mu.Lock()
		if l.closed {
			n.mu.Unlock()
			return nil, &net.OpError{Op: "accept", Net: "sim", Addr: l.addr, Err: net.ErrClosed}
		}
		if len(l.backlog) > 0 {
			c := l.backlog[0]
			l.backlog = l.backlog[1:]
			n.mu.Unlock()
			return c, nil
		}
		changed := n.changed
		n.mu.Unlock()
		<-changed
	}
}

func (l *listener) Close() error {
	l.h.n.mu.Lock()
	defer l.h.n.mu.Unlock()
	l.closeLocked()
	l.h.n.changeLocked()
	return nil
}

func (l *listener) closeLocked() {
	l.closed = true
	if l.h.listeners[string(l.addr)] == l {
		delete(l.h.listeners, string(l.addr))
	}
	for _, c := range l.backlog {
		c.resetLocked()
	}
	l.backlog = nil
}
