package server

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"holt/wire"
	"holt/znode"
)

func parent(path string, pzxid wire.Zxid) *znode.Node {
	return &znode.Node{Path: path, Czxid: 1, Pzxid: pzxid, NumChildren: 1}
}

func TestListIsKeptWhenItIsReadTwiceUnchanged(t *testing.T) {
	c := newListCache(1 << 20)
	// read returns what the cache has, and lets it keep names if it likes.
	read := func(n *znode.Node, names string) string {
		got, place := c.find(n)
		c.keep(place, []byte(names))
		return string(got)
	}
	for i, step := range []struct {
		pzxid       wire.Zxid
		names, want string
	}{
		{5, "first", ""}, // once is not enough
		{5, "first", ""},
		{5, "", "first"},
		{5, "", "first"},
		{6, "second", ""},
		{7, "third", ""},
		{7, "third", ""},
		{7, "", "third"},
		{6, "older", ""}, // who held an older node gets no newer list
	} {
		if got := read(parent("/a", step.pzxid), step.names); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	again := parent("/a", 6)
	again.Czxid = 2
	if got := read(again, ""); got != "" {
		t.Errorf("the list of another node of that path: %q", got)
	}
}

func TestListGatheredForAnotherTreeIsNotKept(t *testing.T) {
	c := newListCache(1 << 20)
	n := parent("/a", 5)
	c.find(n)
	_, place := c.find(n)
	c.clear()
	c.find(n)
	c.keep(place, []byte("old"))
	if names, _ := c.find(n); names != nil {
		t.Errorf("got %q", names)
	}
}

func TestListCacheIsBounded(t *testing.T) {
	const max = 64 << 10
	c := newListCache(max)
	for i := range 10_000 {
		n := parent(fmt.Sprintf("/n%d", i), 5)
		c.find(n)
		_, place := c.find(n)
		c.keep(place, make([]byte, i%(max/3)))
		if c.bytes > max {
			t.Fatalf("%d bytes after %d lists", c.bytes, i)
		}
	}
	sum := 0
	for _, e := range c.places {
		sum += e.Value.(*keptList).size()
	}
	if sum != c.bytes || c.order.Len() != len(c.places) || sum < max/2 {
		t.Errorf("%d bytes counted, %d there; %d places, %d in order", c.bytes, sum, len(c.places), c.order.Len())
	}
}

// Every listing must be that of the tree at its time, whatever was kept before.
func TestChildrenAreThoseOfTheTreeWhateverIsKept(t *testing.T) {
	s := newServer(t, nil)
	s.lists.max = 16 << 10 // so that lists are given up too
	c := connect(t, s, wire.ConnectRequest{})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	want := map[string]map[string]bool{}
	for step := range 6000 {
		at := fmt.Sprintf("/p%d", rng.IntN(3))
		name := fmt.Sprintf("child%04d", rng.IntN(2*listInline))
		switch k := rng.IntN(20); {
		case want[at] == nil:
			c.call(wire.OpCreate, create(at, "", 0), nil)
			want[at] = map[string]bool{}
			if at != "/p0" { // some begin long
				for i := range listInline + 10 {
					child := fmt.Sprintf("child%04d", i)
					c.call(wire.OpCreate, create(at+"/"+child, "", 0), nil)
					want[at][child] = true
				}
			}
		case k == 0 && want[at][name]:
			c.call(wire.OpDelete, &wire.DeleteRequest{Path: at + "/" + name, Version: -1}, nil)
			delete(want[at], name)
		case k == 1 && !want[at][name]:
			c.call(wire.OpCreate, create(at+"/"+name, "", 0), nil)
			want[at][name] = true
		case k == 2 && len(want[at]) < 10:
			ops := wire.MultiRequest{}
			for child := range want[at] {
				ops.Ops = append(ops.Ops, wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: at + "/" + child, Version: -1}})
			}
			ops.Ops = append(ops.Ops, wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: at, Version: -1}})
			c.call(wire.OpMulti, &ops, nil)
			delete(want, at)
		default:
			var got wire.GetChildren2Response
			c.call(wire.OpGetChildren2, &wire.GetChildren2Request{Path: at}, &got)
			var names []string
			for child := range want[at] {
				names = append(names, child)
			}
			slices.Sort(names)
			if !slices.Equal(got.Children, names) || int(got.Stat.NumChildren) != len(names) {
				t.Fatalf("step %d: %s has %s, want %s", step, at, strings.Join(got.Children, " "), strings.Join(names, " "))
			}
			if k%4 == 0 { // the same lists serve multiRead, here twice and beside a node's data
				list := wire.MultiOp{Op: wire.OpGetChildren, Record: &wire.GetChildrenRequest{Path: at}}
				data := wire.MultiOp{Op: wire.OpGetData, Record: &wire.GetDataRequest{Path: at}}
				none := wire.MultiOp{Op: wire.OpGetChildren, Record: &wire.GetChildrenRequest{Path: "/none"}}
				var parts wire.MultiResponse
				c.call(wire.OpMultiRead, &wire.MultiRequest{Ops: []wire.MultiOp{list, data, none, list}}, &parts)
				if r := parts.Results; len(r) != 4 || !slices.Equal(r[0].Children, names) || !slices.Equal(r[3].Children, names) ||
					int(r[1].Stat.NumChildren) != len(names) || r[2].Err != wire.ErrNoNode {
					t.Fatalf("step %d: multiRead of %s: %+v, want %s", step, at, r, strings.Join(names, " "))
				}
			}
		}
	}
}

