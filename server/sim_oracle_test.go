package server

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"holt/server/apply"
	"holt/session"
	"holt/wire"
	"holt/znode/znodetest"
)

// oracle says what every committed entry must have done. It sees the entries in
// the order of the log, each once, when the first member applies it, and carries
// them out on plain maps: znodetest's model of the tree, a map of sessions, a list
// of what was taken of whom.
type oracle struct {
	s *simulation

	index    uint64
	term     uint64
	zxid     wire.Zxid
	millis   int64
	tree     *znodetest.Model
	sessions map[wire.SessionID]session.Facts
	taken    map[uint64]apply.Origin // by member: the last command

	digests  map[uint64]uint64            // by index
	want     map[apply.Origin]*simOutcome // of commands with an origin
	versions map[string][]simVersion      // of nodes, ascending
	members  simMembers
	beside   simBeside
	staged   []byte                        // the bytes of beside.staging
	alone    bool                          // the command at hand is the only one of its entry
	restores map[apply.StagingID]wire.Zxid // all that have taken place
	revived  map[wire.SessionID]int64      // sessions that a restore brought back, and when, in ms
	carried  map[wire.Xid]bool             // commands that were taken
	order    map[simLink]int               // place of the last command taken of a connection
	began    map[uint64]int64              // ms at which the leader of a term began
	heard    map[simHeard][]int64          // ms at which it heard of a session
	decided  map[simHeard]int64            // ms at which it decided to close one
}

// simOutcome is what a command must have come to.
type simOutcome struct {
	zxid  wire.Zxid
	code  wire.ErrCode
	drop  bool
	facts session.Facts
	tree  znodetest.Result
}

// simVersion is a node from a zxid on; not there: it is gone.
type simVersion struct {
	zxid  wire.Zxid
	there bool
	data  string
	stat  wire.Stat
}

// simLink is one connection of one client.
type simLink struct{ client, number int }

type simHeard struct {
	term    uint64
	session wire.SessionID
}

func newOracle(s *simulation) *oracle {
	return &oracle{
		s: s, index: 1, tree: znodetest.NewModel(), sessions: map[wire.SessionID]session.Facts{},
		taken: map[uint64]apply.Origin{}, digests: map[uint64]uint64{}, want: map[apply.Origin]*simOutcome{},
		versions: map[string][]simVersion{}, carried: map[wire.Xid]bool{}, order: map[simLink]int{},
		began: map[uint64]int64{}, heard: map[simHeard][]int64{}, decided: map[simHeard]int64{},
		restores: map[apply.StagingID]wire.Zxid{}, revived: map[wire.SessionID]int64{},
	}
}

// entry is told of an entry that a member applies.
func (o *oracle) entry(index, term uint64, data []byte) {
	if index <= o.index {
		return
	}
	if index != o.index+1 {
		o.s.w.Fail("entry %d is applied after %d", index, o.index)
	}
	o.index = index
	if term > o.term {
		o.term, o.zxid = term, wire.MakeZxid(o.zxid.Epoch()+1, 0)
	}
	if len(data) > 0 {
		at := int64(binary.BigEndian.Uint64(data[1:]))
		o.millis = max(o.millis, at)
		for first, rest := true, data[9:]; len(rest) > 0; first = false {
			n, used := binary.Uvarint(rest)
			var c apply.Command
			if err := c.Decode(rest[used : used+int(n)]); err != nil {
				o.s.w.Fail("entry %d: %v", index, err)
			}
			rest = rest[used+int(n):]
			o.alone = first && len(rest) == 0
			o.command(&c, at)
		}
		o.endVerdict()
	}
	o.digests[index] = stateDigest(o.tree.Digest(), o.zxid, slices.Collect(maps.Values(o.sessions)), &o.beside)
}

// next takes a zxid.
func (o *oracle) next() {
	if o.zxid.Counter() == math.MaxUint32 {
		o.zxid = wire.MakeZxid(o.zxid.Epoch()+1, 0)
	}
	o.zxid++
}

