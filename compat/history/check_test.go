package history

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holt/wire"
)

// modelRun makes a history in which nothing is wrong, by doing random requests to a map one
// after the other. Requests overlap in time, some replies are lost, some requests too.
type modelRun struct {
	rng   *rand.Rand
	h     *History
	nodes map[string]Node
	zxid  wire.Zxid
	clock time.Duration
	seq   int
	made  map[int][]string // persistent nodes by client, to delete
}

const registers = 3

func goodHistory(seed uint64) *History {
	m := &modelRun{
		rng: rand.New(rand.NewPCG(seed, 0)), h: &History{Exact: true}, nodes: make(map[string]Node),
		zxid: wire.MakeZxid(1, 0), made: make(map[int][]string),
	}
	for i := range registers {
		m.nodes[fmt.Sprintf("/r%d", i)] = Node{}
	}
	const clients = 6
	for c := range clients {
		m.h.Sessions = append(m.h.Sessions, Session{ID: wire.SessionID(100 + c), Timeout: time.Second, Fate: Fate(c % 3)})
	}
	connections := make([]int, clients)
	ops := make([][]*Op, clients)
	for range 900 {
		c := m.rng.IntN(clients)
		o := m.op(c, len(ops[c]))
		o.Connection = connections[c]
		m.do(o)
		if !o.Known {
			connections[c]++
		}
		ops[c] = append(ops[c], o)
	}
	for _, o := range ops {
		m.h.Ops = append(m.h.Ops, o...)
	}
	m.h.Expired = []Expiry{{Session: 7, Timeout: time.Second, LastContact: time.Second, Told: 2 * time.Second}}
	m.endSessions()
	for i := range 3 {
		m.h.States = append(m.h.States, State{Member: i + 1, Nodes: maps.Clone(m.nodes)})
	}
	return m.h
}

func (m *modelRun) op(client, n int) *Op {
	o := &Op{
		Client: client, Session: wire.SessionID(100 + client), Version: -1, Kind: Kind(m.rng.IntN(7)),
		Token: fmt.Sprintf("t%d-%d", client, n), Path: fmt.Sprintf("/c%d-%d", client, n),
	}
	register := fmt.Sprintf("/r%d", m.rng.IntN(registers))
	switch o.Kind {
	case Create, CreateSeq:
		o.Ephemeral = m.rng.IntN(3) == 0
		if o.Kind == CreateSeq {
			o.Path = "/s-"
		}
	case Set:
		o.Path = register
		if m.rng.IntN(2) == 0 {
			o.Version = m.nodes[register].Stat.Version - int32(m.rng.IntN(2))
		}
	case Get, Sync:
		o.Path, o.Token = register, ""
	case Delete:
		o.Token = ""
		if made := m.made[client]; len(made) > 0 {
			o.Path, m.made[client] = made[len(made)-1], made[:len(made)-1]
		}
	}
	return o
}

// do applies o at one moment between its invocation and its return.
func (m *modelRun) do(o *Op) {
	o.Invoked = m.clock - time.Duration(m.rng.IntN(30))
	m.clock += 10
	o.Returned = m.clock + time.Duration(m.rng.IntN(30))
	lost := m.rng.IntN(40) == 0
	if lost && m.rng.IntN(2) == 0 {
		o.Returned = Never
		return // the request was lost, not the reply
	}
	if o.Write() {
		m.zxid++
	}
	stat, data := m.apply(o)
	if o.Known = !lost; lost {
		o.Returned, o.Err, o.Created = Never, 0, ""
		return
	}
	o.Zxid, o.Stat, o.Data = m.zxid, stat, data
}

