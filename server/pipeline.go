package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/wire"
	"holt/wire/metric"
)

// The pipeline carries commands from connections to the Raft log and results
// back:
//
//	submit ─▶ fresh (no number yet)
//	            │ taken in rounds, numbered
//	            ▼
//	         inflight (kept until applied)
//	            ├─ on a follower: sender goroutine ─▶ messages ─▶ the leader's lists
//	            └─ on the leader: proposer goroutine ─▶ its own list
//	         lists (one for each member) ─▶ one Raft entry from all that waits, stamped
//	            ▼                                 (of some size where many are under way: gather.go)
//	   quorum: replicate, commit ─▶ Machine.Apply ─▶ Sink.Result ─▶ inflight's head
//
// Commands of a member are numbered within its incarnation (one run of the
// process). After a change of leader, a lost connection or a stall they are sent
// again from the first that was not applied; the machine takes each number once
// and in order, so that sending twice is harmless and a gap is impossible.
//
// Rounds. Two commands of a session with reads between them (apply.AfterRead)
// must not be in one entry. Connections send in bursts, so in the order of
// arrival an entry would end after every few commands. Sessions do not depend on
// each other, and numbers are given late: what waits is numbered in rounds, first
// every session's commands up to its first such border, then those up to the
// second, so that one entry takes a whole round.

const (
	// entryCommandsMax and entryBytesMax bound one Raft entry, and with it how
	// long the tree is locked when it is applied.
	entryCommandsMax = 512
	entryBytesMax    = 1 << 20
	// messageBytesMax bounds one message of commands to the leader.
	messageBytesMax = 256 << 10
	// proposerQueueMax bounds what waits for the leader's proposer, in commands.
	// A message past it is dropped; its member sends again.
	proposerQueueMax = 64 << 10
	// resendAfter is how long the oldest command may make no progress before
	// everything in flight is sent again.
	resendAfter = time.Second
)

var errPipelineClosed = errors.New("member is stopping")

// messageKind is the first byte of a message between servers.
type messageKind byte

const (
	messageCommands messageKind = 1 // commands, each with its length
	messageTouches  messageKind = 2 // sessions heard of since the last report
	messageDigest   messageKind = 3 // log index and digest of the tree there
	messageFormat   messageKind = 4 // the newest format that the sender carries out
)

// flight is one command on its way.
type flight struct {
	conn      *conn         // nil: no client waits for the result
	done      func(outcome) // told of it, on the apply goroutine; may be nil
	req       *request
	encoded   []byte
	session   wire.SessionID
	afterRead bool
}

type pipeline struct {
	srv         *Server
	incarnation uint64

	mu       sync.Mutex
	sendWake sync.Cond // the sender has something to do
	propWake sync.Cond // the proposer has something to do
	closed   bool
	leader   uint64 // 0: none known
	fresh    []flight
	inflight []flight // in order of their numbers; head is the first not used
	head     int
	first    uint64    // number of inflight[head]
	sent     int       // index into inflight from which nothing was sent yet
	progress time.Time // when a command of this member was last applied, about
	moved    bool      // one was since the last tick
	unsent   bool      // a message could not be sent since the last tick
	chunk    []byte    // commands are encoded into chunks, not one by one
	rounds   rounds

	// On the leader: what waits for an entry, by member, in the order of numbers.
	lists     []*commandList
	turn      int  // the list that the last entry began with
	waiting   int  // commands in lists
	draining  bool // entries are being formed, one right behind the other, until none wait
	underway  underway
	admission admission
}

// commandList is what waits of one member.
type commandList struct {
	member  uint64
	blocked bool // until a reconfig of the member is applied
	items   [][]byte
	head    int
}

func (p *pipeline) init(s *Server, incarnation uint64) {
	p.srv, p.incarnation, p.first = s, incarnation, 1
	p.sendWake.L, p.propWake.L = &p.mu, &p.mu
	p.rounds.of = make(map[wire.SessionID]int)
}

