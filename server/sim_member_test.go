package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/quorum/quorumtest"
	"holt/server/apply"
	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode/store"
	"holt/znode/znodetest"
)

// Times of the members.
const (
	simTick  = 500 * time.Millisecond
	simQuick = 100 * time.Millisecond
	simLimit = 4 // ticks without a leader, after which clients are sent away
)

// simMember is one run of a member: a Server without goroutines, connections and clock. Its tree,
// machine, pipeline, tracker and agreement are the real ones; the simulation moves commands
// on, ticks, and stands for the network and the clients.
type simMember struct {
	*Server
	s    *simulation
	seat quorumtest.Seat

	caught   bool // it has asked to catch up
	stepping bool // a step of the pipeline is scheduled
	making   entryMaker
	conns    map[wire.SessionID]*simConn
	waiting  map[wire.Xid]*simOp
	touched  map[wire.SessionID]bool
}

// openMember is quorumtest.Options.Open.
func (s *simulation) openMember(seat quorumtest.Seat) (quorumtest.StateMachine, error) {
	m := &simMember{
		s: s, seat: seat, conns: map[wire.SessionID]*simConn{}, waiting: map[wire.Xid]*simOp{}, touched: map[wire.SessionID]bool{},
		making: entryMaker{seen: map[wire.SessionID]struct{}{}},
	}
	if s.doctor.unsynced {
		seat.Disk = unsyncedFS{seat.Disk}
	}
	cfg := Config{MemberID: seat.Member, FS: seat.Disk, DataDir: seat.Dir, TickMillis: int(simTick.Milliseconds()), SyncLimit: simLimit, ReconfigEnabled: s.reconfigs}
	for id := range uint64(s.voters) {
		cfg.Members = append(cfg.Members, Member{ID: id + 1, Host: fmt.Sprint("m", id+1), QuorumPort: 1, ElectionPort: 2, PeerAddr: fmt.Sprint("m", id+1)})
	}
	srv := &Server{
		cfg: cfg, log: zap.NewNop(), clock: s.wall, started: s.wall(), metrics: newMetrics(), watches: watch.New(), lists: newListCache(listCacheBytes),
		leaderChanged: make(chan struct{}, 1), ready: make(chan struct{}), tracker: session.NewTracker(simTick.Milliseconds()),
		stop: make(chan struct{}), fail: make(chan error, 1), peers: simPeers{m},
	}
	m.Server = srv
	srv.leadership.Store(&leadership{})
	srv.sessionID.Store(int64(session.FirstID(seat.Member, s.wall().UnixMilli())))
	if err := seat.Disk.MkdirAll(seat.Dir, 0o755); err != nil {
		return nil, err
	}
	srv.state = treeState{fs: seat.Disk, dir: seat.Dir, opts: store.Options{FS: seat.Disk, MemTableBytes: 1 << 20, CacheBytes: 16 << 10, Quiet: true}, failed: srv.failed}
	if err := srv.state.open(); err != nil {
		return nil, err
	}
	incarnation, err := srv.nextIncarnation()
	if err == nil {
		srv.machine, err = apply.Open(srv.state.store, apply.Config{Member: seat.Member, Incarnation: incarnation, Restorer: simRestorer{restorer{srv}, m}})
	}
	if err != nil {
		return nil, errors.Join(err, srv.state.close())
	}
	m.compare("started at")
	srv.pipeline.init(srv, incarnation)
	s.members[seat.Member] = m
	s.w.After(0, func() { m.on(simQuick, m.quickTick); m.on(simTick/2, m.touchTick) })
	return m, nil
}

// on schedules something for this run of the member.
func (m *simMember) on(d time.Duration, f func()) {
	if m.s.members[m.seat.Member] == m {
		m.s.w.On(m.seat.Member, d, f)
	}
}

// runs: it was not started anew since.
func (m *simMember) runs() bool {
	return m.s.members[m.seat.Member] == m && slices.Contains(m.s.w.Up(), m.seat.Member)
}

// quickTick is what runTicker does often.
func (m *simMember) quickTick() {
	m.pipeline.tick(m.now())
	if m.leadership.Load().leader != 0 {
		m.lostSince.Store(0)
	} else if since := m.lostSince.Load(); since == 0 {
		m.lostSince.Store(m.now().UnixMilli())
	} else if m.now().UnixMilli()-since >= simLimit*simTick.Milliseconds() {
		m.dropConns()
	}
	m.step()
	m.on(simQuick, m.quickTick)
}

