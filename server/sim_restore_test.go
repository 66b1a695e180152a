package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"time"

	"holt/server/apply"
	"holt/session"
	"holt/wire"
	"holt/znode/znodetest"
)

// Restores in the simulation. Operators take snapshots of members, and have others restore them some time
// later: the chunks, what the members make of them and the questions between them are on their way for long
// enough to be met by everything that goes wrong. The oracle keeps a copy of its own of what each snapshot was of.

const (
	// simAbandoned is abandonedAfter in the simulation, simKeep keepEvery, and simStragglers stragglersWait.
	simAbandoned  = 1500 * time.Millisecond
	simKeep       = 500 * time.Millisecond
	simStragglers = 500 * time.Millisecond
	// simImages is how many snapshots an operator takes at most.
	simImages = 4
)

// simBeside is what members have beside tree and sessions.
type simBeside struct {
	format   uint64
	restored wire.Zxid // of the last restore
	staging  apply.Staging
}

func (m *simMember) beside() *simBeside {
	return &simBeside{m.machine.Format(), m.machine.Restored(), m.machine.Staging()}
}

// simImage is a snapshot, and the oracle's copy of what it is of.
type simImage struct {
	bytes    []byte
	newest   wire.Zxid
	tree     *znodetest.Model
	sessions []session.Facts
}

// simOperator restores one snapshot after the other, the last one after healing: that must succeed.
type simOperator struct {
	s      *simulation
	images []*simImage
	done   bool
}

func (s *simulation) beginRestores() {
	if !s.restores {
		return
	}
	for range 1 + s.w.Rand().IntN(2) {
		o := &simOperator{s: s}
		s.operators = append(s.operators, o)
		s.w.After(s.between(time.Second, 3*time.Second), o.act)
	}
}

func (s *simulation) restoresDone() bool {
	for _, o := range s.operators {
		if !o.done {
			return false
		}
	}
	return s.oracle.beside.staging == apply.Staging{}
}

func (o *simOperator) later() {
	pause := o.s.between(50*time.Millisecond, time.Second)
	if o.s.chance(5) {
		pause *= 4
	}
	o.s.w.After(pause, o.act)
}

// act does the operator's next thing; every path leads to the next act.
func (o *simOperator) act() {
	s := o.s
	up := s.w.Up()
	switch {
	case s.w.Healing() && len(o.images) == 0:
		o.done = true
		return
	case len(up) == 0:
		o.later()
		return
	}
	m := s.members[up[s.w.Rand().IntN(len(up))]]
	switch {
	case !m.serving() || m.lostSince.Load() != 0 || m.machine.Format() < apply.FormatRestore || m.uploading:
		o.later()
	case !s.w.Healing() && (len(o.images) == 0 || len(o.images) < simImages && s.chance(3)):
		o.take(m)
	default:
		o.restore(m, o.images[s.w.Rand().IntN(len(o.images))])
	}
}

// take takes a snapshot of a member that has all that there is. Some say that they are of a later zxid.
func (o *simOperator) take(m *simMember) {
	s := o.s
	image, ahead := &simImage{}, wire.Zxid(0)
	if s.chance(4) {
		ahead = wire.MakeZxid(uint32(s.w.Rand().IntN(3)), math.MaxUint32-uint32(s.w.Rand().IntN(100)))
	}
	s.w.Job(m.seat.Member, 0, func() error {
		if m.Applied() != s.oracle.index {
			return nil
		}
		image.tree, image.newest = s.oracle.tree.Clone(), s.oracle.zxid
		for _, f := range s.oracle.sessions {
			image.sessions = append(image.sessions, f)
		}
		t := &treeSnapshot{s: m.Server}
		m.wg.Add(1)
		err := t.open()
		if err == nil && ahead != 0 {
			t.head.LastZxid = wire.MakeZxid(t.head.LastZxid.Epoch()+ahead.Epoch(), ahead.Counter())
			image.newest = max(image.newest, t.head.LastZxid)
		}
		var b bytes.Buffer
		if err == nil {
			_, err = t.WriteTo(&b)
		}
		image.bytes = b.Bytes()
		if closed := t.Close(); err == nil {
			err = closed
		}
		return err
	}, func() {
		if len(image.bytes) > 0 {
			o.images = append(o.images, image)
			s.images[string(image.bytes)] = image
		}
	})
	o.later()
}

