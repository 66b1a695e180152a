package history

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
)

var (
	rounds = flag.Int("rounds", 30, "rounds of killing members")
	seed   = flag.Uint64("seed", 0, "seed of what clients do and when members die; 0 takes one from the clock")
)

// Sizes of a round.
const (
	clientsPerRound = 9
	registersOfKill = 4
	pace            = 10 * time.Millisecond // between a client's batches
	longSession     = 10 * time.Second
	shortSession    = 2 * time.Second  // of clients that will leave without a word
	roundTimeout    = 90 * time.Second // everything in a round, elections and restarts included
)

// TestKillsUnderLoad kills the leader, a follower or all three members with SIGKILL at random
// moments under load, round after round on the same ensemble, and checks the history of every
// round: after it, and once more when all rounds are over.
func TestKillsUnderLoad(t *testing.T) {
	e := target.Start(t, ensemble.Config{Members: 3, Settings: []string{"tickTime=500", "initLimit=20", "syncLimit=10"}})
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	k := &killer{e: e, exact: target.Kind(t) == ensemble.Holt}
	for n := range *rounds {
		victims := []string{"leader", "follower", "all"}[n%3]
		k.round(t, n, victims, rng)
		if t.Failed() {
			return
		}
	}
	k.finalCheck(t)
	if k.unknown == 0 {
		t.Error("no request was in flight at a kill: the test shows nothing")
	}
	t.Logf("%d writes acknowledged, %d requests of unknown outcome", k.acknowledged, k.unknown)
}

// killer is the state that outlives a round.
type killer struct {
	e         *ensemble.Ensemble
	exact     bool
	histories []*History // of all rounds, in order

	acknowledged, unknown int
}

func rootOf(round int) string { return fmt.Sprintf("/k%03d", round) }

func (k *killer) round(t *testing.T, n int, victims string, rng *rand.Rand) {
	ctx, cancel := context.WithTimeout(t.Context(), roundTimeout)
	defer cancel()
	root := rootOf(n)
	if err := MakeRegisters(ctx, root, registersOfKill, k.e.Addrs()...); err != nil {
		t.Fatal(err)
	}
	rec := NewRecorder()
	crew := newCrew(ctx, rec, root, k.e.Addrs(), rng)
	crew.start(t)
	resumed := k.kill(ctx, t, rec, victims, rng)
	crew.stop()
	crew.leave(t)
	states := k.states(ctx, t, root, crew)
	crew.stillThere(t)
	h := rec.History(states, k.exact)
	for _, v := range Check(h) {
		t.Error(v)
	}
	crew.closeAll(t)
	k.count(h)
	k.histories = append(k.histories, h)
	t.Logf("round %d, %s: %d nodes, %d acknowledged so far, writes resumed after %v", n, victims, len(states[0].Nodes), k.acknowledged, resumed)
}

func (k *killer) count(h *History) {
	for _, o := range h.Ops {
		if !o.Known {
			k.unknown++
		} else if o.Write() && o.OK() {
			k.acknowledged++
		}
	}
}

