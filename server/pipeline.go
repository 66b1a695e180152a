package server

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"holt/server/apply"
	"holt/wire"
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

// waitFor waits until there is something to do; false: the pipeline is closed.
func (p *pipeline) waitFor(wake *sync.Cond, somethingLocked func() bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && !somethingLocked() {
		wake.Wait()
	}
	return !p.closed
}