// apply changes the nodes; it sets o's outcome too.
func (m *modelRun) apply(o *Op) (wire.Stat, string) {
	fresh := func() Node {
		n := Node{Data: o.Token, Stat: wire.Stat{Czxid: m.zxid, Mzxid: m.zxid}}
		if o.Ephemeral {
			n.Stat.EphemeralOwner = int64(o.Session)
		}
		return n
	}
	switch o.Kind {
	case Create, CreateSeq:
		o.Created = o.Path
		if o.Kind == CreateSeq {
			o.Created = fmt.Sprintf("%s%010d", o.Path, m.seq)
			m.seq++
		}
		m.nodes[o.Created] = fresh()
		if o.Kind == Create && !o.Ephemeral {
			m.made[o.Client] = append(m.made[o.Client], o.Path)
		}
	case CreatePair:
		for _, path := range o.paths() {
			m.nodes[path] = fresh()
		}
	case Set:
		n := m.nodes[o.Path]
		if o.Version >= 0 && o.Version != n.Stat.Version {
			o.Err = wire.ErrBadVersion
			break
		}
		n.Stat.Version++
		n.Stat.Mzxid, n.Data = m.zxid, o.Token
		m.nodes[o.Path] = n
		return n.Stat, ""
	case Delete:
		if _, ok := m.nodes[o.Path]; !ok {
			o.Err = wire.ErrNoNode
		}
		delete(m.nodes, o.Path)
	case Get:
		n := m.nodes[o.Path]
		return n.Stat, n.Data
	}
	return wire.Stat{}, ""
}

func (m *modelRun) endSessions() {
	for _, s := range m.h.Sessions {
		maps.DeleteFunc(m.nodes, func(_ string, n Node) bool {
			return s.Fate != Open && n.Stat.EphemeralOwner == int64(s.ID)
		})
	}
}

func TestGoodHistoriesPass(t *testing.T) {
	for seed := range uint64(50) {
		if found := Check(goodHistory(seed)); len(found) > 0 {
			t.Fatalf("seed %d: %v", seed, found)
		}
	}
}

// pick returns the n-th Op that suits, counted from a random one.
func pick(t *testing.T, h *History, rng *rand.Rand, suits func(*Op) bool) *Op {
	t.Helper()
	start := rng.IntN(len(h.Ops))
	for i := range h.Ops {
		if o := h.Ops[(start+i)%len(h.Ops)]; suits(o) {
			return o
		}
	}
	t.Fatal("no such request in the history")
	return nil
}

// everywhere changes the states of all members alike.
func everywhere(h *History, change func(nodes map[string]Node)) {
	for _, s := range h.States {
		change(s.Nodes)
	}
}

// there tells whether the node that o is known to have created is in the state.
func there(h *History, o *Op) bool {
	_, ok := h.States[0].Nodes[o.Created]
	return ok && o.OK()
}

