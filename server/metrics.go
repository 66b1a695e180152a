package server

import (
	"time"

	"holt/server/admin"
	"holt/wire"
	"holt/wire/metric"
)

// opSlots numbers the operations that have a histogram of their own: the op
// codes of the protocol are sparse, an array over these is not.
const opSlots = 128

// The slots of the negative op codes, where the protocol has none.
const (
	slotCreateSession = 118
	slotCloseSession  = 119
)

// Metrics is what this package counts, but for what each connection counts for itself (figures). Everything is
// always on; a request costs its connection a few additions, and a share of one histogram.
type Metrics struct {
	Responses                                              metric.Range // sizes of replies and events
	ConnectRequests                                        metric.Counter
	ConnectionsRejected                                    metric.Counter
	RequestsThrottled, OpsThrottled, LargeRequestsRejected metric.Counter
	AuthFailed                                             metric.Counter
	HandshakesFailed, HandshakesExceeded                   metric.Counter // of TLS
	PlainRemote, PlainLocal                                metric.Counter // connections without TLS where there could be some
	SessionsExpired                                        metric.Counter
	Revalidations                                          metric.Counter   // sessions that clients came back to
	ConnectionsDropped, SessionlessExpired                 metric.Counter   // by clients, and of clients that said nothing
	ThrottleNanos                                          metric.Histogram // waits of requests that were throttled
	QueueNanos                                             metric.Histogram // ns from a write's receipt until it is on its way to the log
	ReplyNanos                                             metric.Histogram // ns of writing the replies to what was applied together
	PropagationMillis                                      metric.Histogram // ms from the leader's stamp until applied here
	LeaderlessNanos, ElectedNanos                          metric.Histogram // time without a leader, and of that what this member ended
	LeaderLost                                             metric.Counter
	CatchUpNanos, OpenNanos                                metric.Histogram
	CommandsLed, CommandsFollowed                          metric.Counter // applied while this member led, and did not
	Failures, DigestMismatches                             metric.Counter
	EntryCommands                                          metric.Histogram          // commands per Raft entry
	EntryBytes                                             metric.Histogram          // bytes per Raft entry
	EntryLast                                              metric.Gauge              // bytes of the last one
	Latency                                                [opSlots]metric.Histogram // ns from receipt to reply, by operation
}

func newMetrics() *Metrics { return &Metrics{} }

// reset starts what srst resets anew: of the original's ServerMetrics, all.
func (m *Metrics) reset() {
	for _, c := range []*metric.Counter{
		&m.ConnectRequests, &m.ConnectionsRejected, &m.SessionsExpired,
		&m.RequestsThrottled, &m.OpsThrottled, &m.LargeRequestsRejected,
		&m.Revalidations, &m.ConnectionsDropped, &m.SessionlessExpired,
	} {
		c.Reset()
	}
	m.Responses.Reset()
	for i := range m.Latency {
		m.Latency[i].Reset()
	}
}

// kinds returns the latencies of all reads, and of all writes.
func (m *Metrics) kinds() (reads, updates metric.Snapshot) {
	for i := range m.Latency {
		switch h := &m.Latency[i]; {
		case h.Empty():
		case opOfSlot(i).IsWrite():
			updates.Merge(h.Snapshot())
		default:
			reads.Merge(h.Snapshot())
		}
	}
	return reads, updates
}

// latencies fills in the figures of srvr, in ms.
func (m *Metrics) latencies(st *admin.Status) {
	all, updates := m.kinds()
	all.Merge(&updates)
	const ms = int64(time.Millisecond)
	st.LatencyMin, st.LatencyMax = all.Min()/ms, all.Max()/ms
	st.LatencySum, st.LatencyCount = all.Sum()/ms, all.Count()
	st.ResponseLast, st.ResponseMin, st.ResponseMax = m.Responses.Load()
}

// slot maps an op code into Latency; close and create session, which are
// negative, to two free numbers.
func slot(op wire.OpCode) int {
	switch {
	case op == wire.OpCloseSession:
		return slotCloseSession
	case op == wire.OpCreateSession:
		return slotCreateSession
	case op < 0 || op >= opSlots:
		return 0
	}
	return int(op)
}