// kill lets the load run, kills, restarts, and lets the load run on. It returns how long after
// the kill writes were acknowledged again.
func (k *killer) kill(ctx context.Context, t *testing.T, rec *Recorder, victims string, rng *rand.Rand) time.Duration {
	t.Helper()
	millis := func(low, high int) { pause(ctx, time.Duration(low+rng.IntN(high-low))*time.Millisecond) }
	millis(300, 1500)
	var chosen []*ensemble.Member
	leader := target.Leader(t, k.e)
	for _, m := range k.e.Members() {
		if victims == "all" || victims == "leader" && m == leader || victims == "follower" && m != leader && len(chosen) == 0 {
			chosen = append(chosen, m)
		}
	}
	if rec.Acknowledged() == 0 {
		t.Fatal("no write was acknowledged before the kill")
	}
	var wg sync.WaitGroup
	killedAt := rec.now()
	for _, m := range chosen {
		wg.Go(func() {
			if err := m.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	goneAt := rec.now()
	millis(1, 1000)
	if rng.IntN(2) == 0 {
		k.killAgain(ctx, t, rng)
		goneAt = rec.now()
	}
	if err := k.e.StartAll(ctx); err != nil {
		t.Fatal(err)
	}
	millis(300, 800)
	for {
		if at, ok := rec.resumedAfter(goneAt); ok {
			return (at - killedAt).Round(time.Millisecond)
		}
		if ctx.Err() != nil {
			t.Fatal("writes do not resume")
		}
		millis(10, 20)
	}
}

// killAgain kills a member while those that were killed are starting.
func (k *killer) killAgain(ctx context.Context, t *testing.T, rng *rand.Rand) {
	t.Helper()
	for _, m := range k.e.Members() {
		if !m.Running() {
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	pause(ctx, time.Duration(rng.IntN(600))*time.Millisecond)
	if err := k.e.Members()[rng.IntN(len(k.e.Members()))].Kill(); err != nil {
		t.Fatal(err)
	}
}

// resumedAfter returns when the first write was acknowledged that was sent after at.
func (r *Recorder) resumedAfter(at time.Duration) (first time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = Never
	for _, ops := range r.ops {
		for _, o := range ops {
			if o.Write() && o.OK() && o.Invoked > at {
				first = min(first, o.Returned)
			}
		}
	}
	return first, first != Never
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// states reads the subtree at every member, once the sessions that ended have no nodes left or
// had long enough to lose them. The others are kept alive meanwhile.
func (k *killer) states(ctx context.Context, t *testing.T, root string, crew *crew) []State {
	t.Helper()
	gone := crew.goneBy()
	for deadline := time.Now().Add(shortSession + 15*time.Second); ; {
		s, err := ReadState(ctx, 1, k.e.Addrs()[0], root)
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, n := range s.Nodes {
			if gone[wire.SessionID(n.Stat.EphemeralOwner)] {
				left++
			}
		}
		crew.stillThere(t)
		if left == 0 || time.Now().After(deadline) {
			break
		}
		pause(ctx, 200*time.Millisecond)
	}
	return readStates(ctx, t, k.e, root)
}

func readStates(ctx context.Context, t *testing.T, e *ensemble.Ensemble, root string) []State {
	t.Helper()
	var states []State
	for _, m := range e.Members() {
		s, err := ReadState(ctx, m.ID(), m.Addr(), root)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, s)
	}
	return states
}

// finalCheck judges all rounds again by what is there now: nothing may have been lost later. All
// their sessions have been closed since.
func (k *killer) finalCheck(t *testing.T) {
	for n, h := range k.histories {
		h.States = readStates(t.Context(), t, k.e, rootOf(n))
		for i := range h.Sessions {
			h.Sessions[i].Fate = Closed
		}
		for _, v := range Check(h) {
			t.Errorf("round %d, at the end: %v", n, v)
		}
	}
	compareDigests(t, k.e)
}

// compareDigests compares the digests that members list for the same zxid, where they list any.
func compareDigests(t *testing.T, e *ensemble.Ensemble) {
	digests := make(map[string]string) // by zxid
	compared := 0
	for _, m := range e.Members() {
		text, err := m.FourLetterWord(t.Context(), "hash")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			zxid, digest, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok {
				continue
			}
			if other, ok := digests[zxid]; ok {
				compared++
				if other != digest {
					t.Errorf("digests of %s differ: %s and %s", zxid, other, digest)
				}
			}
			digests[zxid] = digest
		}
	}
	if compared == 0 {
		t.Error("no digests to compare")
	}
	t.Logf("%d digests compared", compared)
}

// crew is the clients of one round.
type crew struct {
	ctx     context.Context
	rec     *Recorder
	root    string
	members []*mate
	halt    atomic.Bool
	wg      sync.WaitGroup
}

// mate is one client and how it will leave.
type mate struct {
	*Client
	fate    Fate
	rng     *rand.Rand
	n       int      // requests so far
	deletes []string // nodes it made and may delete
	version int32    // of the register of its own, as far as it knows
}

func newCrew(ctx context.Context, rec *Recorder, root string, addrs []string, rng *rand.Rand) *crew {
	w := &crew{ctx: ctx, rec: rec, root: root}
	for i := range clientsPerRound {
		// Each member gets a third of them at first.
		order := append(append([]string(nil), addrs[i%len(addrs):]...), addrs[:i%len(addrs)]...)
		fate := Fate(i / 3 % 3)
		timeout := longSession
		if fate == Abandoned {
			timeout = shortSession
		}
		w.members = append(w.members, &mate{
			Client: NewClient(rec, i, timeout, order...), fate: fate, rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(i))),
		})
	}
	return w
}

func (w *crew) start(t *testing.T) {
	for _, m := range w.members {
		w.wg.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for !w.halt.Load() && w.ctx.Err() == nil {
				m.batch(w.ctx, w.root)
				<-tick.C
			}
			if w.ctx.Err() != nil {
				t.Errorf("client %d: %v", m.id, context.Cause(w.ctx))
			}
		})
	}
}

