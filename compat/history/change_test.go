package history

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

var changes = flag.Int("changes", 12, "changes of members under which one is killed")

// changer changes the members of an ensemble under load.
type changer struct {
	t   *testing.T
	ctx context.Context
	e   *ensemble.Ensemble
	in  []*ensemble.Member // the members at present
}

func newChanger(ctx context.Context, t *testing.T) *changer {
	e := target.Start(t, ensemble.Config{Members: 3, Reconfigurable: true, Settings: []string{
		"tickTime=500", "initLimit=20", "syncLimit=10", "skipACL=yes"}})
	return &changer{t: t, ctx: ctx, e: e, in: slices.Clone(e.Members())}
}

// newcomer lays out a member; start starts it, with nothing on its disk.
func (c *changer) newcomer() *ensemble.Member {
	c.t.Helper()
	m, err := c.e.Newcomer(c.e.Members())
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *changer) start(ms ...*ensemble.Member) {
	c.t.Helper()
	for _, m := range ms {
		if !m.Running() {
			if err := m.Start(); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	for _, m := range ms {
		if err := m.Ready(c.ctx); err != nil {
			c.t.Fatal(err)
		}
	}
}

// ask sends one reconfig to one of the members and returns what comes of it.
func (c *changer) ask(add, remove []*ensemble.Member) error {
	conn, err := c.connect(remove)
	if err != nil {
		return err
	}
	return c.askOver(conn, add, remove)
}

// connect makes a session with a member that stays.
func (c *changer) connect(remove []*ensemble.Member) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	last := errors.New("no member runs")
	for _, m := range c.in {
		if slices.Contains(remove, m) || !m.Running() {
			continue
		}
		conn, err := client.Dial(ctx, m.Addr(), client.Options{SessionTimeout: 5 * time.Second})
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// askOver sends one reconfig over a connection, which it closes.
func (c *changer) askOver(conn *client.Conn, add, remove []*ensemble.Member) error {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	req := &wire.ReconfigRequest{CurConfigID: -1}
	var joining, leaving []string
	for _, m := range add {
		joining = append(joining, fmt.Sprintf("server.%d=%s", m.ID(), m.Spec))
	}
	for _, m := range remove {
		leaving = append(leaving, fmt.Sprint(m.ID()))
	}
	j, l := strings.Join(joining, ","), strings.Join(leaving, ",")
	req.JoiningServers, req.LeavingServers = &j, &l
	_, _, err := conn.Reconfig(ctx, req)
	return errors.Join(err, conn.CloseSession(ctx))
}

// change has the members changed, however often it has to ask.
func (c *changer) change(add, remove []*ensemble.Member) time.Duration {
	c.t.Helper()
	began := time.Now()
	for err := c.ask(add, remove); err != nil; err = c.ask(add, remove) {
		if c.ctx.Err() != nil || errors.Is(err, wire.ErrBadArguments) {
			c.t.Fatalf("add %v, remove %v: %v", add, remove, err)
		}
		pause(c.ctx, 50*time.Millisecond)
	}
	c.in = slices.DeleteFunc(c.in, func(m *ensemble.Member) bool { return slices.Contains(remove, m) })
	for _, m := range add {
		if !slices.Contains(c.in, m) {
			c.in = append(c.in, m)
		}
	}
	return time.Since(began)
}

// removed waits until a member has ended because it is none any more, and says so.
func (c *changer) removed(m *ensemble.Member) {
	c.t.Helper()
	code, err := m.Wait(c.ctx)
	if err != nil {
		c.t.Fatalf("member %d does not end after its removal: %v", m.ID(), err)
	}
	text, err := os.ReadFile(m.LogPath())
	if err != nil {
		c.t.Fatal(err)
	}
	if code != 3 || !strings.Contains(string(text), "was removed from the ensemble") {
		c.t.Errorf("member %d ended with %d", m.ID(), code)
	}
}

// gap is the longest time between two acknowledgements of writes, from a moment on.
func (r *Recorder) gap(from time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := []time.Duration{from, r.now()}
	for _, ops := range r.ops {
		for _, o := range ops {
			if o.Write() && o.OK() && o.Returned > from {
				at = append(at, o.Returned)
			}
		}
	}
	slices.Sort(at)
	var longest time.Duration
	for i := range at[1:] {
		longest = max(longest, at[i+1]-at[i])
	}
	return longest
}

// finish ends the load and judges the history.
func (c *changer) finish(rec *Recorder, w *crew) {
	c.t.Helper()
	w.stop()
	w.leave(c.t)
	// Sessions that were left must end first; longer than any other reason takes.
	deadline := time.Now().Add(shortSession + 15*time.Second)
	for gone := w.goneBy(); time.Now().Before(deadline); pause(c.ctx, 200*time.Millisecond) {
		s, err := ReadState(c.ctx, c.in[0].ID(), c.in[0].Addr(), w.root)
		if err != nil {
			c.t.Fatal(err)
		}
		w.stillThere(c.t)
		left := 0
		for _, n := range s.Nodes {
			if gone[wire.SessionID(n.Stat.EphemeralOwner)] {
				left++
			}
		}
		if left == 0 {
			break
		}
	}
	var states []State
	for _, m := range c.in {
		s, err := ReadState(c.ctx, m.ID(), m.Addr(), w.root)
		if err != nil {
			c.t.Fatal(err)
		}
		states = append(states, s)
	}
	w.stillThere(c.t)
	for _, v := range Check(rec.History(states, true)) {
		c.t.Error(v)
	}
	c.t.Logf("%d writes acknowledged", rec.Acknowledged())
	w.closeAll(c.t)
}

// TestEveryMemberIsReplaced goes from three members to five and back to three others.
func TestEveryMemberIsReplaced(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := newChanger(ctx, t)
	old := slices.Clone(c.in)
	var fresh []*ensemble.Member
	for range 3 {
		fresh = append(fresh, c.newcomer())
	}
	rec := NewRecorder()
	const root = "/replaced"
	if err := MakeRegisters(ctx, root, registersOfKill, c.in[0].Addr()); err != nil {
		t.Fatal(err)
	}
	w := newCrew(ctx, rec, root, c.e.Addrs(), rand.New(rand.NewPCG(1, 1)))
	w.start(t)
	step := func(what string, do func()) {
		from := rec.now()
		do()
		pause(ctx, time.Second)
		gap := rec.gap(from)
		t.Logf("%-32s writes paused for %v at most", what, gap.Round(time.Millisecond))
		if gap > time.Second {
			t.Errorf("%s: no write was acknowledged for %v", what, gap)
		}
	}
	pause(ctx, time.Second)
	step("start two newcomers", func() { c.start(fresh[:2]...) })
	step("add both", func() { c.change(fresh[:2], nil) })
	step("start a third", func() { c.start(fresh[2]) })
	for i, m := range old {
		add := fresh[2:]
		if i > 0 {
			add = nil
		}
		what := "remove a follower"
		if m == target.Leader(t, c.e) {
			what = "remove the leader"
		}
		step(what, func() { c.change(add, []*ensemble.Member{m}); c.removed(m) })
	}
	step("an old member comes back", func() {
		if err := old[0].Start(); err != nil {
			t.Fatal(err)
		}
		c.removed(old[0])
	})
	c.finish(rec, w)
}

// TestKillsInChanges kills a member at a random moment of each change, and goes on.
func TestKillsInChanges(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	c := newChanger(ctx, t)
	out := []*ensemble.Member{c.newcomer(), c.newcomer()}
	rec := NewRecorder()
	const root = "/changed"
	if err := MakeRegisters(ctx, root, registersOfKill, c.in[0].Addr()); err != nil {
		t.Fatal(err)
	}
	w := newCrew(ctx, rec, root, c.e.Addrs(), rng)
	w.start(t)
	for n := range *changes {
		// One comes, one goes, or both at once.
		var add, remove []*ensemble.Member
		if len(out) > 0 && (len(c.in) == 3 || rng.IntN(2) == 0) {
			add = out[:1]
			c.start(add...)
		}
		if len(c.in) > 3 || add != nil && rng.IntN(2) == 0 {
			i := rng.IntN(len(c.in))
			remove = []*ensemble.Member{c.in[i]}
		}
		candidates := append(slices.Clone(c.in), add...)
		victims := candidates[:0:0]
		switch n % 3 {
		case 0:
			victims = append(victims, target.Leader(t, c.e))
		case 1:
			victims = append(victims, candidates[rng.IntN(len(candidates))])
		default:
			victims = candidates
		}
		done := make(chan error, 1)
		go func() { done <- c.ask(add, remove) }()
		pause(ctx, time.Duration(rng.IntN(40_000))*time.Microsecond)
		for _, m := range victims {
			if err := m.Kill(); err != nil && m.Running() { // one that was removed may have ended by itself
				t.Fatal(err)
			}
		}
		first := <-done
		pause(ctx, time.Duration(rng.IntN(300))*time.Millisecond)
		// One that was removed already does not come back, whichever way the first attempt went.
		for _, m := range candidates {
			if !m.Running() {
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
			}
		}
		took := c.change(add, remove)
		for _, m := range remove {
			c.removed(m)
			if err := c.e.Wipe(m, c.e.Members()); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out[len(add):], remove...)
		c.start(c.in...)
		t.Logf("%2d: add %d, remove %d, %d killed; first answer %v, then %v; %d members", n, len(add), len(remove), len(victims), first, took.Round(time.Millisecond), len(c.in))
		if t.Failed() {
			return
		}
	}
	c.finish(rec, w)
}

// TestHandOver ends the leader by SIGTERM under load, again and again: it hands over first.
func TestHandOver(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newChanger(ctx, t)
	rec := NewRecorder()
	const root = "/handed"
	if err := MakeRegisters(ctx, root, registersOfKill, c.in[0].Addr()); err != nil {
		t.Fatal(err)
	}
	w := newCrew(ctx, rec, root, c.e.Addrs(), rand.New(rand.NewPCG(2, 2)))
	w.start(t)
	pause(ctx, time.Second)
	for range 6 {
		from, leader := rec.now(), target.Leader(t, c.e)
		if err := leader.Stop(); err != nil {
			t.Fatal(err)
		}
		pause(ctx, 500*time.Millisecond)
		gap := rec.gap(from)
		t.Logf("leader %d ended: writes paused for %v at most", leader.ID(), gap.Round(time.Millisecond))
		if gap > 500*time.Millisecond {
			t.Errorf("no write was acknowledged for %v", gap)
		}
		c.start(leader)
	}
	c.finish(rec, w)
}