// A multiRead that asks for more than may be answered fails as a whole, be it much
// data, short lists or long ones, and holds no views and no events back.
func TestMultiReadIsBounded(t *testing.T) {
	s := newServer(t, nil)
	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/data", strings.Repeat("x", 1<<20-1000), 0), nil)
	children := map[string]int{"/short": listInline, "/long": listInline + 1}
	for path, n := range children {
		c.call(wire.OpCreate, create(path, "", 0), nil)
		for i := range n {
			c.call(wire.OpCreate, create(fmt.Sprintf("%s/%s%04d", path, strings.Repeat("x", 400), i), "", 0), nil)
		}
	}
	for _, tc := range []struct {
		path string
		n    int
		code wire.ErrCode
	}{
		{"/data", 15, wire.OK}, {"/data", 18, wire.ErrMarshallingError},
		{"/short", 70, wire.OK}, {"/short", 90, wire.ErrMarshallingError},
		{"/long", 70, wire.OK}, {"/long", 90, wire.ErrMarshallingError}, {"/long", 10_000, wire.ErrMarshallingError},
	} {
		s.lists.clear()
		var req wire.MultiRequest
		for range tc.n {
			op := wire.MultiOp{Op: wire.OpGetChildren, Record: &wire.GetChildrenRequest{Path: tc.path}}
			if tc.path == "/data" {
				op = wire.MultiOp{Op: wire.OpGetData, Record: &wire.GetDataRequest{Path: tc.path}}
			}
			req.Ops = append(req.Ops, op)
		}
		xid := c.send(wire.OpMultiRead, &req)
		d := wire.NewDecoder(c.read())
		var h wire.ReplyHeader
		h.Decode(d)
		if h.Xid != xid || h.Err != tc.code {
			t.Errorf("%d of %s: %+v, want %v", tc.n, tc.path, h, tc.code)
		}
	}
	c.call(wire.OpCreate, create("/after", "", 0), nil)
}

func BenchmarkMultiReadChildren(b *testing.B) {
	s := newServer(b, nil)
	c := connect(b, s, wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/p", "", 0), nil)
	for i := range 1000 {
		c.call(wire.OpCreate, create(fmt.Sprintf("/p/child%04d", i), "", 0), nil)
	}
	req := &wire.MultiRequest{Ops: []wire.MultiOp{{Op: wire.OpGetChildren, Record: &wire.GetChildrenRequest{Path: "/p"}}}}
	for b.Loop() {
		c.call(wire.OpMultiRead, req, nil)
	}
}

func BenchmarkGetChildren(b *testing.B) {
	for _, bm := range []struct {
		name            string
		children, cache int
	}{
		{"none", 0, listCacheBytes}, {"10", 10, listCacheBytes}, {"1000", 1000, listCacheBytes}, {"1000 gathered", 1000, 0},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := newServer(b, nil)
			s.lists.max = bm.cache
			c := connect(b, s, wire.ConnectRequest{})
			c.call(wire.OpCreate, create("/p", "", 0), nil)
			for i := range bm.children {
				c.call(wire.OpCreate, create(fmt.Sprintf("/p/child%04d", i), "", 0), nil)
			}
			for b.Loop() {
				c.call(wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/p"}, nil)
			}
		})
	}
}