// simUpload is a restore that a member was asked for: upload without its goroutine, and without its file.
type simUpload struct {
	o     *simOperator
	m     *simMember
	image *simImage
	chunk int
	until time.Duration // the operator's patience

	begun    uint64
	sent     int // bytes
	underway int
	beat     time.Duration         // when it last gave a sign of life
	states   map[uint64]buildState // of the members, as they have answered
	enough   time.Duration         // when the leader and a majority were ready
	ended    bool
}

// restore begins a restore. When it comes to its end, or the member does, the operator goes on.
func (o *simOperator) restore(m *simMember, image *simImage) {
	s := o.s
	u := &simUpload{o: o, m: m, image: image, until: s.w.Now() + s.between(time.Second, 8*time.Second)}
	u.chunk = max(300, min(len(image.bytes)/(1+s.w.Rand().IntN(12)), 4000))
	m.uploading = true
	u.watch()
	u.do(apply.AppendStageBegin(nil, int64(len(image.bytes))), func(out outcome) {
		u.begun = out.number
		u.stage()
	})
}

// watch ends the restore with its member, and when the operator is tired of it.
func (u *simUpload) watch() {
	s := u.o.s
	switch {
	case u.ended:
	case !u.m.runs(), s.w.Healing() && u.m.lostSince.Load() != 0: // the latter was removed, and would end
		u.end("restore without its member")
	case s.w.Now() > u.until:
		u.end("restore called off")
	default:
		s.w.After(100*time.Millisecond, u.watch)
	}
}

func (u *simUpload) end(how string) {
	s := u.o.s
	s.w.Count(how)
	u.ended, u.m.uploading = true, false
	if s.w.Healing() && how == "restore acknowledged" {
		u.o.done = true
		return
	}
	u.o.later()
}

// submit has the member propose a command of its own, and calls then when it is told what became of it.
func (u *simUpload) submit(c *apply.Command, then func(outcome)) {
	m := u.m
	told := func(out outcome) {
		m.on(u.o.s.between(0, time.Millisecond), func() {
			switch {
			case u.ended:
			case out.lost:
				u.end("restore lost from sight")
			case out.code != wire.OK:
				u.end("restore refused")
			default:
				then(out)
			}
		})
	}
	if err := m.pipeline.submitFlight(flight{done: told}, c); err != nil {
		m.s.w.Fail("submit: %v", err)
	}
	m.step()
}

func (u *simUpload) do(body []byte, then func(outcome)) {
	if u.o.s.chance(30) {
		u.strike(20 * time.Millisecond)
	}
	u.submit(&apply.Command{Op: apply.OpStage, Body: body}, then)
}

// strike has something bad happen soon to the member or another one: the moments that count are too short for faults
// drawn at random to hit them.
func (u *simUpload) strike(within time.Duration) {
	s := u.o.s
	id := u.m.seat.Member
	if up := s.w.Up(); s.chance(2) {
		id = up[s.w.Rand().IntN(len(up))]
	}
	if s.chance(2) {
		s.w.FailDisk(id, s.w.Rand().IntN(100))
	} else {
		s.w.Crash(id, s.between(0, within))
	}
}

// stage sends chunks, restoreWindow of them at a time.
func (u *simUpload) stage() {
	for u.underway < restoreWindow && u.sent < len(u.image.bytes) {
		n := min(u.chunk, len(u.image.bytes)-u.sent)
		body := apply.AppendStageChunk(nil, u.begun, int64(u.sent), u.image.bytes[u.sent:u.sent+n])
		u.sent += n
		u.underway++
		u.do(body, func(outcome) {
			u.underway--
			u.stage()
		})
	}
	if u.underway == 0 && !u.ended {
		u.do(apply.AppendStageKeep(nil, u.begun), func(outcome) {
			if u.o.s.chance(4) { // as when all members but one were away, and came back
				u.finish()
				return
			}
			u.beat = u.o.s.w.Now()
			u.states = map[uint64]buildState{}
			u.built()
		})
	}
}

