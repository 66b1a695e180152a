package apply

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"holt/server/membership"
	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/znodetest"
)

var seedFlag = flag.Uint64("seed", 0, "seed of TestRandom; 0 for random ones")

// TestRandom has several clients send random commands through three members; they
// are sent again, lost, overtaken by those of a later incarnation, applied by several to
// an entry under changing leaders, by machines that differ in all they may and that crash. What these hold and tell must
// at each step be what a naive model says.
func TestRandom(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		seed := *seedFlag
		if seed == 0 {
			seed = rand.Uint64()
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRun(t, seed)
			defer func() {
				if err := r.e.close(); err != nil {
					t.Error(err)
				}
			}()
			for r.step = range 300 {
				r.advance()
			}
			r.fromScratch()
		})
	}
}

// run is one such history.
type run struct {
	t     *testing.T
	step  int
	rnd   *rand.Rand
	gen   *znodetest.Generator
	e     *ensemble
	world *world
	lanes []*lane
	stale []*request // of incarnations that are over, perhaps still on the way
	term  uint64
	now   int64
	next  wire.SessionID
	xid   wire.Xid
}

// lane is what a member's server keeps: commands in order of their numbers, not known to be applied.
type lane struct {
	m        *member
	inflight []*request
	sent     int
}

func newRun(t *testing.T, seed uint64) *run {
	e, err := newEnsemble()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), gen: znodetest.NewGenerator(seed), e: e, world: newWorld(), term: 1}
	for _, m := range e.members {
		r.lanes = append(r.lanes, &lane{m: m})
	}
	return r
}

func (r *run) one(in int) bool { return r.rnd.IntN(in) == 0 }

func (r *run) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("step %d: %v", r.step, err)
	}
}

// advance makes a few requests, one entry of some of what waits, and checks.
func (r *run) advance() {
	for range r.rnd.IntN(20) {
		r.makeRequest()
	}
	if r.one(15) {
		r.term += uint64(1 + r.rnd.IntN(3))
		for _, l := range r.lanes {
			l.sent = 0 // to the new leader all that has no result yet
		}
	}
	r.now += int64(r.rnd.IntN(60) - 5)
	reqs := r.pickEntry()
	var data []byte
	if len(reqs) > 0 || r.one(3) {
		var cmds [][]byte
		for _, q := range reqs {
			cmds = append(cmds, q.cmd.AppendTo(nil))
		}
		data = AppendEntry(nil, r.now, cmds...)
	}
	applied := make([]uint64, len(r.lanes)) // incarnations that will hear of results
	for i, l := range r.lanes {
		applied[i] = l.m.incarnation
	}
	_, err := r.e.apply(r.term, data)
	r.must(err)
	if len(data) == 0 {
		reqs = nil
	} else if len(reqs) == 0 && r.now > r.world.state.millis {
		r.world.state.millis = r.now
	}
	want := r.world.entry(r.term, r.now, reqs)
	for i, l := range r.lanes {
		r.compare(l.m, applied[i], want)
		r.settle(l, applied[i])
	}
	if r.one(20) {
		r.compareDumps()
	}
	if r.one(25) {
		l := r.lanes[r.rnd.IntN(len(r.lanes))]
		if r.one(2) {
			r.must(l.m.st.Flush())
		}
		r.must(l.m.crash(r.rnd))
		r.must(l.m.replay(r.e.log))
		r.settle(l, 0)
		r.compareDumps()
	}
}

// compare checks what a member's sink was told in the entry just applied.
func (r *run) compare(m *member, incarnation uint64, want []told) {
	r.t.Helper()
	var w, g []string
	for _, n := range want {
		if n.origin == nil || n.origin.Member == m.id && n.origin.Incarnation == incarnation {
			w = append(w, n.text)
		}
	}
	for _, n := range m.rec.notes {
		g = append(g, n.text)
	}
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			r.t.Fatalf("step %d: member %d was told too much: %q", r.step, m.id, g[i:])
		case i >= len(g):
			r.t.Fatalf("step %d: member %d was not told %q", r.step, m.id, w[i:])
		case w[i] != g[i]:
			r.t.Fatalf("step %d: member %d:\n got %s\nwant %s", r.step, m.id, g[i], w[i])
		}
	}
}

