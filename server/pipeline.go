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
)

// The pipeline carries commands from connections to the Raft log and results
// back:
//
//	conn.submit ─▶ inflight (numbered, kept until applied)
//	                 │ sender goroutine
//	                 ├─ a follower: messages to the leader's server ──▶ its proposer
//	                 └─ the leader: straight to the proposer
//	   proposer goroutine: one Raft entry from all that waits, stamped
//	                 ▼
//	   quorum: replicate, commit ─▶ Machine.Apply ─▶ Sink.Result ─▶ inflight's head
//
// Commands of a member are numbered within its incarnation (one run of the
// process). After a change of leader, a lost connection or a stall the sender
// starts again at the first that was not applied; the machine takes each number
// once and in order, so that sending twice is harmless and a gap is impossible.

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
)

// flight is one command on its way.
type flight struct {
	conn    *conn // nil: nobody waits for the result
	req     *request
	encoded []byte
}

type pipeline struct {
	srv         *Server
	incarnation uint64

	mu       sync.Mutex
	wake     sync.Cond
	closed   bool
	inflight []flight // in order of their numbers; head is the first not used
	head     int
	first    uint64    // number of inflight[head]
	sent     int       // index into inflight from which nothing was sent yet
	progress time.Time // when a command of this member was last applied, about
	moved    bool      // one was since the last tick
	unsent   bool      // a message could not be sent since the last tick
	leader   uint64
	chunk    []byte // commands are encoded into chunks, not one by one

	proposer proposer
}

func (p *pipeline) init(s *Server, incarnation uint64) {
	p.srv, p.incarnation, p.first = s, incarnation, 1
	p.wake.L = &p.mu
	p.proposer.init(s)
}

// submit numbers and queues a command. It does not wait: the connection's own
// bound on outstanding requests limits what can be here.
func (p *pipeline) submit(c *conn, r *request, cmd *apply.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errPipelineClosed
	}
	if p.head == len(p.inflight) {
		p.inflight, p.head, p.sent = p.inflight[:0], 0, 0
		p.progress = time.Now()
	}
	cmd.Origin = apply.Origin{Member: p.srv.cfg.MemberID, Incarnation: p.incarnation,
		Seq: p.first + uint64(len(p.inflight)-p.head)}
	encoded := p.encode(cmd)
	p.inflight = append(p.inflight, flight{conn: c, req: r, encoded: encoded})
	if p.leader == p.srv.cfg.MemberID && p.sent == len(p.inflight)-1 {
		// On the leader nothing lies between: the proposer is woken directly.
		p.sent++
		p.proposer.addOne(encoded)
		return nil
	}
	p.wake.Signal()
	return nil
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
		f.conn.completeWrite(f.req, res)
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
		p.inflight[p.head] = flight{}
		p.head++
		p.first++
	}
	p.sent = max(p.sent, p.head)
}

// outstanding counts commands in flight.
func (p *pipeline) outstanding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.inflight) - p.head
}

// setLeader starts again with a new leader.
func (p *pipeline) setLeader(leader uint64) {
	p.mu.Lock()
	p.leader, p.sent, p.progress = leader, p.head, time.Now()
	p.wake.Signal()
	p.mu.Unlock()
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
		p.wake.Signal()
	}
	p.unsent = false
}

func (p *pipeline) close() {
	p.mu.Lock()
	p.closed = true
	p.wake.Broadcast()
	p.mu.Unlock()
	p.proposer.close()
}

// runSender moves commands from inflight to the leader until close.
func (p *pipeline) runSender() {
	var batch [][]byte
	for {
		p.mu.Lock()
		for !p.closed && (p.leader == 0 || p.sent == len(p.inflight)) {
			p.wake.Wait()
		}
		if p.closed {
			p.mu.Unlock()
			return
		}
		leader, size := p.leader, 0
		batch = batch[:0]
		for i := p.sent; i < len(p.inflight) && size < messageBytesMax; i++ {
			batch = append(batch, p.inflight[i].encoded)
			size += len(p.inflight[i].encoded)
		}
		p.sent += len(batch)
		p.mu.Unlock()
		p.sendTo(leader, batch, size)
	}
}