// built waits for the trees of the members.
func (u *simUpload) built() {
	s, m := u.o.s, u.m
	b := m.rebuilt.Load()
	if u.ended {
		return
	}
	if b == nil {
		u.finish()
		return
	}
	if s.w.Now()-u.beat >= simKeep {
		u.beat = s.w.Now()
		u.do(apply.AppendStageKeep(nil, u.begun), func(outcome) {})
	}
	status := m.peers.Status()
	own, _ := m.buildOf(b.of.ID)
	ready, late := tally(&status, u.states)
	switch {
	case own == buildFailed:
		s.w.Fail("member %d cannot make a tree: %v", m.seat.Member, b.err)
	case own != buildDone || !ready:
		u.enough = 0
	case late == nil:
		u.finish()
		return
	case u.enough == 0:
		u.enough = s.w.Now()
	case s.w.Now()-u.enough >= simStragglers:
		s.w.Count("restore with stragglers")
		u.finish()
		return
	}
	u.ask(b.of.ID)
	m.on(askEvery, u.built)
}

// ask asks all members anew.
func (u *simUpload) ask(of apply.StagingID) {
	s, m := u.o.s, u.m
	status := m.peers.Status()
	for _, other := range status.Members {
		id := other.ID
		if id == status.ID {
			u.states[id], _ = m.buildOf(of)
			continue
		}
		u.states[id] = buildAway
		s.w.Send(m.seat.Member, id, func() {
			answer := s.members[id].onQuestion(m.seat.Member, appendBuiltQuestion(nil, of))
			s.w.Send(id, m.seat.Member, func() { u.states[id] = buildState(answer[0]) })
		})
	}
}

// finish restores. It cannot be called back any more.
func (u *simUpload) finish() {
	s := u.o.s
	u.until = math.MaxInt64
	if s.chance(4) { // and it gets a copy of the others' state
		u.m.on(s.between(0, 5*time.Millisecond), func() { s.w.Isolate(u.m.seat.Member) })
	} else {
		for range s.w.Rand().IntN(3) {
			u.strike(10 * time.Millisecond)
		}
	}
	c := &apply.Command{Op: apply.OpRestore, Flags: apply.Alone, Body: apply.AppendRestore(nil, u.begun)}
	u.submit(c, func(out outcome) {
		id := apply.StagingID{Member: u.m.seat.Member, Incarnation: u.m.pipeline.incarnation, Seq: u.begun}
		if s.oracle.restores[id] != out.zxid {
			s.w.Fail("the operator is told of a restore at %v, and it was at %v", out.zxid, s.oracle.restores[id])
		}
		s.acknowledged = max(s.acknowledged, out.zxid)
		u.end("restore acknowledged")
	})
}

// stage is a member's OpStage.
func (o *oracle) stage(c *apply.Command, out *simOutcome) {
	kind, n, rest := c.Body[0], binary.BigEndian.Uint64(c.Body[1:]), c.Body[9:]
	s := &o.beside.staging
	if kind == 'b' {
		if s.ID.Member != 0 {
			o.s.w.Count("staging replaced")
		}
		*s, o.staged = apply.Staging{ID: c.Origin, Bytes: int64(n)}, nil
		return
	}
	if !o.isStaged(c, n) {
		out.code = wire.ErrBadVersion
		return
	}
	if kind == 'k' {
		s.Beats++
		return
	}
	if offset := binary.BigEndian.Uint64(rest); offset != uint64(len(o.staged)) {
		o.s.w.Fail("a chunk from %d on, after %d bytes", offset, len(o.staged))
	}
	o.staged = append(o.staged, rest[8:]...)
	s.Chunks, s.Received = s.Chunks+1, int64(len(o.staged))
}

func (o *oracle) isStaged(c *apply.Command, begun uint64) bool {
	return o.beside.staging.ID == apply.StagingID{Member: c.Member, Incarnation: c.Incarnation, Seq: begun}
}