// submit queues a command. It does not wait: the connection's own bound on
// outstanding requests limits what can be here.
func (p *pipeline) submit(c *conn, r *request, cmd *apply.Command) error {
	return p.submitFlight(flight{conn: c, req: r}, cmd)
}

// outcome is what became of a command of the member's own. lost: it was carried out, and a snapshot of
// another member came in the place of its result.
type outcome struct {
	number uint64
	code   wire.ErrCode
	zxid   wire.Zxid
	lost   bool
}

// submitOwn queues a command of this member itself. What becomes of it is sent to the channel, unless the member
// ends before.
func (p *pipeline) submitOwn(cmd *apply.Command) (<-chan outcome, error) {
	c := make(chan outcome, 1)
	return c, p.submitFlight(flight{done: func(o outcome) { c <- o }}, cmd)
}

func (p *pipeline) submitFlight(f flight, cmd *apply.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errPipelineClosed
	}
	cmd.Origin = apply.Origin{Member: p.srv.cfg.MemberID, Incarnation: p.incarnation}
	f.encoded, f.session, f.afterRead = p.encode(cmd), cmd.Session, cmd.Flags&apply.AfterRead != 0
	p.fresh = append(p.fresh, f)
	p.wakeLocked()
	return nil
}

// wakeLocked wakes whoever takes commands from here at present.
func (p *pipeline) wakeLocked() {
	switch p.leader {
	case 0:
	case p.srv.cfg.MemberID:
		p.propWake.Signal()
	default:
		p.sendWake.Signal()
	}
}

// pendingLocked reports whether takeLocked would return something.
func (p *pipeline) pendingLocked() bool {
	return p.sent < len(p.inflight) || len(p.fresh) > 0
}

// takeLocked returns the next commands to send, about bytesMax of them: those
// that are to be sent again before those that never were.
func (p *pipeline) takeLocked(batch [][]byte, bytesMax int) (_ [][]byte, size int) {
	if p.sent == len(p.inflight) {
		p.numberLocked()
	}
	for p.sent < len(p.inflight) && size < bytesMax {
		b := p.inflight[p.sent].encoded
		batch = append(batch, b)
		size += len(b)
		p.sent++
	}
	return batch, size
}

// numberLocked numbers what is fresh, in rounds.
func (p *pipeline) numberLocked() {
	if p.head == len(p.inflight) {
		p.inflight, p.head, p.sent = p.inflight[:0], 0, 0
		p.progress = p.srv.now()
	}
	p.measureQueueLocked()
	seq := p.first + uint64(len(p.inflight)-p.head)
	for _, i := range p.rounds.order(p.fresh) {
		f := p.fresh[i]
		apply.SetSeq(f.encoded, seq)
		seq++
		p.inflight = append(p.inflight, f)
	}
	clear(p.fresh)
	p.fresh = p.fresh[:0]
	if cap(p.fresh) > 4096 {
		p.fresh = nil
	}
}

// measureQueueLocked measures how long what is fresh has waited. What arrived together is one
// observation.
func (p *pipeline) measureQueueLocked() {
	now := p.srv.uptime()
	var run metric.Run
	for i := 0; i < len(p.fresh); {
		r, n := p.fresh[i].req, 1
		for i+n < len(p.fresh) && p.fresh[i+n].req != nil && r != nil && p.fresh[i+n].req.arrived == r.arrived {
			n++
		}
		if r != nil {
			run.Observe(&p.srv.metrics.QueueNanos, int64(now-r.arrived), int64(n))
		}
		i += n
	}
	run.Flush()
}

// rounds sorts commands into rounds.
type rounds struct {
	of      map[wire.SessionID]int // the round a session has reached
	buckets [][]int
	result  []int
}

