package server

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/wire"
)

// TestReconfigCrash has all members of an ensemble crash together before every single write to one of
// their disks, while a newcomer that has started takes the place of a member, and before every fourth while
// it starts: as if they were killed, and as if the power failed. What they come back with is the old members or the new ones, the same on all;
// what was acknowledged is there; and the same request finishes the change.
func TestReconfigCrash(t *testing.T) {
	for name, which := range map[string]func(leader uint64) uint64{
		"a follower": func(leader uint64) uint64 { return others(leader)[1] },
		"the leader": func(leader uint64) uint64 { return leader },
	} {
		t.Run(name, func(t *testing.T) {
			abandons(t)
			var r crashRecorder
			synctest.Test(t, func(t *testing.T) { r.record(t, which) })
			counts := map[string]int{}
			for i := range r.taken {
				// The two kinds of crash take turns: what is next to a write of one is next to that of the other, too.
				passed := t.Run(fmt.Sprintf("%d %s", i, &r.taken[i]), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { counts[r.comeBack(t, &r.taken[i])]++ })
				})
				if !passed {
					return
				}
			}
			t.Logf("%d crashes: %v", len(r.taken), counts)
			if counts["old"] == 0 || counts["new"] == 0 || len(r.taken) < 40 {
				t.Errorf("too few: %d crashes: %v", len(r.taken), counts)
			}
		})
	}
}

// crashRecorder takes images of all disks before each write.
type crashRecorder struct {
	mu       sync.Mutex
	every    int // of the writes, those before which there is a crash; 0: none
	writes   int
	disks    map[uint64]*vfs.MemFS
	taken    []crashImage
	acked    int // nodes that were acknowledged
	answered bool

	leaving uint64
	old     string // lines
}

// crashImage is what a crash leaves.
type crashImage struct {
	op       string
	power    bool // failed: what was not synced is gone
	disks    map[uint64]*vfs.MemFS
	acked    int
	answered bool
}

func (c *crashImage) String() string {
	return fmt.Sprintf("%s, power lost %v, %d acknowledged, change acknowledged %v", c.op, c.power, c.acked, c.answered)
}

// disk is that of a member. While an image is taken nobody writes, so that no disk has what follows from what
// another's image lacks.
func (r *crashRecorder) disk(id uint64) vfs.FS {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.disks == nil {
		r.disks = map[uint64]*vfs.MemFS{}
	}
	mem := vfs.NewCrashableMem()
	r.disks[id] = mem
	return errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.writes++; r.every == 0 || r.writes%r.every != 0 {
			return nil
		}
		c := crashImage{
			op: fmt.Sprintf("before member %d %v %s", id, op.Kind, op.Path), power: len(r.taken)%2 == 0,
			disks: map[uint64]*vfs.MemFS{}, acked: r.acked, answered: r.answered,
		}
		for id, d := range r.disks {
			cfg := vfs.CrashCloneCfg{}
			if !c.power {
				cfg = vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}
			}
			c.disks[id] = d.CrashClone(cfg)
		}
		r.taken = append(r.taken, c)
		return nil
	}))
}

func (r *crashRecorder) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// request is the change: a newcomer takes a member's place.
func (r *crashRecorder) request() wire.ReconfigRequest {
	return wire.ReconfigRequest{JoiningServers: text("server.4=m4:1:2;m4:3"), LeavingServers: text(fmt.Sprint(r.leaving)), CurConfigID: -1}
}