func (r *run) compareDumps() {
	r.t.Helper()
	got, err := r.e.same()
	r.must(err)
	if want := r.world.dump(len(r.e.log)); got != want {
		r.t.Fatalf("step %d:\n%s", r.step, firstDifference(got, want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf(" got %s\nwant %s", g[i], w[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(g), len(w))
}

// settle drops what has its result from a lane; all of it if the member has
// restarted since the incarnation began, when it becomes stale.
func (r *run) settle(l *lane, incarnation uint64) {
	if l.m.incarnation != incarnation {
		r.stale = append(r.stale, l.inflight...)
		if n := len(r.stale) - 30; n > 0 {
			r.stale = slices.Delete(r.stale, 0, n)
		}
		l.inflight, l.sent = nil, 0
		return
	}
	done := 0
	for done < len(l.inflight) && l.inflight[done].cmd.Seq <= l.m.m.Taken() {
		done++
	}
	l.inflight = l.inflight[done:]
	l.sent = max(0, l.sent-done)
}

// pickEntry takes commands of all members in turn, now and then some that were sent before, one too far,
// or one of an incarnation that is over.
func (r *run) pickEntry() (reqs []*request) {
	for range r.rnd.IntN(30) {
		l := r.lanes[r.rnd.IntN(len(r.lanes))]
		switch {
		case r.one(60) && len(r.stale) > 0:
			reqs = append(reqs, r.stale[r.rnd.IntN(len(r.stale))])
		case r.one(60):
			reqs = append(reqs, r.leaderRequest())
		case r.one(40):
			l.sent = 0
		case r.one(100):
			l.sent++ // lost
		}
		if l.sent < len(l.inflight) {
			reqs = append(reqs, l.inflight[l.sent])
			l.sent++
		}
	}
	return reqs
}

func (r *run) leaderRequest() *request {
	q := &request{attached: -1}
	if f, ok := r.anySession(); ok && r.one(2) {
		q.cmd = Command{Session: f.ID, Op: wire.OpCloseSession, Flags: Expired}
		if r.one(2) {
			q.attached = int(f.Attached) - r.rnd.IntN(2)
			q.cmd.Body = AppendExpire(nil, uint32(q.attached))
		}
		return q
	}
	for q.tree.Op != wire.OpDeleteContainer && q.tree.Op != wire.OpReconfig {
		q.tree = r.gen.Entry()[0]
	}
	q.cmd.Op = q.tree.Op
	if q.cmd.Op == wire.OpReconfig {
		lines := string(q.tree.Data)
		q.tree.Data = []byte(membership.Text(lines, 0))
		q.cmd.Body = AppendMembers(nil, lines, false)
	} else {
		q.cmd.Body = AppendReap(nil, q.tree.Path, q.tree.TTL)
	}
	return q
}

// anySession is one that is open at present, with its facts.
func (r *run) anySession() (session.Facts, bool) {
	ids := make([]wire.SessionID, 0, len(r.world.sessions))
	for id := range r.world.sessions {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return session.Facts{}, false
	}
	slices.Sort(ids)
	return r.world.sessions[ids[r.rnd.IntN(len(ids))]], true
}

// makeRequest adds a client's request to the lane of a member, mostly the one that owns the session.
func (r *run) makeRequest() {
	l := r.lanes[r.rnd.IntN(len(r.lanes))]
	q := &request{attached: -1}
	f, ok := r.anySession()
	switch {
	case !ok || r.one(30):
		r.next++
		q.connect(wire.OpCreateSession, r.next, byte(r.next), int32(r.rnd.IntN(10_000)))
		if r.one(10) && ok {
			q.cmd.Session = f.ID
		}
	case r.one(20):
		q.connect(OpAttach, f.ID, f.Passwd[0]+byte(r.rnd.IntN(8)/7), int32(r.rnd.IntN(10_000)))
	default:
		if !r.one(20) {
			l = r.lanes[f.Owner-1]
		}
		if r.one(100) {
			f.ID += 1000
		}
		r.treeRequest(q, f.ID)
	}
	r.xid++
	q.cmd.Xid = r.xid
	l.m.next(&q.cmd)
	l.inflight = append(l.inflight, q)
}

func (q *request) connect(op wire.OpCode, id wire.SessionID, passwd byte, timeout int32) {
	q.timeout, q.passwd = timeout, passwd
	q.cmd = Command{Session: id, Op: op, Body: AppendConnect(nil, timeout, [16]byte{passwd})}
}

func (r *run) treeRequest(q *request, id wire.SessionID) {
	for {
		q.tree = r.gen.Entry()[0]
		if q.tree.Op != wire.OpDeleteContainer && q.tree.Op != wire.OpReconfig {
			break
		}
	}
	if q.tree.Op == wire.OpCloseSession && !r.one(4) {
		q.tree = znodetest.Command{Op: wire.OpCheck, Path: "/a"}
	}
	by := &q.tree.By
	by.Session = id
	for i := range q.tree.Ops {
		q.tree.Ops[i].By = *by // a multi has one caller
	}
	q.cmd = Command{Session: id, Op: q.tree.Op, Identities: by.Identities, Flags: flagsOf(by)}
	if q.tree.Op != wire.OpCloseSession {
		q.cmd.Body = requestBody(&q.tree)
	}
}

func flagsOf(by *znode.Caller) (f Flags) {
	if by.EnforceQuota {
		f |= EnforceQuota
	}
	if by.SkipACL {
		f |= SkipACL
	}
	if by.ExtendedTypes {
		f |= TTLEnabled
	}
	return f
}

func requestBody(c *znodetest.Command) []byte {
	if c.Op == wire.OpMulti {
		var b []byte
		for i := range c.Ops {
			b = (&wire.MultiHeader{Type: c.Ops[i].Op, Err: -1}).AppendTo(b)
			b = append(b, requestBody(&c.Ops[i])...)
		}
		return wire.AppendMultiEnd(b)
	}
	var rec wire.Record
	switch c.Op {
	case wire.OpCreateTTL:
		rec = &wire.CreateTTLRequest{Path: c.Path, Data: c.Data, ACL: c.ACL, Flags: c.Flags, TTLMillis: c.TTL}
	case wire.OpDelete:
		rec = &wire.DeleteRequest{Path: c.Path, Version: c.Version}
	case wire.OpSetData:
		rec = &wire.SetDataRequest{Path: c.Path, Data: c.Data, Version: c.Version}
	case wire.OpSetACL:
		rec = &wire.SetACLRequest{Path: c.Path, ACL: c.ACL, Version: c.Version}
	case wire.OpCheck:
		rec = &wire.CheckVersionRequest{Path: c.Path, Version: c.Version}
	default:
		rec = &wire.CreateRequest{Path: c.Path, Data: c.Data, ACL: c.ACL, Flags: c.Flags}
	}
	return rec.AppendTo(nil)
}

// fromScratch replays the whole log on a machine that has seen nothing of it.
func (r *run) fromScratch() {
	r.compareDumps()
	e, err := newEnsemble()
	r.must(err)
	defer func() { r.must(e.close()) }()
	m := e.members[1]
	m.id = 9
	r.must(m.replay(r.e.log))
	got, err := m.dump()
	r.must(err)
	if want := r.world.dump(len(r.e.log)); got != want {
		r.t.Fatalf("replayed from the start:\n%s", firstDifference(got, want))
	}
}