// order returns the indexes of list, round by round, and within a round as they
// came. Valid until the next call.
func (r *rounds) order(list []flight) []int {
	r.result = r.result[:0]
	clear(r.of)
	for i := range r.buckets {
		r.buckets[i] = r.buckets[i][:0]
	}
	last := 0
	for i := range list {
		f := &list[i]
		n, ok := r.of[f.session]
		if ok && f.afterRead {
			n++
		}
		r.of[f.session] = n
		if n == len(r.buckets) {
			r.buckets = append(r.buckets, nil)
		}
		r.buckets[n] = append(r.buckets[n], i)
		last = max(last, n)
	}
	for _, b := range r.buckets[:min(last+1, len(r.buckets))] {
		r.result = append(r.result, b...)
	}
	return r.result
}

// commandChunk is the size of the blocks that commands are encoded into. A
// block is garbage when the last command in it was applied.
const commandChunk = 32 << 10

func (p *pipeline) encode(cmd *apply.Command) []byte {
	need := cmd.EncodedLen()
	if cap(p.chunk)-len(p.chunk) < need {
		p.chunk = make([]byte, 0, max(commandChunk, need))
	}
	start := len(p.chunk)
	p.chunk = cmd.AppendTo(p.chunk)
	return p.chunk[start:len(p.chunk):len(p.chunk)]
}

// result hands the result of the oldest command in flight to its connection.
func (p *pipeline) result(cmd *apply.Command, res *apply.Result) {
	p.mu.Lock()
	if cmd.Origin.Seq != p.first || p.head == len(p.inflight) {
		first, n := p.first, len(p.inflight)-p.head
		p.mu.Unlock()
		panic(fmt.Sprintf("server: result of command %d, but %d from %d on are in flight", cmd.Origin.Seq, n, first))
	}
	f := p.inflight[p.head]
	p.inflight[p.head] = flight{}
	p.head++
	p.first++
	p.moved = true
	if p.sent < p.head {
		p.sent = p.head // applied through an earlier leader
	}
	p.compactLocked()
	p.mu.Unlock()
	if f.conn != nil {
		if p.srv.audit != nil {
			p.srv.auditResult(f.conn, cmd, res)
		}
		f.conn.completeWrite(f.req, res)
	}
	if f.done != nil {
		f.done(outcome{number: cmd.Origin.Seq, code: res.Err, zxid: res.Zxid})
	}
}

// compactLocked gives the space of what was applied back once it is the larger
// part.
func (p *pipeline) compactLocked() {
	if p.head < 1024 || p.head*2 < len(p.inflight) {
		return
	}
	n := copy(p.inflight, p.inflight[p.head:])
	clear(p.inflight[n:])
	p.inflight = p.inflight[:n]
	p.sent -= p.head
	p.head = 0
}

// skipTo forgets the commands up to a number: a snapshot holds their effects,
// and nobody will ever learn their results.
func (p *pipeline) skipTo(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.first <= seq && p.head < len(p.inflight) {
		if done := p.inflight[p.head].done; done != nil {
			done(outcome{number: p.first, lost: true})
		}
		p.inflight[p.head] = flight{}
		p.head++
		p.first++
	}
	p.sent = max(p.sent, p.head)
}

// outstanding counts commands that were submitted and not applied.
func (p *pipeline) outstanding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.inflight) - p.head + len(p.fresh)
}

// setLeader starts again with a new leader.
func (p *pipeline) setLeader(leader uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leader, p.sent, p.progress = leader, p.head, p.srv.now()
	p.underway = underway{}
	if leader != p.srv.cfg.MemberID {
		p.dropLocked()
	}
	p.wakeLocked()
}

// dropLocked forgets what waited here for an entry: the members send again to
// whoever leads.
func (p *pipeline) dropLocked() {
	p.lists, p.waiting, p.draining, p.underway = nil, 0, false, underway{}
	p.admission.next(time.Time{})
}