// doctored are the ways to make a good history wrong, each with the rule that must see it.
func doctored(t *testing.T) map[string]struct {
	rule   string
	doctor func(h *History, rng *rand.Rand)
} {
	created := func(h *History, kinds ...Kind) func(*Op) bool {
		return func(o *Op) bool { return slices.Contains(kinds, o.Kind) && there(h, o) }
	}
	change := func(path string, f func(n *Node)) func(map[string]Node) {
		return func(nodes map[string]Node) {
			n := nodes[path]
			f(&n)
			nodes[path] = n
		}
	}
	knownSet := func(o *Op) bool { return o.Kind == Set && o.OK() }
	return map[string]struct {
		rule   string
		doctor func(h *History, rng *rand.Rand)
	}{
		"a member lost a node": {"agree", func(h *History, rng *rand.Rand) {
			delete(h.States[1].Nodes, pick(t, h, rng, created(h, Create, CreateSeq)).Created)
		}},
		"a member has a node more": {"agree", func(h *History, _ *rand.Rand) { h.States[2].Nodes["/more"] = Node{} }},
		"a member has another stat": {"agree", func(h *History, rng *rand.Rand) {
			path := pick(t, h, rng, created(h, Create, CreateSeq)).Created
			change(path, func(n *Node) { n.Stat.Pzxid++ })(h.States[2].Nodes)
		}},
		"all lost an acknowledged node": {"durable", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return created(h, Create, CreateSeq)(o) && !o.Ephemeral })
			everywhere(h, func(nodes map[string]Node) { delete(nodes, o.Created) })
		}},
		"a node has another czxid": {"stat", func(h *History, rng *rand.Rand) {
			everywhere(h, change(pick(t, h, rng, created(h, Create, CreateSeq)).Created, func(n *Node) { n.Stat.Czxid-- }))
		}},
		"a node has a version nobody set": {"stat", func(h *History, rng *rand.Rand) {
			everywhere(h, change(pick(t, h, rng, created(h, Create, CreateSeq)).Created, func(n *Node) { n.Stat.Version = 1 }))
		}},
		"a node has another's data": {"stat", func(h *History, rng *rand.Rand) {
			other := pick(t, h, rng, created(h, CreateSeq)).Token
			everywhere(h, change(pick(t, h, rng, created(h, Create)).Created, func(n *Node) { n.Data = other }))
		}},
		"data out of nowhere": {"traced", func(h *History, rng *rand.Rand) {
			everywhere(h, change(pick(t, h, rng, created(h, Create)).Created, func(n *Node) { n.Data = "nobody's" }))
		}},
		"a refused set was done": {"traced", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Kind == Set && o.Known && !o.OK() })
			everywhere(h, change(o.Path, func(n *Node) { n.Data = o.Token }))
		}},
		"a sequential create was done twice": {"once", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, created(h, CreateSeq))
			everywhere(h, func(nodes map[string]Node) { nodes["/s-9999999999"] = nodes[o.Created] })
		}},
		"a deleted node is there": {"gone", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Kind == Delete && o.OK() })
			everywhere(h, func(nodes map[string]Node) { nodes[o.Path] = Node{} })
		}},
		"half a multi": {"atomic", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Kind == CreatePair && o.OK() })
			everywhere(h, func(nodes map[string]Node) { delete(nodes, o.paths()[1]) })
		}},
		"a multi under two zxids": {"atomic", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Kind == CreatePair && o.OK() })
			everywhere(h, change(o.paths()[1], func(n *Node) { n.Stat.Czxid++ }))
		}},
		"a set was done twice": {"versions", func(h *History, _ *rand.Rand) {
			everywhere(h, change("/r0", func(n *Node) { n.Stat.Version += 50 }))
		}},
		"the last set is lost": {"versions", func(h *History, rng *rand.Rand) {
			last := pick(t, h, rng, knownSet)
			for _, o := range h.Ops {
				if knownSet(o) && o.Path == last.Path && o.Zxid > last.Zxid {
					last = o
				}
			}
			everywhere(h, change(last.Path, func(n *Node) { n.Stat.Version = last.Stat.Version - 1 }))
		}},
		"one version for two sets": {"versions", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return knownSet(o) && o.Stat.Version > 1 })
			o.Stat.Version--
		}},
		"a register went back to older data": {"versions", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool {
				return knownSet(o) && o.Stat.Version < h.States[0].Nodes[o.Path].Stat.Version
			})
			everywhere(h, change(o.Path, func(n *Node) { n.Data = o.Token }))
		}},
		"a condition was not kept": {"conditional", func(h *History, rng *rand.Rand) {
			pick(t, h, rng, func(o *Op) bool { return knownSet(o) && o.Version >= 0 }).Version--
		}},
		"two writes with one zxid": {"zxids", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Kind == CreatePair && o.OK() })
			pick(t, h, rng, func(p *Op) bool { return p.Kind == Create && p.OK() && p != o }).Zxid = o.Zxid
		}},
		"a later write got a lower zxid": {"realtime", func(h *History, rng *rand.Rand) {
			a := pick(t, h, rng, func(o *Op) bool { return o.Write() && o.OK() })
			b := pick(t, h, rng, func(o *Op) bool { return o.Write() && o.OK() && o.Invoked > a.Returned })
			a.Zxid, b.Zxid = b.Zxid, a.Zxid
		}},
		"requests of a connection changed places": {"fifo", func(h *History, rng *rand.Rand) {
			for i := 1; i < len(h.Ops); i++ {
				a, b := h.Ops[i-1], h.Ops[i]
				if a.Write() && b.Write() && a.OK() && b.OK() && a.Client == b.Client && a.Connection == b.Connection {
					a.Zxid, b.Zxid = b.Zxid, a.Zxid
					return
				}
			}
			t.Fatal("no such requests")
		}},
		"a request was skipped": {"fifo", func(h *History, rng *rand.Rand) {
			for i := 1; i < len(h.Ops); i++ {
				a, b := h.Ops[i-1], h.Ops[i]
				if a.Kind == CreatePair && a.OK() && b.Write() && b.OK() && a.Client == b.Client && a.Connection == b.Connection {
					a.Known = false
					everywhere(h, func(nodes map[string]Node) { delete(nodes, a.paths()[0]); delete(nodes, a.paths()[1]) })
					return
				}
			}
			t.Fatal("no such requests")
		}},
		"a session went back": {"monotonic", func(h *History, rng *rand.Rand) {
			pick(t, h, rng, func(o *Op) bool { return o.Kind == Get && o.Known && o.Zxid > h.Ops[0].Zxid }).Zxid = 1
		}},
		"a read from the past": {"read", func(h *History, rng *rand.Rand) {
			for _, r := range h.Ops {
				for _, s := range h.Ops {
					if r.Kind == Get && r.OK() && knownSet(s) && s.Path == r.Path && s.Zxid < r.Stat.Mzxid {
						r.Data, r.Stat = s.Token, s.Stat
						return
					}
				}
			}
			t.Fatal("no such requests")
		}},
		"a read from the future": {"read", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Kind == Get && o.OK() })
			o.Stat.Mzxid = o.Zxid + 1
		}},
		"a read of half a set": {"read", func(h *History, rng *rand.Rand) {
			known := make(map[wire.Zxid]bool)
			for _, o := range h.Ops {
				known[o.Zxid] = known[o.Zxid] || knownSet(o)
			}
			pick(t, h, rng, func(o *Op) bool { return o.Kind == Get && o.OK() && known[o.Stat.Mzxid] }).Data = h.Ops[0].Token + "?"
		}},
		"a sync was no barrier": {"barrier", func(h *History, rng *rand.Rand) {
			for i := 1; i < len(h.Ops); i++ {
				sync, get := h.Ops[i-1], h.Ops[i]
				if sync.Kind == Sync && get.Kind == Get && sync.OK() && get.OK() && sync.Client == get.Client && get.Stat.Version > 5 {
					get.Stat.Version -= 5
					return
				}
			}
			t.Fatal("no such requests")
		}},
		"an ephemeral outlived its session": {"owners", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Ephemeral && o.OK() && h.Sessions[o.Client].Fate != Open })
			everywhere(h, func(nodes map[string]Node) {
				nodes[o.Created] = Node{Data: o.Token, Stat: wire.Stat{Czxid: o.Zxid, EphemeralOwner: int64(o.Session)}}
			})
		}},
		"an ephemeral of nobody": {"owners", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Ephemeral && there(h, o) })
			everywhere(h, change(o.Created, func(n *Node) { n.Stat.EphemeralOwner = 4711 }))
		}},
		"an ephemeral became persistent": {"owners", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Ephemeral && there(h, o) })
			everywhere(h, change(o.Created, func(n *Node) { n.Stat.EphemeralOwner = 0 }))
		}},
		"a live session lost its ephemeral": {"durable", func(h *History, rng *rand.Rand) {
			o := pick(t, h, rng, func(o *Op) bool { return o.Ephemeral && there(h, o) })
			everywhere(h, func(nodes map[string]Node) { delete(nodes, o.Created) })
		}},
		"a session expired early": {"expiry", func(h *History, _ *rand.Rand) { h.Expired[0].Told -= time.Millisecond }},
	}
}

func TestDoctoredHistoriesFail(t *testing.T) {
	seen := make(map[string]bool)
	for name, tc := range doctored(t) {
		seen[tc.rule] = true
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				h := goodHistory(seed)
				tc.doctor(h, rand.New(rand.NewPCG(seed, 1)))
				found := Check(h)
				if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == tc.rule }) {
					t.Errorf("seed %d: rule %s saw nothing; found %v", seed, tc.rule, found)
				}
			}
		})
	}
	for _, r := range rules() {
		if !seen[r.name] {
			t.Errorf("no history is doctored to fail rule %s", r.name)
		}
	}
}