func opOfSlot(slot int) wire.OpCode {
	switch slot {
	case slotCloseSession:
		return wire.OpCloseSession
	case slotCreateSession:
		return wire.OpCreateSession
	}
	return wire.OpCode(slot)
}

func (m *Metrics) observe(op wire.OpCode, took time.Duration, n int64) {
	m.Latency[slot(op)].ObserveN(int64(took), n)
}

// batch measures the requests that arrived together and were answered by the
// reader itself. The clock is read twice for all of them: from the client's
// side they took from the first one's arrival to the flush.
type batch struct {
	c        *conn
	begun    bool
	started  time.Duration // since the server's start
	took     time.Duration // from then until all replies had left
	received int64
	bytes    int64 // of these
	answered int64 // not told yet
	lastOp   wire.OpCode
	lastXid  wire.Xid // negative: none
	ops      []opCount
}

type opCount struct {
	op wire.OpCode
	n  int64
}

// begin counts a request of so many bytes that was received.
func (b *batch) begin(bytes int) {
	if !b.begun {
		b.begun, b.started, b.lastXid = true, b.c.srv.uptime(), -1
		b.c.arrived = b.started
	}
	b.received++
	b.bytes += int64(bytes)
}

// header notes whose turn it is. The xids of pings and the like are no news to an
// operator, who looks for the last real operation.
func (b *batch) header(h wire.RequestHeader) {
	b.lastOp = h.Op
	if h.Xid >= 0 {
		b.lastXid = h.Xid
	}
}

// tell brings the connection's figures up to date, before the replies leave.
func (b *batch) tell(f *figures) {
	if b.received == 0 {
		return
	}
	f.received += b.received
	f.in += b.bytes
	f.sent += b.answered
	f.lastOp = b.lastOp
	if b.lastXid >= 0 {
		f.lastXid = b.lastXid
	}
	b.received, b.answered, b.bytes = 0, 0, 0
}

func (b *batch) count(op wire.OpCode) {
	b.answered++
	for i := range b.ops {
		if b.ops[i].op == op {
			b.ops[i].n++
			return
		}
	}
	b.ops = append(b.ops, opCount{op, 1})
}

// settle measures what was answered, when the replies have left.
func (b *batch) settle(f *figures) {
	if len(b.ops) == 0 {
		return
	}
	now := b.c.srv.uptime()
	b.took = now - b.started
	for _, o := range b.ops {
		f.latency.observe(b.took, o.n)
	}
	f.seen(now, b.c.srv.machine.LastZxid())
}

// end tells all connections' figures of it, and begins anew.
func (b *batch) end() {
	for _, o := range b.ops {
		b.c.srv.metrics.observe(o.op, b.took, o.n)
	}
	b.ops, b.begun = b.ops[:0], false
}

// answers measures the requests that the apply goroutine answers. Those of one
// connection and operation that arrived together and are answered by one entry
// are counted together, and the clock is read once for the entry.
type answers struct {
	now     time.Duration // since the server's start; 0 until it is needed
	c       *conn         // nil: none are gathered
	op      wire.OpCode
	arrived time.Duration
	n       int64

	// Of all connections, until the entry ends.
	latency metric.Run
}

func (a *answers) add(c *conn, r *request) {
	if a.c != c || a.op != r.op || a.arrived != r.arrived {
		a.flush()
		a.c, a.op, a.arrived = c, r.op, r.arrived
	}
	a.n++
}

func (a *answers) flush() {
	if a.c == nil {
		return
	}
	s := a.c.srv
	if a.now == 0 {
		a.now = s.uptime()
	}
	took := a.now - a.arrived
	a.latency.Observe(&s.metrics.Latency[slot(a.op)], int64(took), a.n)
	a.c.out.answered(a.n, took, a.now, s.machine.LastZxid()) // of an entry under way it is the one before
	a.c, a.n = nil, 0
}

// end is called after an entry.
func (a *answers) end() {
	a.flush()
	a.latency.Flush()
	a.now = 0
}
