package badinput

import (
	"flag"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/history"
	"holt/compat/target"
	"holt/wire"
)

// seed and requests choose the random requests; a failure prints its seed.
var (
	seed     = flag.Uint64("seed", 1, "seed of the random requests")
	requests = flag.Int("requests", 3000, "number of random requests")
)

// wellFormed are requests to begin from, of every kind that both servers take from clients.
func wellFormed() map[wire.OpCode]wire.Record {
	acl := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}
	parts := []wire.MultiOp{
		{Op: wire.OpCreate, Record: &wire.CreateRequest{Path: "/m", Data: []byte("d"), ACL: acl}},
		{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: "/m", Data: []byte("e"), Version: -1}},
		{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/m", Version: 1}},
		{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: "/m", Version: -1}},
	}
	reads := []wire.MultiOp{
		{Op: wire.OpGetData, Record: &wire.GetDataRequest{Path: "/"}},
		{Op: wire.OpGetChildren, Record: &wire.GetChildrenRequest{Path: "/"}},
	}
	return map[wire.OpCode]wire.Record{
		wire.OpCreate:               &wire.CreateRequest{Path: "/r", Data: []byte("data"), ACL: acl, Flags: 2},
		wire.OpCreate2:              &wire.CreateRequest{Path: "/r", Data: []byte("data"), ACL: acl, Flags: 3},
		wire.OpDelete:               &wire.DeleteRequest{Path: "/r0000000001", Version: -1},
		wire.OpExists:               &wire.ExistsRequest{Path: "/r", Watch: true},
		wire.OpGetData:              &wire.GetDataRequest{Path: "/", Watch: true},
		wire.OpSetData:              &wire.SetDataRequest{Path: "/", Data: []byte("data"), Version: -1},
		wire.OpGetACL:               &wire.GetACLRequest{Path: "/"},
		wire.OpSetACL:               &wire.SetACLRequest{Path: "/r0000000002", ACL: acl, Version: -1},
		wire.OpGetChildren:          &wire.GetChildrenRequest{Path: "/", Watch: true},
		wire.OpGetChildren2:         &wire.GetChildren2Request{Path: "/", Watch: true},
		wire.OpSync:                 &wire.SyncRequest{Path: "/"},
		wire.OpMulti:                &wire.MultiRequest{Ops: parts},
		wire.OpMultiRead:            &wire.MultiRequest{Ops: reads},
		wire.OpAuth:                 &wire.AuthPacket{Scheme: "digest", Auth: []byte("a:b")},
		wire.OpSetWatches:           &wire.SetWatches{DataWatches: []string{"/a"}, ExistWatches: []string{"/b"}, ChildWatches: []string{"/c"}},
		wire.OpSetWatches2:          &wire.SetWatches2{PersistentWatches: []string{"/a", "/b"}},
		wire.OpAddWatch:             &wire.AddWatchRequest{Path: "/", Mode: 1},
		wire.OpRemoveWatches:        &wire.RemoveWatchesRequest{Path: "/", Type: 3},
		wire.OpCheckWatches:         &wire.CheckWatchesRequest{Path: "/", Type: 3},
		wire.OpGetEphemerals:        &wire.GetEphemeralsRequest{PrefixPath: "/"},
		wire.OpGetAllChildrenNumber: &wire.GetAllChildrenNumberRequest{Path: "/"},
		wire.OpWhoAmI:               nil,
		wire.OpCloseSession:         nil,
	}
}

// damage changes body at random: bytes flipped, cut off, put in, or a length overwritten.
func damage(body []byte, rng *rand.Rand) []byte {
	b := append([]byte(nil), body...)
	for range 1 + rng.IntN(3) {
		at := 0
		if len(b) > 0 {
			at = rng.IntN(len(b))
		}
		switch rng.IntN(4) {
		case 0:
			if len(b) > 0 {
				b[at] ^= 1 << rng.IntN(8)
			}
		case 1:
			b = b[:at]
		case 2:
			junk := make([]byte, rng.IntN(20))
			for i := range junk {
				junk[i] = byte(rng.Uint32())
			}
			b = append(b[:at:at], append(junk, b[at:]...)...)
		case 3:
			lengths := []int32{-1, -2, 0, 1 << 20, 1<<31 - 1, -1 << 31}
			if at+4 <= len(b) {
				copy(b[at:], i32(lengths[rng.IntN(len(lengths))]))
			}
		}
	}
	return b
}

