package admin

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSource is a member made of its tables.
type fakeSource struct {
	status      Status
	config      Config
	connections []Connection
	sessions    []Session
	locals      []Session
	ephemerals  []Ephemeral
	watches     []Watch
	digests     []Digest
	metrics     []Metric
	members     []Member
	observers   []ObserverConnection
	resets      []string
}

func (s *fakeSource) Status() Status { return s.status }
func (s *fakeSource) Config() Config { return s.config }

func (s *fakeSource) Connections(visit func(*Connection) bool) {
	for i := range s.connections {
		if !visit(&s.connections[i]) {
			return
		}
	}
}

func (s *fakeSource) Sessions(limit int) []Session {
	return slices.Clone(s.sessions[:min(limit, len(s.sessions))])
}

func (s *fakeSource) LocalSessions(limit int) []Session {
	return slices.Clone(s.locals[:min(limit, len(s.locals))])
}

func (s *fakeSource) Ephemerals(limit int) []Ephemeral {
	return s.ephemerals[:min(limit, len(s.ephemerals))]
}

func (s *fakeSource) Watches(limit int) []Watch {
	return slices.Clone(s.watches[:min(limit, len(s.watches))])
}

func (s *fakeSource) Digests() []Digest     { return s.digests }
func (s *fakeSource) ResetStats()           { s.resets = append(s.resets, "server") }
func (s *fakeSource) ResetConnectionStats() { s.resets = append(s.resets, "connections") }

func (s *fakeSource) Metrics(visit func(*Metric)) {
	for i := range s.metrics {
		visit(&s.metrics[i])
	}
}

// originalSource holds what an Apache ZooKeeper 3.9.4 held when the texts of
// testdata/original were recorded from it: three clients, a node, an ephemeral
// and three watches.
func originalSource() *fakeSource {
	const first = 0x100000eb1950000
	started := time.UnixMilli(1795571777885)
	return &fakeSource{
		status: Status{
			Serving: true, Mode: Standalone, Started: started,
			LatencyMin: 0, LatencyMax: 14, LatencySum: 31, LatencyCount: 10,
			Received: 12, Sent: 11, ResponseLast: -1, ResponseMin: -1, ResponseMax: -1,
			Connections: 4, Zxid: 5, Nodes: 7, Ephemerals: 1, DataBytes: 52, Sessions: 3,
			WatchConnections: 2, WatchPaths: 2, Watches: 3, WatchesAll: 4,
		},
		config: Config{
			ClientPort: 29181, SecureClientPort: -1, DataDir: "/data", LogDir: "/data",
			DataDirBytes: 67109358, LogDirBytes: 67109358, TickMillis: 2000, MaxClientConns: 60,
			MinSessionMillis: 4000, MaxSessionMillis: 40000, ListenBacklog: -1,
		},
		sessions: []Session{
			{ID: first, TimeoutMillis: 30000, Expires: time.Date(2026, 11, 25, 1, 56, 49, 0, time.UTC)},
			{ID: first + 1, TimeoutMillis: 30000, Expires: time.Date(2026, 11, 25, 1, 56, 49, 0, time.UTC)},
			{ID: first + 2, TimeoutMillis: 30000, Expires: time.Date(2026, 11, 25, 1, 56, 49, 0, time.UTC)},
		},
		ephemerals: []Ephemeral{{first, "/a/e"}},
		watches:    []Watch{{first + 1, "/a/e"}, {first + 1, "/a"}, {first, "/a"}},
	}
}

// client makes a connection of the recording.
func client(remote string, number, established int64, set func(*Connection)) Connection {
	c := Connection{
		Remote: remote, Established: time.UnixMilli(established), TimeoutMillis: 30000,
		LastCxid: -1, LastZxid: -1, NoOp: true,
		Expires: time.Date(2026, 11, 25, 1, 56, 51, 0, time.UTC),
	}
	c.Session = wire.SessionID(0x100000eb1950000 + number)
	if set != nil {
		set(&c)
	}
	return c
}

// word is the connection that asks a four-letter word.
func word(remote string) Connection {
	return Connection{Remote: remote, Paused: true, Received: 1, Expires: time.Date(2026, 11, 25, 1, 56, 31, 0, time.UTC)}
}

func (s *fakeSource) Members() []Member               { return s.members }
func (s *fakeSource) Observers() []ObserverConnection { return s.observers }
func (s *fakeSource) ResetObserverStats()             { s.resets = append(s.resets, "observers") }