// stateDigest sums up a state: equal for members that are at the same entry.
func stateDigest(tree uint64, zxid wire.Zxid, sessions []session.Facts, beside *simBeside) uint64 {
	slices.SortFunc(sessions, func(a, b session.Facts) int { return cmp.Compare(a.ID, b.ID) })
	h := fnv.New64a()
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, tree), uint64(zxid))
	for i := range sessions {
		b = sessions[i].AppendTo(binary.BigEndian.AppendUint64(b, uint64(sessions[i].ID)))
	}
	h.Write(fmt.Appendf(b, "%+v", beside))
	return h.Sum64()
}

// takes: the commands of a member count once, in order, without a gap.
func (o *oracle) takes(c *apply.Command) bool {
	if c.Member == 0 {
		return true
	}
	last := o.taken[c.Member]
	switch {
	case c.Incarnation == last.Incarnation && c.Seq == last.Seq+1:
	case c.Incarnation > last.Incarnation && c.Seq == 1:
	default:
		o.s.w.Count("command ignored")
		return false
	}
	o.taken[c.Member] = c.Origin
	return true
}

func (o *oracle) command(c *apply.Command, at int64) {
	if !o.takes(c) {
		return
	}
	out := &simOutcome{}
	switch {
	case c.Member == 0:
		o.leaders(c, out, at)
		return
	case c.Op == wire.OpCreateSession:
		o.next()
		out.facts = session.Facts{ID: c.Session, TimeoutMillis: int32(binary.BigEndian.Uint32(c.Body)), Owner: c.Member, Attached: 1}
		copy(out.facts.Passwd[:], c.Body[4:])
		o.sessions[c.Session] = out.facts
	case c.Op == apply.OpAttach:
		o.attach(c, out)
	case c.Op == apply.OpStage:
		o.stage(c, out)
	case c.Op == apply.OpRestore:
		o.restore(c, out)
	default:
		o.request(c, out)
	}
	out.zxid = o.zxid
	o.want[c.Origin] = out
}

func (o *oracle) attach(c *apply.Command, out *simOutcome) {
	f, ok := o.sessions[c.Session]
	if !ok || string(f.Passwd[:]) != string(c.Body[4:]) {
		out.code = wire.ErrSessionExpired
		return
	}
	f.TimeoutMillis, f.Owner = int32(binary.BigEndian.Uint32(c.Body)), c.Member
	f.Attached++
	o.sessions[c.Session], out.facts = f, f
	delete(o.revived, c.Session)
}

// request is what a client has sent on its connection.
func (o *oracle) request(c *apply.Command, out *simOutcome) {
	op := o.s.issued[c.Xid]
	if op == nil {
		o.s.w.Fail("command %d of session %v was sent by nobody", c.Xid, c.Session)
	}
	o.once(op)
	o.next()
	f, ok := o.sessions[c.Session]
	switch {
	case !ok:
		out.drop, out.code = true, wire.ErrSessionExpired
		return
	case f.Owner != c.Member:
		o.s.w.Count("session moved away")
		out.drop, out.code = true, wire.ErrSessionMoved
		return
	case c.Op == wire.OpCloseSession:
		o.closeSession(c.Session)
		return
	case c.Op == wire.OpReconfig:
		out.tree = o.reconfig(op.change)
		out.code = out.tree.Code
		return
	}
	out.tree = o.run(&op.cmd)
	out.code = out.tree.Code
}

// once: a request takes effect once, after all that its connection carried before it.
func (o *oracle) once(op *simOp) {
	if o.carried[op.xid] {
		o.s.w.Fail("%v takes effect twice", op)
	}
	o.carried[op.xid] = true
	if last := o.order[op.link]; op.place != last+1 {
		o.s.w.Fail("%v, number %d of its connection, takes effect after number %d", op, op.place, last)
	}
	o.order[op.link] = op.place
}

