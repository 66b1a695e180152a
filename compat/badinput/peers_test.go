package badinput

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// peerPorts are the addresses at which a member waits for the others.
func peerPorts(m *ensemble.Member) []string {
	f := strings.Split(m.Spec, ":")
	return []string{f[0] + ":" + f[1], f[0] + ":" + f[2]}
}

// TestBadBytesBetweenMembers says to each member what no member says. The ensemble must go on, with the
// same leader. Of the original it is left out: its election port believes whoever speaks its language.
func TestBadBytesBetweenMembers(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("about Holt's own connections between members")
	}
	e := target.Start(t, ensemble.Config{Members: 3})
	leader := target.Leader(t, e)
	var beside []witness
	var checks []func()
	for _, m := range e.Members() {
		beside = append(beside, newWitness(t, m))
		checks = append(checks, boundedMemory(t, m, ensemble.Holt))
	}
	said := map[string][]byte{
		"zeros": make([]byte, 1<<20), "ones": bytes.Repeat([]byte{0xff}, 1<<20),
		"HTTP": []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "a client": frame(connectRequest()), "TLS": record(22, 2000, make([]byte, 2000)),
		"a length of 2^31-1": lying(math.MaxInt32, make([]byte, 1000)), "a length of 128 MB": lying(128<<20, make([]byte, 1000)),
		"ZooKeeper's election": join(i32(-1), i32(-65536), i32(0), i32(9), i32(9), []byte("x:1")), "half a word": {1, 2},
	}
	t.Run("all", func(t *testing.T) {
		for _, m := range e.Members() {
			for _, addr := range peerPorts(m) {
				for name, b := range said {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						r, err := dialIfOpen(t, addr)
						if err != nil {
							return // Holt needs but one of the two
						}
						defer r.conn.Close()
						r.write(b)
						if _, err := io.Copy(io.Discard, r.conn); errors.Is(err, os.ErrDeadlineExceeded) {
							t.Error("not closed")
						}
					})
				}
			}
		}
	})
	served(t, beside)
	if now := target.Leader(t, e); now != leader {
		t.Errorf("member %d leads, before it was %d", now.ID(), leader.ID())
	}
	for _, check := range checks {
		check()
	}
}

// TestSilentPeers keeps more silent connections to the members' ports open than they allow, while
// a member comes back: it must find its way in.
func TestSilentPeers(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("about Holt's own connections between members")
	}
	raiseFileLimit(t, 4000)
	e := target.Start(t, ensemble.Config{Members: 3})
	leader := target.Leader(t, e)
	var other *ensemble.Member
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for _, m := range e.Members() {
		if m != leader {
			other = m
		}
	}
	const connections = 400
	for range connections {
		wg.Go(func() { holdOpen(t, peerPorts(leader)[0], stop) })
	}
	if err := other.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	newWitness(t, other).served(t)
}

// holdOpen has a connection open at all times, on which nothing is said.
func holdOpen(t *testing.T, addr string, stop chan struct{}) {
	for {
		r, err := dialIfOpen(t, addr)
		if err != nil {
			return
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = io.Copy(io.Discard, r.conn) // ends when either side closes it
		}()
		select {
		case <-stop:
			r.conn.Close()
			<-gone
			return
		case <-gone:
			r.conn.Close()
		}
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond): // not a busy loop of dials
		}
	}
}
