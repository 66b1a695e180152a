package admin

import (
	"time"

	"holt/wire"
	"holt/wire/metric"
)

// ListMax bounds every list a Source is asked for.
const ListMax = 50_000

// Source is the member that is shown. Every method may be called from any
// goroutine at any time, also while the member is starting or has no leader,
// and must not hold up requests: a list is copied in pieces or under a lock
// that is held for a bounded time.
//
// It is wider than an interface of ours usually is because it has one
// implementation and one for tests, and because each method is one table of
// the member.
type Source interface {
	// Status returns state and totals. It is cheap: counters, no scans.
	Status() Status
	// Config returns the settings in effect.
	Config() Config
	// Connections calls visit for each client connection, in any order, the
	// one that asks included, until visit returns false. The value is valid
	// during the call.
	Connections(visit func(*Connection) bool)
	// Sessions returns up to limit sessions of the ensemble in any order, LocalSessions those that this
	// member alone knows.
	Sessions(limit int) []Session
	LocalSessions(limit int) []Session
	// Ephemerals returns up to limit ephemeral nodes, those of one session
	// following one another.
	Ephemerals(limit int) []Ephemeral
	// Watches returns up to limit watches of this member's data table (exists
	// and getData, persistent ones included), as wchc and wchp show them.
	Watches(limit int) []Watch
	// Digests returns the recorded digests, oldest first.
	Digests() []Digest
	// Members returns the members of the ensemble by ascending id, none on a
	// standalone server.
	Members() []Member
	// Observers returns the observers that are connected to this member, none
	// unless it leads.
	Observers() []ObserverConnection
	// ResetStats starts the latency and packet statistics of Status anew.
	ResetStats()
	// ResetConnectionStats does the same for those of each Connection,
	// ResetObserverStats for those of each ObserverConnection.
	ResetConnectionStats()
	ResetObserverStats()
	// Metrics calls visit for each metric that Status does not hold. Metrics of
	// one name follow one another. The value is valid during the call.
	Metrics(visit func(*Metric))
}

// Mode is a member's part in the ensemble, in the word that srvr prints.
type Mode string

// The modes of ZooKeeper.
const (
	Standalone Mode = "standalone"
	Leader     Mode = "leader"
	Follower   Mode = "follower"
	Observer   Mode = "observer"
	ReadOnly   Mode = "read-only"
)

// Status is the state of a member and its totals.
type Status struct {
	// Serving says that clients are served, in read-only mode too. While it is
	// false most words answer that this is so, and nothing else.
	Serving bool
	// Mode is the present part; meaningless unless Serving.
	Mode Mode
	// LeaderID is the member that leads, 0 if none is known.
	LeaderID uint64
	// Started is when the process began to run this member.
	Started time.Time

	// LatencyMin, LatencyMax and LatencySum are about the LatencyCount requests
	// answered since the last ResetStats, in ms from receipt to reply.
	LatencyMin, LatencyMax, LatencySum, LatencyCount int64
	// Received and Sent count packets since the last ResetStats; a four-letter
	// word counts as received.
	Received, Sent int64
	// AuthFailed counts failed authentications since the start.
	AuthFailed int64
	// ResponseLast, ResponseMin and ResponseMax are sizes of replies in bytes
	// since the last ResetStats, −1 before the first.
	ResponseLast, ResponseMin, ResponseMax int64

	// Connections counts open client connections, the one that asks included.
	Connections int
	// Outstanding counts requests received and not yet answered.
	Outstanding int64
	// Zxid is the last applied here.
	Zxid wire.Zxid
	// Nodes counts znodes as ZooKeeper does, where an empty tree has 5.
	Nodes int64
	// Ephemerals counts ephemeral nodes, DataBytes paths and data of all nodes.
	Ephemerals, DataBytes int64
	// Sessions counts the sessions of the ensemble.
	Sessions int
	// LocalSessions counts those that this member alone knows, if it has any at all: if HasLocal.
	LocalSessions int
	HasLocal      bool
	// DurableZxid is the last that was on disk with the tree at Durable, the last
	// time that a state was made durable; zero if there was none yet.
	DurableZxid wire.Zxid
	Durable     time.Time
	// SlowSyncs counts fsyncs of the log that took longer than is warned of.
	SlowSyncs int64
	// PlainRemote and PlainLocal count connections without mutual TLS from other
	// machines and from this one, while TLS is on; 0 otherwise.
	PlainRemote, PlainLocal int

	// WatchConnections, WatchPaths and Watches are about the data table, as
	// wchs prints them; WatchesAll counts the child table too.
	WatchConnections, WatchPaths, Watches, WatchesAll int

	// QuorumSize counts the voting members; 0 on a standalone server.
	QuorumSize int
	// Lead is set on a leader alone, and nil on a standalone server.
	Lead *LeadStatus
}

// LeadStatus is what only a leader knows.
type LeadStatus struct {
	// Since is when this member became the leader.
	Since time.Time
	// Learners counts the members connected to this leader, SyncedFollowers
	// and SyncedObservers those of them that are up to date.
	Learners, SyncedFollowers, SyncedObservers int
	// PendingSyncs counts sync operations that wait.
	PendingSyncs int
	// ProposalLast, ProposalMin and ProposalMax are sizes of proposals in bytes
	// since the last ResetStats, −1 before the first.
	ProposalLast, ProposalMin, ProposalMax int64
}