// drop is a leader's OpStage.
func (o *oracle) drop(c *apply.Command) {
	s := &o.beside.staging
	if string(c.Body) == string(apply.AppendStageDrop(nil, s)) {
		o.s.w.Count("staging dropped")
		*s, o.staged = apply.Staging{}, nil
	}
}

// restore is an OpRestore.
func (o *oracle) restore(c *apply.Command, out *simOutcome) {
	if !o.isStaged(c, binary.BigEndian.Uint64(c.Body)) {
		out.code = wire.ErrBadVersion
		return
	}
	image := o.s.images[string(o.staged)]
	if image == nil || !o.alone {
		o.s.w.Fail("a restore of %d bytes of nobody's snapshot, or together with other commands: %v", len(o.staged), o.alone)
	}
	o.next()
	if image.newest >= o.zxid {
		o.s.w.Count("snapshot of another zxid")
		o.zxid = image.newest
		o.next()
	}
	before := o.tree.Paths()
	o.tree.Restore(image.tree)
	for _, path := range append(before, o.tree.Paths()...) {
		o.note(path)
	}
	for _, f := range image.sessions {
		if _, open := o.sessions[f.ID]; open {
			continue
		}
		o.s.w.Count("session came back")
		o.sessions[f.ID] = session.Facts{ID: f.ID, TimeoutMillis: f.TimeoutMillis, Passwd: session.ZooKeeperPasswd(f.ID), Attached: 1}
		o.revived[f.ID] = o.s.wall().UnixMilli()
	}
	o.restores[o.beside.staging.ID] = o.zxid
	o.beside.restored = o.zxid
	o.beside.staging, o.staged = apply.Staging{}, nil
	o.s.w.Count("restored")
	if m := o.s.members[c.Member]; !m.runs() || m.pipeline.incarnation != c.Incarnation {
		o.s.w.Count("restore without its operator")
	}
}

// simRestorer is a member's restorer.
type simRestorer struct {
	restorer
	m *simMember
}

func (r simRestorer) Build(of apply.Staging, snapshot io.Reader) (apply.Restored, error) {
	w := r.m.s.w
	if state, _ := r.m.buildOf(of.ID); state == buildDone {
		w.Count("restore with a tree made in advance")
	} else {
		w.Count("restore without a tree")
	}
	out, err := r.restorer.Build(of, snapshot)
	if err != nil {
		return out, err
	}
	if d := r.m.rebuilt.Load().loaded.DigestDiffers; d != 0 {
		w.Fail("the tree of a snapshot has not the digest of %v that the snapshot tells of", d)
	}
	if r.m.s.doctor.sessionsStayOut && r.m.seat.Member == 2 {
		out.Sessions = nil
	}
	return out, nil
}

func (r simRestorer) Switch() (apply.Store, error) {
	if r.m.s.doctor.restorePassed && r.m.seat.Member == 2 {
		r.s.dropRebuild()
		return r.s.state.store, nil
	}
	return r.restorer.Switch()
}

// makeTree does what afterStaging does.
func (m *simMember) makeTree() {
	if b := m.nextRebuild(); b != nil {
		m.on(m.s.between(0, 200*time.Millisecond), func() {
			m.s.w.Job(m.seat.Member, 0, func() error { b.run(); return nil }, func() {})
		})
	}
}

// Restored implements apply.Sink.
func (k simSink) Restored() {
	k.sink.Restored()
	k.m.dropConns()
}

// checkLeftovers: nothing of a restore is left, on the disk or beside the tree.
func (m *simMember) checkLeftovers() {
	names, err := m.seat.Disk.List(m.seat.Dir)
	if err != nil {
		m.s.w.Fail("member %d: %v", m.seat.Member, err)
	}
	trees := 0
	for _, name := range names {
		if _, ok := treeNumber(name); ok {
			trees++
		}
	}
	chunks := 0
	err = m.state.store.EachRecord([]byte("d"), func(_, _ []byte) error {
		chunks++
		return nil
	})
	if err != nil || trees != 1 || chunks != 0 || m.rebuilt.Load() != nil {
		m.s.w.Fail("member %d has %v on its disk and %d chunks of a staged snapshot, %v", m.seat.Member, names, chunks, err)
	}
}