func (p *pipeline) sendTo(leader uint64, batch [][]byte, size int) {
	if leader == p.srv.cfg.MemberID {
		p.proposer.add(batch)
		return
	}
	msg := make([]byte, 1, 1+size+binary.MaxVarintLen32*len(batch))
	msg[0] = byte(messageCommands)
	for _, b := range batch {
		msg = binary.AppendUvarint(msg, uint64(len(b)))
		msg = append(msg, b...)
	}
	if err := p.srv.member.Send(leader, msg); err != nil {
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
	p.proposer.add(batch)
	return nil
}

// proposer forms Raft entries on the leader. What arrives while an entry is
// being written goes into the next one together; a command that is alone goes
// out at once.
type proposer struct {
	srv *Server

	mu     sync.Mutex
	wake   sync.Cond
	closed bool
	queue  [][]byte
	spare  [][]byte

	sessions map[wire.SessionID]struct{} // of the entry being formed
}

func (p *proposer) init(s *Server) {
	p.srv = s
	p.wake.L = &p.mu
	p.sessions = make(map[wire.SessionID]struct{})
}

func (p *proposer) add(batch [][]byte) {
	p.mu.Lock()
	if len(p.queue) < proposerQueueMax {
		p.queue = append(p.queue, batch...)
		p.wake.Signal()
	}
	p.mu.Unlock()
}

func (p *proposer) addOne(encoded []byte) {
	p.mu.Lock()
	if len(p.queue) < proposerQueueMax {
		p.queue = append(p.queue, encoded)
		p.wake.Signal()
	}
	p.mu.Unlock()
}

func (p *proposer) close() {
	p.mu.Lock()
	p.closed = true
	p.wake.Broadcast()
	p.mu.Unlock()
}

// drop forgets what waits; called when this member does not lead any more.
func (p *proposer) drop() {
	p.mu.Lock()
	clear(p.queue)
	p.queue = p.queue[:0]
	p.mu.Unlock()
}

func (p *proposer) run() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed {
			p.wake.Wait()
		}
		if p.closed {
			p.mu.Unlock()
			return
		}
		batch := p.queue
		p.queue, p.spare = p.spare[:0], batch
		p.mu.Unlock()
		for len(batch) > 0 {
			n, entry := p.entry(batch)
			batch = batch[n:]
			if err := p.srv.member.Propose(entry); err != nil {
				if !errors.Is(err, quorum.ErrNotLeader) && !errors.Is(err, quorum.ErrClosed) {
					p.srv.log.Warn("propose", zap.Error(err))
				}
				break // the members send again to whoever leads next
			}
		}
		clear(p.spare)
	}
}

// entry encodes as many commands of batch as one entry takes. A command whose
// session has reads waiting behind an earlier command of the same entry starts
// the next one, so that those reads see a state without it.
func (p *proposer) entry(batch [][]byte) (int, []byte) {
	clear(p.sessions)
	n, size := 0, 0
	for n < len(batch) && n < entryCommandsMax && size < entryBytesMax {
		session, flags := apply.PeekCommand(batch[n])
		if flags&apply.AfterRead != 0 {
			if _, ok := p.sessions[session]; ok {
				break
			}
		}
		p.sessions[session] = struct{}{}
		size += len(batch[n])
		n++
	}
	entry := apply.AppendEntry(nil, p.srv.stamp(), batch[:n]...)
	m := p.srv.metrics
	m.EntryCommands.Observe(int64(n))
	m.EntryBytes.Observe(int64(len(entry)))
	m.EntryLast.Set(int64(len(entry)))
	return n, entry
}