// Property is a setting by the name that it has as a property of the JVM.
type Property struct{ Name, Value string }

// Config is what conf prints.
type Config struct {
	// InitialText is the configuration file as it was read; empty if the member
	// was configured by a program.
	InitialText string
	// Properties are the settings that are system properties of the original,
	// in any order.
	Properties []Property
	// ClientPort and SecureClientPort are −1 when there is no such port.
	ClientPort, SecureClientPort int
	// DataDir and LogDir are the directories of the configuration; their sizes
	// are those of all files below them, in bytes, and may be some seconds old.
	DataDir, LogDir                    string
	DataDirBytes, LogDirBytes          int64
	TickMillis                         int
	MaxClientConns                     int // 0: no bound
	MinSessionMillis, MaxSessionMillis int
	// ListenBacklog is −1 for the system's.
	ListenBacklog int
	// ServerID is 0 on a standalone server.
	ServerID uint64
	// Ensemble is nil on a standalone server.
	Ensemble *EnsembleConfig
}

// EnsembleConfig is the part of conf that an ensemble's member has.
type EnsembleConfig struct {
	InitLimit, SyncLimit     int
	ElectionPort, QuorumPort int
	Observer                 bool
	// Membership is the text of /zookeeper/config.
	Membership string
}

// Connection is one client connection.
type Connection struct {
	// Remote is ip:port, an IPv6 address in brackets.
	Remote string
	// Secure says that it is one of TLS.
	Secure bool
	// Paused says that the connection is not being read.
	Paused bool
	// Outstanding, Received and Sent count requests and packets.
	Outstanding, Received, Sent int64
	// Session is 0 before the handshake is done; the fields below then mean
	// nothing.
	Session       wire.SessionID
	Established   time.Time
	TimeoutMillis int32
	// Expires is when the connection is closed if nothing is received; zero if
	// it is not.
	Expires time.Time
	// LastOp is the last request answered, OpCreateSession to begin with; NoOp
	// after a reset.
	LastOp wire.OpCode
	NoOp   bool
	// LastCxid is the last request's xid, −1 before the first.
	LastCxid int64
	// LastZxid is the last one sent in a reply, −1 before the first.
	LastZxid wire.Zxid
	// LastResponseMillis is when that was, on a monotonic clock.
	LastResponseMillis int64
	// Latencies in ms, over LatencyCount replies since the last reset.
	LatencyLast, LatencyMin, LatencyMax, LatencySum, LatencyCount int64
}

// Member is a member of the ensemble.
type Member struct {
	ID       uint64
	Observer bool
	// Host, QuorumPort and ElectionPort are those of its server line.
	Host                     string
	QuorumPort, ElectionPort int
	// ClientAddr is host:port of its client port, "" if it is not told.
	ClientAddr string
}

// ObserverConnection is an observer as its leader sees it.
type ObserverConnection struct {
	ID          uint64
	Remote      string // ip:port
	Established time.Time
	// Queued counts messages that wait to be sent to it, QueuedBytes what they
	// take.
	Queued, QueuedBytes int64
	// Received and Sent count messages, Requests commands that it handed on.
	Received, Sent, Requests int64
	// Zxid is the last that it is known to have, 0 if it is far behind.
	Zxid wire.Zxid
}

// Session is one session of the ensemble.
type Session struct {
	ID            wire.SessionID
	TimeoutMillis int32
	// Expires is when it ends if nothing is heard of it; zero on a member that
	// does not track it.
	Expires time.Time
}

// Ephemeral is one ephemeral node.
type Ephemeral struct {
	Session wire.SessionID
	Path    string
}

// Watch is one session's watch on one path.
type Watch struct {
	Session wire.SessionID
	Path    string
}

// Digest is the digest of the tree at a zxid.
type Digest struct {
	Zxid  wire.Zxid
	Value uint64
}

// Kind says how a Metric is shown.
type Kind uint8

// The kinds of metrics. The summaries differ in the quantiles that are shown.
const (
	Counter         Kind = iota
	Gauge                // a whole number
	AverageGauge         // one with a fraction
	BasicSummary         // mntr: avg, min, max, cnt, sum; Prometheus: 0.5
	AdvancedSummary      // mntr: p50 to p999 as well; Prometheus: 0.5, 0.9, 0.99
	Histogram            // buckets, in Prometheus only
)

// Metric is one number, or one distribution, with its name.
type Metric struct {
	// Name is ZooKeeper's, as proposal_latency; or begins with holt_. It has no
	// zk_ prefix and no _total suffix.
	Name string
	// Help is one sentence for a human; may be empty.
	Help string
	// Label and Value name the member of a set, as key="2"; both empty for a
	// metric that is alone.
	Label, LabelValue string
	Kind              Kind
	// Value is that of a Counter or Gauge.
	Value float64
	// Values is the distribution of the other kinds; the samples times Scale
	// give the unit shown. Scale 0 means 1.
	Values *metric.Snapshot
	Scale  float64
}