// tick sends everything again when a message could not be sent, or when nothing
// of this member has been applied for resendAfter: a message was lost with a
// connection, or dropped by a leader that had too much to do.
func (p *pipeline) tick(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved {
		p.moved, p.progress = false, now
	}
	if p.sent > p.head && (p.unsent || now.Sub(p.progress) > resendAfter) {
		p.sent, p.progress = p.head, now
		p.wakeLocked()
	}
	p.unsent = false
	p.stopGatheringLocked()
	if !p.admission.retry.IsZero() {
		p.propWake.Signal()
	}
}

func (p *pipeline) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.sendWake.Broadcast()
	p.propWake.Broadcast()
}

// runSender moves commands to the leader, while that is another member, until
// close.
func (p *pipeline) runSender() {
	var batch [][]byte
	for p.waitFor(&p.sendWake, p.toSendLocked) {
		batch = p.sendSome(batch)
	}
}

// waitFor waits until there is something to do; false: the pipeline is closed.
func (p *pipeline) waitFor(wake *sync.Cond, somethingLocked func() bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && !somethingLocked() {
		wake.Wait()
	}
	return !p.closed
}

func (p *pipeline) toSendLocked() bool {
	return p.leader != 0 && p.leader != p.srv.cfg.MemberID && p.pendingLocked()
}

// sendSome sends a message's worth to the leader, if there is something to
// send. batch is memory to be used again.
func (p *pipeline) sendSome(batch [][]byte) [][]byte {
	p.mu.Lock()
	if !p.toSendLocked() {
		p.mu.Unlock()
		return batch
	}
	leader, size := p.leader, 0
	batch, size = p.takeLocked(batch[:0], messageBytesMax)
	p.mu.Unlock()
	p.send(leader, batch, size)
	clear(batch)
	return batch
}

func (p *pipeline) send(leader uint64, batch [][]byte, size int) {
	msg := make([]byte, 1, 1+size+binary.MaxVarintLen32*len(batch))
	msg[0] = byte(messageCommands)
	for _, b := range batch {
		msg = binary.AppendUvarint(msg, uint64(len(b)))
		msg = append(msg, b...)
	}
	if err := p.srv.peers.Send(leader, msg); err != nil {
		p.mu.Lock()
		p.unsent = true
		p.mu.Unlock()
		p.srv.log.Debug("send commands", zap.Uint64("peer", leader), zap.Error(err))
	}
}

// received takes a message of commands from another member.
func (p *pipeline) received(from uint64, msg []byte) error {
	var batch [][]byte
	for len(msg) > 0 {
		n, used := binary.Uvarint(msg)
		if used <= 0 || n > uint64(len(msg)-used) {
			return fmt.Errorf("commands from member %d: length %d of %d bytes", from, n, len(msg))
		}
		cmd := msg[used : used+int(n)]
		if err := apply.CheckCommand(cmd, from); err != nil {
			return err // of all, since those behind it would leave a gap
		}
		batch = append(batch, cmd)
		msg = msg[used+int(n):]
	}
	p.srv.observed.count(from, len(batch))
	p.add(from, batch)
	return nil
}

