package migration

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of TestReplay; 0 takes the time")
	loads = flag.Duration("load", 6*time.Second, "how long TestReplay writes")
)

// TestReplay has clients write to ZooKeeper while it takes one snapshot after another, so that
// these are as fuzzy as can be, kills it, and compares what it makes of its files with what
// Holt makes of them.
func TestReplay(t *testing.T) {
	target.Kind(t)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", *seed)
	v := versions[len(versions)-1]
	dir := t.TempDir()
	s := v.start(t, dir, freePort(t), []string{"snapCount=700", "preAllocSize=64"}, nil)
	fill(t, dial(t, s.addr, client.Options{}))
	ctx, cancel := context.WithTimeout(t.Context(), *loads)
	defer cancel()
	var wg sync.WaitGroup
	for i := range uint64(8) {
		c := dial(t, s.addr, client.Options{})
		wg.Go(func() { scribble(ctx, c, s.addr, rand.New(rand.NewPCG(*seed, i))) })
	}
	<-ctx.Done()
	s.kill()
	wg.Wait()

	ours, theirs := filepath.Join(t.TempDir(), "holt"), t.TempDir()
	if err := os.CopyFS(theirs, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	report := holt(t, "import", "--from-zookeeper", dir, "--to", ours)
	z := v.start(t, theirs, freePort(t), nil, nil)
	want := tree(t, dial(t, z.addr, client.Options{}))
	// What ZooKeeper makes of a fuzzy snapshot is not always what it had. Then it says so, and so do we.
	text := must[[]byte](t)(os.ReadFile(z.log))
	theySay, weSay := strings.Contains(string(text), "igest"), !strings.Contains(report, "the same as ZooKeeper's")
	if theySay != weSay {
		t.Errorf("digests: ZooKeeper found a difference: %t, Holt: %t\n%s", theySay, weSay, text)
	}
	h := startHolt(t, ours, freePort(t))
	compareTrees(t, tree(t, dial(t, h.addr, client.Options{})), want)
}

// fill makes the tree so large that a snapshot takes its time.
func fill(t *testing.T, c *client.Conn) {
	data := make([]byte, 500)
	var calls []*client.Call
	for i := range 20_000 {
		path := fmt.Sprintf("/n%d", i)
		if i >= 20 {
			path = fmt.Sprintf("/n%d/c%d", i%20, i)
		}
		calls = append(calls, c.Send(wire.OpCreate, &wire.CreateRequest{Path: path, Data: data, ACL: wire.OpenACL()}))
	}
	for _, call := range calls {
		if err := call.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// scribble does this and that, mostly to few paths, until ctx ends. Much of it is refused.
func scribble(ctx context.Context, c *client.Conn, addr string, r *rand.Rand) {
	path := func() string {
		if r.IntN(3) == 0 {
			return fmt.Sprintf("/n%d/x%d/y%d", r.IntN(20), r.IntN(6), r.IntN(3))
		}
		return fmt.Sprintf("/n%d/x%d", r.IntN(20), r.IntN(6))
	}
	lists := [][]wire.ACL{
		wire.OpenACL(),
		{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}},
		{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "ip", ID: "127.0.0.1"}}},
	}
	create := func() *wire.CreateRequest {
		flags := []wire.CreateMode{wire.ModePersistent, wire.ModePersistent, wire.ModeEphemeral, wire.ModePersistentSequential, wire.ModeEphemeralSequential}
		return &wire.CreateRequest{Path: path(), Data: make([]byte, r.IntN(30)), ACL: lists[r.IntN(len(lists))], Flags: int32(flags[r.IntN(len(flags))])}
	}
	for ctx.Err() == nil {
		var calls []*client.Call
		for range 20 {
			switch r.IntN(12) {
			case 0, 1, 2, 3:
				calls = append(calls, c.Send(wire.OpCreate, create()))
			case 4, 5, 6:
				calls = append(calls, c.Send(wire.OpDelete, &wire.DeleteRequest{Path: path(), Version: -1}))
			case 7, 8:
				calls = append(calls, c.Send(wire.OpSetData, &wire.SetDataRequest{Path: path(), Data: make([]byte, r.IntN(40)), Version: -1}))
			case 9:
				calls = append(calls, c.Send(wire.OpSetACL, &wire.SetACLRequest{Path: path(), ACL: lists[r.IntN(len(lists))], Version: -1}))
			default:
				var m wire.MultiRequest
				for range 1 + r.IntN(3) {
					if r.IntN(2) == 0 {
						m.Ops = append(m.Ops, wire.MultiOp{Op: wire.OpCreate, Record: create()})
					} else {
						m.Ops = append(m.Ops, wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: path(), Version: -1}})
					}
				}
				calls = append(calls, c.Send(wire.OpMulti, &m))
			}
		}
		for _, call := range calls {
			_ = call.Wait(ctx) // refused, or the end
		}
		if r.IntN(10) != 0 {
			continue
		}
		// The session ends, with all its nodes, and another one goes on.
		_ = c.CloseSession(ctx)
		next, err := client.Dial(ctx, addr, client.Options{SessionTimeout: 40 * time.Second})
		if err != nil {
			return
		}
		defer next.Abort()
		c = next
	}
}