// record makes the change once.
func (r *crashRecorder) record(t *testing.T, which func(leader uint64) uint64) {
	e := newTestEnsembleOf(t, func(id uint64, c *Config) {
		reconfigurable(id, c)
		c.FS = r.disk(id)
	})
	leader := e.leader(1, 2, 3)
	r.leaving = which(leader)
	c := connect(t, e.servers[others(r.leaving)[0]], wire.ConnectRequest{TimeoutMillis: 40_000})
	write := func() {
		t.Helper()
		if h := c.call(wire.OpCreate, create(fmt.Sprintf("/n%d", r.acked), "", 0), nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		r.note(func() { r.acked++ })
	}
	write()
	r.old = r.lines(t, c)
	r.note(func() { r.every = 4 }) // most are those of an empty disk
	e.newcomer(4)
	write()
	r.note(func() { r.every = 1 })
	req := r.request()
	if h, _ := c.reconfig(req); h.Err != wire.OK {
		t.Fatal(h.Err)
	}
	r.note(func() { r.answered = true })
	write()
	e.expelled(r.leaving)
	r.note(func() { r.every = 0 })
}

// lines is the configuration as a client reads it after a sync, without the version.
func (r *crashRecorder) lines(t *testing.T, c *rawConn) string {
	t.Helper()
	c.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
	var get wire.GetDataResponse
	if h := c.call(wire.OpGetData, &wire.GetDataRequest{Path: "/zookeeper/config"}, &get); h.Err != wire.OK {
		t.Fatal(h.Err)
	}
	lines, _, _ := strings.Cut(string(get.Data), "\nversion=")
	return lines
}

// comeBack starts all members on what is left and tells which configuration they have.
func (r *crashRecorder) comeBack(t *testing.T, image *crashImage) (which string) {
	time.Sleep(time.Hour) // the bubble's clock begins where the other's did: ids of sessions would come again
	e := newTestEnsembleUnready(t, func(id uint64, c *Config) {
		reconfigurable(id, c)
		c.FS = image.disks[id]
	})
	if image.disks[4] == nil {
		image.disks[4] = vfs.NewMem()
	}
	e.start(4)
	stay := append(others(r.leaving), 4)
	for _, id := range stay {
		select {
		case <-e.servers[id].Ready():
		case err := <-e.servers[id].Failed():
			t.Errorf("member %d ends: %v", id, err)
			return ""
		case <-time.After(time.Minute):
			t.Errorf("member %d does not serve: %+v", id, e.servers[id].peers.Status())
			return ""
		}
	}
	time.Sleep(5 * time.Second) // who was given a snapshot has closed its clients
	conns := map[uint64]*rawConn{}
	found := map[string]bool{}
	for _, id := range stay {
		select {
		case err := <-e.servers[id].Failed():
			t.Fatalf("member %d ends: %v", id, err)
		default:
		}
		conns[id] = connect(t, e.servers[id], wire.ConnectRequest{TimeoutMillis: 40_000})
		found[r.lines(t, conns[id])] = true
		for i := range image.acked {
			if h := conns[id].call(wire.OpExists, &wire.ExistsRequest{Path: fmt.Sprintf("/n%d", i)}, nil); h.Err != wire.OK {
				t.Errorf("member %d: node %d of %d: %v", id, i, image.acked, h.Err)
			}
		}
	}
	which = "new"
	if found[r.old] {
		which = "old"
	}
	if len(found) != 1 || which == "old" && image.answered {
		t.Errorf("the members' configurations are %v", found)
	}
	c := conns[stay[0]]
	req := r.request()
	h, resp := c.reconfig(req)
	for range 100 { // until enough of the new voters have caught up
		if h.Err != wire.ErrNewConfigNoQuorum && h.Err != wire.ErrReconfigInProgress {
			break
		}
		time.Sleep(100 * time.Millisecond)
		h, resp = c.reconfig(req)
	}
	if h.Err != wire.OK || strings.Count(string(resp.Data), "server.") != 3 || !strings.Contains(string(resp.Data), "server.4=m4:1:2:participant") {
		t.Errorf("the change again: %v\n%s", h.Err, resp.Data)
	}
	if which == "new" && !found[strings.Split(string(resp.Data), "\nversion=")[0]] {
		t.Errorf("neither the old members nor the new ones: %v", found)
	}
	if h := c.call(wire.OpCreate, create("/after", "", 0), nil); h.Err != wire.OK {
		t.Errorf("a write afterwards: %v", h.Err)
	}
	e.expelled(r.leaving)
	e.leader(stay...)
	for id := range maps.Keys(e.servers) {
		if s := e.servers[id].peers.Status(); len(s.Members) != 3 || s.Joint {
			t.Errorf("member %d: %+v", id, s)
		}
	}
	return which
}