// add puts commands of a member, or with member 0 of the leader itself, into
// its list. Past the bound they are dropped: their member sends again.
func (p *pipeline) add(member uint64, batch [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting >= proposerQueueMax {
		return
	}
	p.listLocked(member).items = append(p.listLocked(member).items, batch...)
	p.waiting += len(batch)
	p.propWake.Signal()
}

func (p *pipeline) listLocked(member uint64) *commandList {
	for _, l := range p.lists {
		if l.member == member {
			return l
		}
	}
	l := &commandList{member: member}
	p.lists = append(p.lists, l)
	return l
}

// runProposer forms Raft entries on the leader until close. What arrives while an
// entry is being written goes into the next one together; a command that is
// alone goes out at once.
func (p *pipeline) runProposer() {
	m := entryMaker{seen: make(map[wire.SessionID]struct{})}
	for p.waitFor(&p.propWake, p.toProposeLocked) {
		p.proposeSome(&m)
	}
}

// entryMaker is memory that proposeSome uses again.
type entryMaker struct {
	batch, own [][]byte
	seen       map[wire.SessionID]struct{}
}

func (p *pipeline) toProposeLocked() bool {
	if p.admission.holding {
		return p.admission.look
	}
	if p.gatherLocked() {
		return false
	}
	if p.leader == p.srv.cfg.MemberID && p.pendingLocked() {
		return true
	}
	if p.waiting == 0 {
		return false
	}
	for _, l := range p.lists {
		if l.blocked || l.head == len(l.items) {
			continue
		}
		if !needsAdmission(l.items[l.head]) || !p.srv.now().Before(p.admission.retry) {
			return true
		}
	}
	return false
}

// proposeSome proposes one entry of what waits, if something does.
func (p *pipeline) proposeSome(m *entryMaker) {
	self := p.srv.cfg.MemberID
	p.mu.Lock()
	if p.leader == self && p.pendingLocked() {
		m.own, _ = p.takeLocked(m.own[:0], entryBytesMax)
		l := p.listLocked(self)
		l.items = append(l.items, m.own...)
		p.waiting += len(m.own)
		clear(m.own)
	}
	if l := p.toAdmitLocked(); l != nil {
		p.admission.holding = true
		b := l.items[l.head]
		p.mu.Unlock()
		p.admit(l, b)
		return
	}
	p.formLocked(m)
	p.mu.Unlock()
	if len(m.batch) > 0 {
		p.propose(m.batch)
	}
	clear(m.batch)
}

// chooseLocked takes from each list what one entry can have. A command whose
// session has reads waiting behind an earlier command of the same entry ends its
// list's part, so that those reads see a state without it. One that wants an entry alone gets one when its
// list is first. The members take turns at being first.
func (p *pipeline) chooseLocked(batch [][]byte, seen map[wire.SessionID]struct{}) [][]byte {
	clear(seen)
	size := 0
	p.turn++
	for i := range p.lists {
		l := p.lists[(p.turn+i)%len(p.lists)]
		for !l.blocked && l.head < len(l.items) && len(batch) < entryCommandsMax && size < entryBytesMax {
			b := l.items[l.head]
			session, flags := apply.PeekCommand(b)
			alone := flags&apply.Alone != 0
			if _, ok := seen[session]; ok && flags&apply.AfterRead != 0 || flags&apply.Admit != 0 || alone && len(batch) > 0 {
				break
			}
			seen[session] = struct{}{}
			batch = append(batch, b)
			size += len(b)
			if alone {
				size = max(size, entryBytesMax) // full
			}
			l.items[l.head] = nil
			l.head++
		}
		l.compact()
	}
	p.waiting -= len(batch)
	return batch
}

// compact gives the space of what was taken back once it is the larger part.
func (l *commandList) compact() {
	if l.head < 1024 && l.head < len(l.items) || l.head*2 < len(l.items) {
		return
	}
	n := copy(l.items, l.items[l.head:])
	clear(l.items[n:])
	l.items, l.head = l.items[:n], 0
}

func (p *pipeline) propose(batch [][]byte) {
	entry := apply.AppendEntry(nil, p.srv.stamp(), batch...)
	m := p.srv.metrics
	m.EntryCommands.Observe(int64(len(batch)))
	m.EntryBytes.Observe(int64(len(entry)))
	m.EntryLast.Set(int64(len(entry)))
	err := p.srv.peers.Propose(entry)
	if err == nil {
		return
	}
	// The members send again to whoever leads next.
	p.mu.Lock()
	p.dropLocked()
	p.mu.Unlock()
	if !errors.Is(err, quorum.ErrNotLeader) && !errors.Is(err, quorum.ErrClosed) {
		p.srv.log.Warn("propose", zap.Error(err))
	}
}