// touchTick is what runTicker does each half tick.
func (m *simMember) touchTick() {
	ids := make([]wire.SessionID, 0, len(m.touched))
	for id := range m.touched {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	clear(m.touched)
	m.reportTouches(ids)
	if l := m.leadership.Load(); l.self {
		m.s.oracle.hears(l.term, ids)
	}
	m.tellDigest()
	m.leaderTick()
	if m.s.restores {
		m.formatTick()
		m.dropAbandoned(simAbandoned)
	}
	m.doctored()
	m.noteDecisions()
	m.step()
	m.on(simTick/2, m.touchTick)
}

// step lets the pipeline's goroutines do what they can.
func (m *simMember) step() {
	if m.stepping {
		return
	}
	m.stepping = true
	m.on(time.Duration(m.s.w.Rand().IntN(200))*time.Microsecond, func() {
		m.stepping = false
		m.pipeline.sendSome(nil)
		m.pipeline.mu.Lock()
		propose := m.pipeline.toProposeLocked()
		m.pipeline.mu.Unlock()
		if propose {
			m.pipeline.proposeSome(&m.making)
		}
		m.pipeline.mu.Lock()
		more := m.pipeline.toSendLocked() || m.pipeline.toProposeLocked()
		m.pipeline.mu.Unlock()
		if more {
			m.step()
		}
	})
}

// leads follows what quorum reports.
func (m *simMember) leads(l quorum.Leadership) {
	m.onLeadership(l)
	if l.Self {
		m.s.oracle.leads(l.Term)
	}
	m.on(time.Duration(m.s.w.Rand().IntN(1000))*time.Microsecond, func() {
		if m.leadership.Load().leader != 0 && !m.caught {
			m.caught = true
			m.catchUp()
		}
		m.leaderTick()
		m.noteDecisions()
		m.step()
	})
}

// noteDecisions tells the oracle which sessions the leader is about to close. Their commands wait while a reconfig
// is judged, and their clients may be heard of meanwhile.
func (m *simMember) noteDecisions() {
	l := m.leadership.Load()
	m.pipeline.mu.Lock()
	defer m.pipeline.mu.Unlock()
	for _, list := range m.pipeline.lists {
		if list.member != 0 || !l.self {
			continue
		}
		for _, b := range list.items[list.head:] {
			var c apply.Command
			if err := c.Decode(b); err != nil {
				m.s.w.Fail("a leader's command: %v", err)
			}
			if c.Op == wire.OpCloseSession {
				m.s.oracle.decides(l.term, c.Session)
			}
		}
	}
}

// simPeers is the network and the log.
type simPeers struct{ m *simMember }

func (p simPeers) Propose(entry []byte) error {
	core := p.m.s.w.Core(p.m.seat.Member)
	if !core.Leadership().Self {
		return quorum.ErrNotLeader
	}
	core.Propose(core.Leadership().Term, entry)
	return nil
}

func (p simPeers) Send(to uint64, payload []byte) error {
	s, from := p.m.s, p.m.seat.Member
	sent := s.w.Send(from, to, func() {
		b := s.members[to]
		if err := b.dispatchMessage(from, payload); err != nil {
			s.w.Fail("message from member %d to %d: %v", from, to, err)
		}
		if l := b.leadership.Load(); messageKind(payload[0]) == messageTouches && l.self {
			var ids []wire.SessionID
			for ids8 := payload[1:]; len(ids8) > 0; ids8 = ids8[8:] {
				ids = append(ids, wire.SessionID(binary.BigEndian.Uint64(ids8)))
			}
			s.oracle.hears(l.term, ids)
		}
		b.step()
	})
	if !sent {
		return errors.New("not connected")
	}
	return nil
}

func (p simPeers) ReadBarrier(done func(error)) {
	if p.m.s.doctor.barrierAtOnce {
		done(nil)
		return
	}
	p.m.s.w.Core(p.m.seat.Member).Read(done)
}

func (p simPeers) Idle() bool { return p.m.s.w.Core(p.m.seat.Member).Idle() }

func (p simPeers) Status() quorum.Status { return p.m.s.w.Core(p.m.seat.Member).Status() }

func (p simPeers) Ask(context.Context, uint64, []byte) ([]byte, error) {
	return nil, errors.New("nobody answers questions here")
}

func (p simPeers) StartChange(c quorum.MembershipChange) error {
	if p.m.s.doctor.changeUntold {
		c.Data = nil
	}
	return p.m.s.w.Core(p.m.seat.Member).ProposeChange(c)
}

// simSink is the sink that hands results to simulated clients.
type simSink struct {
	sink
	m *simMember
}

func (k simSink) Result(c *apply.Command, r *apply.Result) {
	k.sink.Result(c, r)
	if k.m.s.doctor.resultOfAnother && r.Zxid%40 == 0 {
		r.Zxid++
	}
	got := &simOutcome{zxid: r.Zxid, code: r.Err, drop: r.Drop, facts: r.Facts}
	if r.Err == wire.OK && !r.Drop {
		if err := decodeReply(c.Op, r.Body, &got.tree); err != nil {
			k.m.s.w.Fail("reply to %v: %v", c.Op, err)
		}
	}
	k.m.s.oracle.judge(c, got)
	if op := k.m.waiting[c.Xid]; op != nil {
		delete(k.m.waiting, c.Xid)
		op.answered(got)
	}
}

func (k simSink) SessionClosed(id wire.SessionID) {
	k.sink.SessionClosed(id)
	if c := k.m.conns[id]; c != nil && !c.closing {
		c.drop()
	}
}

func (k simSink) SessionMoved(f *session.Facts) {
	k.sink.SessionMoved(f)
	if c := k.m.conns[f.ID]; c != nil {
		c.drop()
	}
}

func decodeReply(op wire.OpCode, body []byte, r *znodetest.Result) error {
	d := wire.NewDecoder(body)
	switch op {
	case wire.OpCreate2:
		var w wire.Create2Response
		w.Decode(d)
		r.Path, r.Stat = string([]byte(w.Path)), w.Stat
	case wire.OpSetData:
		r.Stat.Decode(d)
	case wire.OpReconfig:
		var w wire.GetDataResponse
		w.Decode(d)
		r.Path, r.Stat = string(w.Data), w.Stat
	case wire.OpMulti:
		var w wire.MultiResponse
		w.Decode(d)
		for _, x := range w.Results {
			r.Subs = append(r.Subs, znodetest.Result{Code: x.Err, Path: string([]byte(x.Path)), Stat: x.Stat})
		}
	}
	if d.Err() == nil && d.Len() > 0 {
		return fmt.Errorf("%d bytes left", d.Len())
	}
	return d.Err()
}

// Apply implements quorum.StateMachine, as stateMachine does, and compares each state.
func (m *simMember) Apply(entries []quorum.Entry) error {
	for i := range entries {
		e := &entries[i]
		m.s.oracle.entry(e.Index, e.Term, e.Data)
		data := e.Data
		if m.s.doctor.entryCut && e.Index%50 == 0 && m.seat.Member == 2 && len(data) > 9 {
			data = data[:9]
		}
		if err := m.machine.Apply(e.Index, e.Term, data, simSink{sink{m.Server}, m}); err != nil {
			return err
		}
		if err := m.checkMembers(); err != nil {
			return err
		}
		m.makeTree()
		m.compareDigest(e.Index)
		m.compare("applied")
		select {
		case err := <-m.fail:
			return err
		default:
		}
	}
	return nil
}

// compare compares the state with that of the oracle.
func (m *simMember) compare(after string) {
	m.machine.RLock()
	defer m.machine.RUnlock()
	index := m.machine.Applied()
	if index == 0 {
		return
	}
	got := m.digest()
	if want := m.s.oracle.digests[index]; got != want {
		m.s.w.Fail("member %d, %s %d: state %x, want %x", m.seat.Member, after, index, got, want)
	}
}

func (m *simMember) digest() uint64 {
	return stateDigest(m.machine.Tree().Counts().Digest, m.machine.LastZxid(), m.machine.Sessions().All(), m.beside())
}

func (m *simMember) Applied() uint64 { return stateMachine{m.Server}.Applied() }
func (m *simMember) Durable() uint64 {
	if m.s.doctor.durableEarly {
		return m.Applied()
	}
	return stateMachine{m.Server}.Durable()
}
func (m *simMember) Flush() error {
	if m.s.doctor.durableEarly {
		return nil
	}
	return stateMachine{m.Server}.Flush()
}

func (m *simMember) Checkpoint(dir string) (index, term uint64, err error) {
	return stateMachine{m.Server}.Checkpoint(dir)
}

func (m *simMember) Restore(dir string) error {
	var err error
	if !m.s.doctor.snapshotIgnored {
		err = stateMachine{m.Server}.Restore(dir)
	}
	if err == nil {
		if m.machine.Staging().ID.Member != 0 {
			m.s.w.Count("snapshot installed with a staging")
		}
		m.dropConns()
		m.compare("restored to")
	}
	return err
}

// Digest implements quorumtest.StateMachine. It covers what the oracle's does not: how far
// the commands of each member were taken.
func (m *simMember) Digest() (index, digest uint64) {
	m.machine.RLock()
	defer m.machine.RUnlock()
	record, err := m.state.store.Record([]byte("m"))
	if err != nil {
		m.s.w.Fail("member %d: %v", m.seat.Member, err)
	}
	h := fnv.New64a()
	h.Write(record)
	h.Write(binary.BigEndian.AppendUint64(nil, m.digest()))
	return m.machine.Applied(), h.Sum64()
}

func (m *simMember) Close() error {
	m.dropRebuild()
	return m.state.close()
}

// dropConns is Server.dropClients.
func (m *simMember) dropConns() {
	for _, id := range slices.Sorted(maps.Keys(m.conns)) {
		m.conns[id].drop()
	}
}

// dump is the whole state as text.
func (m *simMember) dump() (string, error) {
	tree, err := (&znodetest.Env{Tree: m.machine.Tree()}).Dump()
	return tree, err
}
