package server

import (
	"sync/atomic"
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

// Metrics is what this package counts. Everything is always on; a request costs
// two counters and a share of one histogram.
type Metrics struct {
	PacketsReceived, PacketsSent                           metric.Counter
	ConnectRequests                                        metric.Counter
	ConnectionsRejected                                    metric.Counter
	RequestsThrottled, OpsThrottled, LargeRequestsRejected metric.Counter
	AuthFailed                                             metric.Counter
	SessionsExpired                                        metric.Counter
	EntryCommands                                          metric.Histogram          // commands per Raft entry
	EntryBytes                                             metric.Histogram          // bytes per Raft entry
	EntryLast                                              metric.Gauge              // bytes of the last one
	Latency                                                [opSlots]metric.Histogram // ns from receipt to reply, by operation
	ReadLatency, UpdateLatency                             metric.Histogram          // ns, all operations of the kind
}

func newMetrics() *Metrics { return &Metrics{} }

// reset starts what srst resets anew.
func (m *Metrics) reset() {
	m.PacketsReceived.Reset()
	m.PacketsSent.Reset()
	m.ReadLatency.Reset()
	m.UpdateLatency.Reset()
}

// latencies fills in the figures of srvr, in ms.
func (m *Metrics) latencies(st *admin.Status) {
	all := m.ReadLatency.Snapshot()
	all.Merge(m.UpdateLatency.Snapshot())
	const ms = int64(time.Millisecond)
	st.LatencyMin, st.LatencyMax = all.Min()/ms, all.Max()/ms
	st.LatencySum, st.LatencyCount = all.Sum()/ms, all.Count()
	st.ResponseLast, st.ResponseMin, st.ResponseMax = -1, -1, -1
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

func (m *Metrics) observe(op wire.OpCode, took time.Duration, n int64) {
	m.Latency[slot(op)].ObserveN(int64(took), n)
	if op.IsWrite() {
		m.UpdateLatency.ObserveN(int64(took), n)
	} else {
		m.ReadLatency.ObserveN(int64(took), n)
	}
}

// batch measures the requests that arrived together and were answered by the
// reader itself. The clock is read twice for all of them: from the client's
// side they took from the first one's arrival to the flush.
type batch struct {
	c        *conn
	started  time.Time
	received int64
	ops      []opCount
}

type opCount struct {
	op wire.OpCode
	n  int64
}

// begin counts a request that was received.
func (b *batch) begin() {
	if b.started.IsZero() {
		b.started = time.Now()
	}
	b.received++
}

func (b *batch) count(op wire.OpCode) {
	for i := range b.ops {
		if b.ops[i].op == op {
			b.ops[i].n++
			return
		}
	}
	b.ops = append(b.ops, opCount{op, 1})
}

func (b *batch) end() {
	if b.started.IsZero() {
		return
	}
	m := b.c.srv.metrics
	m.PacketsReceived.Add(b.received)
	if len(b.ops) > 0 {
		took := time.Since(b.started)
		for _, o := range b.ops {
			m.observe(o.op, took, o.n)
			m.PacketsSent.Add(o.n)
			b.c.stats.latency.observe(took, o.n)
		}
		b.c.stats.lastSeen.Store(b.c.srv.uptimeMillis())
		b.c.stats.lastZxid.Store(int64(b.c.srv.machine.LastZxid()))
	}
	b.ops = b.ops[:0]
	b.received, b.started = 0, time.Time{}
}

// latency is a connection's own minimum, mean and maximum, for `cons`.
type latency struct {
	last, min, max, sum, count atomic.Int64 // ms; min is stored +1 so that 0 means none
}

func (l *latency) observe(took time.Duration, n int64) {
	ms := took.Milliseconds()
	l.last.Store(ms)
	l.sum.Add(ms * n)
	l.count.Add(n)
	if m := l.min.Load(); m == 0 || ms+1 < m {
		l.min.Store(ms + 1)
	}
	if ms > l.max.Load() {
		l.max.Store(ms)
	}
}

func (l *latency) reset() {
	l.last.Store(0)
	l.min.Store(0)
	l.max.Store(0)
	l.sum.Store(0)
	l.count.Store(0)
}