func (w *crew) stop() {
	w.halt.Store(true)
	w.wg.Wait()
}

// batch sends one to four random requests.
func (m *mate) batch(ctx context.Context, root string) {
	var ops []*Op
	for range 1 + m.rng.IntN(4) {
		o := m.op(root)
		if o.Kind == Get && m.rng.IntN(2) == 0 {
			ops = append(ops, &Op{Kind: Sync, Path: o.Path})
		}
		ops = append(ops, o)
	}
	if err := m.Do(ctx, ops...); err != nil {
		return // the connection broke; the next batch reconnects
	}
	for _, o := range ops {
		switch {
		case o.OK() && o.Kind == Create && !o.Ephemeral:
			m.deletes = append(m.deletes, o.Path)
		case o.OK() && (o.Kind == Set || o.Kind == Get):
			m.version = o.Stat.Version
		}
	}
}

func (m *mate) op(root string) *Op {
	m.n++
	o := &Op{
		Kind: Kind(m.rng.IntN(6)), Version: -1,
		Path: fmt.Sprintf("%s/c%d-%d-", root, m.id, m.n), Token: fmt.Sprintf("%d-%d", m.id, m.n),
	}
	switch o.Kind {
	case Create:
		o.Ephemeral = m.rng.IntN(3) == 0
	case CreateSeq:
		o.Path, o.Ephemeral = root+"/s-", m.rng.IntN(3) == 0
	case Set, Get:
		o.Path = fmt.Sprintf("%s/r%d", root, m.rng.IntN(registersOfKill))
		if o.Kind == Get {
			o.Token = ""
		} else if m.rng.IntN(3) == 0 {
			o.Version = m.version
		}
	case Delete:
		o.Token = ""
		if len(m.deletes) > 0 {
			o.Path, m.deletes = m.deletes[0], m.deletes[1:]
		}
	}
	return o
}

// leave lets each client meet its fate.
func (w *crew) leave(t *testing.T) {
	for _, m := range w.members {
		switch m.fate {
		case Abandoned:
			m.Abandon()
		case Closed:
			if err := m.Close(w.ctx); err != nil {
				t.Logf("client %d: close: %v", m.id, err)
			}
		}
	}
}

// goneBy returns the sessions that must end.
func (w *crew) goneBy() map[wire.SessionID]bool {
	gone := make(map[wire.SessionID]bool)
	for _, m := range w.members {
		gone[m.session.ID] = m.fate != Open
	}
	return gone
}

// stillThere shows that the sessions which were to stay have stayed.
func (w *crew) stillThere(t *testing.T) {
	for _, m := range w.members {
		if m.fate != Open {
			continue
		}
		id := m.session.ID
		if err := m.Do(w.ctx, &Op{Kind: Get, Path: w.root + "/r0"}); err != nil || m.session.ID != id {
			t.Errorf("client %d: session %v, had %v: %v", m.id, m.session.ID, id, err)
		}
	}
}

func (w *crew) closeAll(t *testing.T) {
	for _, m := range w.members {
		if m.fate == Open {
			if err := m.Close(w.ctx); err != nil {
				t.Errorf("client %d: close: %v", m.id, err)
			}
		}
	}
}
