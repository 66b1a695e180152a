package session_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"holt/cmd/zkcli/internal/servertest"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// asked counts the requests for a page on the connections of a test, and cuts those connections if strict,
// as Apache ZooKeeper does.
type asked struct {
	strict bool
	pages  int

	mu   sync.Mutex
	stat int // requests for a stat
}

type askedConn struct {
	net.Conn
	asked *asked
}

func (c askedConn) Write(b []byte) (int, error) {
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	for frame := b; len(frame) >= 12; frame = frame[4+binary.BigEndian.Uint32(frame):] {
		if wire.OpCode(binary.BigEndian.Uint32(frame[8:])) == wire.OpExists {
			c.asked.stat++
		}
	}
	if len(b) >= 12 && wire.OpCode(binary.BigEndian.Uint32(b[8:])) == wire.OpGetChildrenPage {
		c.asked.pages++
		if c.asked.strict {
			return len(b), c.Close()
		}
	}
	return c.Conn.Write(b)
}

func TestChildrenOfABigParentComeInPages(t *testing.T) {
	const children = 10_001
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%v", strict), func(t *testing.T) {
			bubble(t, func(t *testing.T, server *servertest.Server) {
				a := &asked{strict: strict}
				s, e := open(t, server, func(c *session.Config) {
					c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
						nc, err := server.Dial(ctx, address)
						return askedConn{nc, a}, err
					}
				})
				create(t, s, "/big", wire.ModePersistent)
				var want []string
				for i := range children {
					name := fmt.Sprintf("n%05d", i)
					create(t, s, "/big/"+name, wire.ModePersistent)
					want = append(want, name)
				}
				e.take()
				for range 2 {
					got, stat, err := s.AllChildren(t.Context(), "/big", true)
					slices.Sort(got)
					if err != nil || !slices.Equal(got, want) || stat.NumChildren != children {
						t.Fatalf("%d children, %v, %v", len(got), stat, err)
					}
				}
				wantPages := 1 + 2*2 // the first asks whether there are any
				if strict {
					wantPages = 1
				}
				if a.pages != wantPages {
					t.Errorf("%d pages were asked for, want %d", a.pages, wantPages)
				}
				create(t, s, "/big/more", wire.ModePersistent)
				if err := s.Sync(t.Context(), "/"); err != nil {
					t.Fatal(err)
				}
				if got := e.take(); got != "NodeChildrenChanged /big" {
					t.Errorf("events: %s", got)
				}
			})
		})
	}
}

// A walk over many nodes finds out once whether servers know pages; from then on each list is one
// request.
func TestListsOfManyNodes(t *testing.T) {
	const lists, before = 400, 100
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%v", strict), func(t *testing.T) {
			bubble(t, func(t *testing.T, server *servertest.Server) {
				a := &asked{strict: strict}
				s, _ := open(t, server, func(c *session.Config) {
					c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
						nc, err := server.Dial(ctx, address)
						return askedConn{nc, a}, err
					}
				})
				create(t, s, "/a", wire.ModePersistent)
				create(t, s, "/a/b", wire.ModePersistent)
				var wg sync.WaitGroup
				for range lists {
					wg.Go(func() {
						got, stat, err := s.AllChildren(t.Context(), "/a", false)
						if err != nil || !slices.Equal(got, []string{"b"}) || stat.NumChildren != 1 {
							t.Errorf("%v, %v, %v", got, stat, err)
						}
					})
				}
				wg.Wait()
				if _, _, err := s.AllChildren(t.Context(), "/none", false); session.Code(err) != wire.ErrNoNode {
					t.Errorf("children of no node: %v", err)
				}
				a.mu.Lock()
				defer a.mu.Unlock()
				if a.stat > before {
					t.Errorf("%d requests for a stat, want at most %d", a.stat, before)
				}
				if strict && a.pages != 1 {
					t.Errorf("asked %d times for a page, want once", a.pages)
				}
			})
		})
	}
}