// TestRandomRequests sends damaged requests to the members of three, several on each connection. A
// member answers and goes on, or closes; what it must not do is fall silent or lose count. In the
// end all three live and hold the same: what one of them took in, all had to apply. Of the original
// it is one server: three of it fall out with each other over some such requests.
func TestRandomRequests(t *testing.T) {
	n := 3
	if target.Kind(t) == ensemble.ZooKeeper {
		n = 1
	}
	e := target.Start(t, ensemble.Config{Members: n, Settings: []string{"extendedTypesEnabled=true"}})
	members := e.Members()
	beside := newWitness(t, members[0])
	rng := rand.New(rand.NewPCG(*seed, 0))
	var ops []wire.OpCode
	bodies := make(map[wire.OpCode][]byte)
	for op := wire.OpCode(-20); op < 120; op++ { // in order: a map's would not repeat
		if record, ok := wellFormed()[op]; ok {
			ops = append(ops, op)
			if record != nil {
				bodies[op] = record.AppendTo(nil)
			}
		}
	}
	var r *raw
	for i := range *requests {
		if r == nil {
			r = dialRaw(t, members[rng.IntN(len(members))].Addr())
			r.open()
		}
		r.extend()
		op := ops[rng.IntN(len(ops))]
		body := bodies[op]
		if rng.IntN(3) > 0 {
			body = damage(body, rng)
		}
		r.write(request(wire.Xid(i+1), op, body))
		did := r.reaction()
		if closed := strings.HasSuffix(did, "closed"); closed || rng.IntN(20) == 0 {
			r.conn.Close()
			r = nil
		} else if !strings.HasSuffix(did, "open") {
			t.Fatalf("seed %d, request %d, %v % x: %q", *seed, i, op, body, did)
		}
		if i%100 == 0 {
			beside.served(t)
		}
	}
	beside.served(t)
	var states []history.State
	for _, m := range members {
		if !m.Running() {
			t.Fatalf("seed %d: member %d has ended", *seed, m.ID())
		}
		s, err := history.ReadState(t.Context(), m.ID(), m.Addr(), "/")
		if err != nil {
			t.Fatal(err)
		}
		delete(s.Nodes, "/zookeeper/config") // each member of the original writes its own
		states = append(states, s)
	}
	for _, s := range states[1:] {
		if !maps.Equal(s.Nodes, states[0].Nodes) {
			t.Errorf("seed %d: members %d and %d hold different trees", *seed, states[0].Member, s.Member)
		}
	}
	t.Logf("%d nodes, the same at every member", len(states[0].Nodes))
}

// TestRandomBytes sends no frames at all.
func TestRandomBytes(t *testing.T) {
	m, _ := single(t)
	beside := newWitness(t, m)
	rng := rand.New(rand.NewPCG(*seed, 1))
	for i := range 300 {
		r := dialRaw(t, m.Addr())
		if i%2 == 0 {
			r.open()
		}
		junk := make([]byte, 1+rng.IntN(200))
		for i := range junk {
			junk[i] = byte(rng.Uint32())
		}
		junk[0] &= 0x8f // most lengths are refused at once; let some be waited for
		r.write(junk)
		if err := r.conn.(*net.TCPConn).CloseWrite(); err != nil && !isClosed(err) {
			t.Fatal(err)
		}
		for {
			if _, err := r.in.Next(); err != nil {
				if !isClosed(err) {
					t.Fatalf("seed %d, connection %d, % x: %v", *seed, i, junk, err)
				}
				break
			}
		}
	}
	beside.served(t)
}