// leaders is a leader's own command.
func (o *oracle) leaders(c *apply.Command, out *simOutcome, at int64) {
	switch c.Op {
	case wire.OpReconfig:
		o.told(c.Body)
		return
	case apply.OpFormat:
		format, _ := binary.Uvarint(c.Body)
		o.beside.format = max(o.beside.format, format)
		return
	case apply.OpStage:
		o.drop(c)
		return
	}
	o.next()
	switch c.Op {
	case wire.OpCloseSession:
		key := simHeard{o.term, c.Session}
		if decided, ok := o.decided[key]; ok {
			at = min(at, decided)
			delete(o.decided, key)
		}
		f, ok := o.sessions[c.Session]
		if !ok || f.Attached != binary.BigEndian.Uint32(c.Body) {
			return
		}
		// What it heard in the last moment may have come after the decision.
		since := max(o.began[o.term], o.revived[c.Session])
		for _, h := range o.heard[key] {
			if h < at-1 {
				since = max(since, h)
			}
		}
		silent := at - since
		if silent < int64(f.TimeoutMillis) {
			o.s.w.Fail("session %v expires after %d ms of silence, its timeout is %d", c.Session, silent, f.TimeoutMillis)
		}
		o.s.w.Count("session expired")
		o.closeSession(c.Session)
	default:
		o.s.w.Fail("a leader's command %v", c.Op)
	}
}

func (o *oracle) closeSession(id wire.SessionID) {
	delete(o.sessions, id)
	delete(o.revived, id)
	c := znodetest.Command{Op: wire.OpCloseSession}
	c.By.Session = id
	if r := o.run(&c); len(r.Events) > 0 {
		o.s.w.Count("ephemerals went with a session")
	}
}

// run carries a command out on the tree, and notes the versions of nodes that it made.
func (o *oracle) run(c *znodetest.Command) znodetest.Result {
	r := o.tree.Run(o.zxid, o.millis, c)
	for _, e := range r.Events {
		path := strings.Fields(e)[1]
		o.note(path)
		if parent := path[:strings.LastIndex(path, "/")]; parent != "" {
			o.note(parent)
		}
	}
	return r
}

func (o *oracle) note(path string) {
	data, stat, ok := o.tree.Node(path)
	o.versions[path] = append(o.versions[path], simVersion{o.zxid, ok, string(data), stat})
}

// at returns a node as it was after the command of a zxid.
func (o *oracle) at(path string, zxid wire.Zxid) (v simVersion) {
	for _, w := range o.versions[path] {
		if w.zxid <= zxid {
			v = w
		}
	}
	return v
}

// leads is told that a member has begun to lead.
func (o *oracle) leads(term uint64) {
	if _, known := o.began[term]; !known { // the same may be reported more than once
		o.began[term] = o.s.wall().UnixMilli()
	}
}

// hears is told that the leader of a term hears of sessions.
func (o *oracle) hears(term uint64, ids []wire.SessionID) {
	for _, id := range ids {
		o.heard[simHeard{term, id}] = append(o.heard[simHeard{term, id}], o.s.wall().UnixMilli())
	}
}

// decides is told that the leader of a term has decided to close a session, each time that the command
// is seen to wait.
func (o *oracle) decides(term uint64, id wire.SessionID) {
	if _, known := o.decided[simHeard{term, id}]; !known {
		o.decided[simHeard{term, id}] = o.s.wall().UnixMilli()
	}
}

// judge compares a result with what it must be. Body is decoded already.
func (o *oracle) judge(c *apply.Command, got *simOutcome) {
	want := o.want[c.Origin]
	switch {
	case want == nil:
		o.s.w.Fail("member %d tells a result of command %d, which was not taken", c.Member, c.Seq)
	case got.zxid != want.zxid || got.code != want.code || got.drop != want.drop || got.facts != want.facts:
		o.s.w.Fail("%v of session %v: %+v, want %+v", c.Op, c.Session, got, want)
	case got.drop || got.code != wire.OK:
	case got.tree.Path != want.tree.Path || got.tree.Stat != want.tree.Stat || len(got.tree.Subs) != len(want.tree.Subs):
		o.s.w.Fail("%v of session %v: %+v, want %+v", c.Op, c.Session, got.tree, want.tree)
	}
	for i := range got.tree.Subs {
		g, w := &got.tree.Subs[i], &want.tree.Subs[i]
		if g.Code != w.Code || g.Path != w.Path || g.Stat != w.Stat {
			o.s.w.Fail("%v of session %v, operation %d: %+v, want %+v", c.Op, c.Session, i, g, w)
		}
	}
}

func (s *simulation) wall() time.Time { return time.UnixMilli(1_700_000_000_000).Add(s.w.Now()) }
