package admin

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

const originalVersion = "3.9.4-7246445ec281f3dbf53dc54e970c914f39713903, built on 2025-08-19 19:53 UTC"

func original(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "original", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ask(t *testing.T, src Source, text string) string {
	t.Helper()
	w, ok := ParseWord([4]byte([]byte(text)))
	if !ok {
		t.Fatalf("%q is not a word", text)
	}
	words := NewWords(WordsConfig{Source: src, Whitelist: []string{"*"}, Version: originalVersion})
	return string(words.Answer(w, nil))
}

// TestOriginalText compares byte for byte with what ZooKeeper 3.9.4 said about
// the same state.
func TestOriginalText(t *testing.T) {
	a := func(c *Connection) {
		c.Received, c.Sent, c.NoOp, c.LastOp, c.LastCxid, c.LastZxid, c.LastResponseMillis = 4, 4, false, wire.OpGetData, 3, 4, 966854
		c.LatencyLast, c.LatencyMax, c.LatencySum, c.LatencyCount = 3, 14, 27, 4
	}
	ping := func(c *Connection) {
		c.Received, c.Sent, c.NoOp, c.LastOp, c.LastCxid, c.LastZxid, c.LastResponseMillis = 2, 2, false, wire.OpPing, 0, 5, 967055
		c.LatencyMax, c.LatencySum, c.LatencyCount = 1, 1, 2
	}
	children := func(c *Connection) {
		c.Received, c.Sent, c.NoOp, c.LastOp, c.LastCxid, c.LastZxid, c.LastResponseMillis = 4, 4, false, wire.OpGetChildren, 3, 4, 967005
		c.LatencyLast, c.LatencyMax, c.LatencySum, c.LatencyCount = 3, 3, 3, 4
	}
	for _, tc := range []struct {
		word, file string
		set        func(*fakeSource)
	}{
		{"srvr", "srvr", nil},
		{"srvr", "srvr2", func(s *fakeSource) {
			s.status.LatencyMax, s.status.LatencySum, s.status.LatencyCount, s.status.Received, s.status.Sent = 0, 0, 0, 1, 1
		}},
		{"stat", "stat", func(s *fakeSource) {
			s.status.Received, s.status.Sent = 13, 12
			s.connections = []Connection{client("127.0.0.1:55314", 0, 1795571777885, a), client("127.0.0.1:55342", 2, 1795571778217, ping),
				client("127.0.0.1:55328", 1, 1795571777913, children), word("127.0.0.1:55374")}
		}},
		{"cons", "cons", func(s *fakeSource) {
			s.connections = []Connection{word("127.0.0.1:55382"), client("127.0.0.1:55314", 0, 1795571777885, a),
				client("127.0.0.1:55342", 2, 1795571778217, ping), client("127.0.0.1:55328", 1, 1795571777913, children)}
		}},
		{"cons", "cons2", func(s *fakeSource) {
			s.connections = []Connection{word("127.0.0.1:55512"), client("127.0.0.1:55314", 0, 1795571777885, nil),
				client("127.0.0.1:55342", 2, 1795571778217, nil), client("127.0.0.1:55328", 1, 1795571777913, nil)}
		}},
		{"dump", "dump", func(s *fakeSource) {
			s.connections = []Connection{word("127.0.0.1:55388"), client("127.0.0.1:55314", 0, 1795571777885, a),
				client("127.0.0.1:55342", 2, 1795571778217, ping), client("127.0.0.1:55328", 1, 1795571777913, children)}
		}},
		{"wchs", "wchs", nil},
		{"wchc", "wchc", nil},
		{"dirs", "dirs", nil},
		{"conf", "conf", nil},
		{"conf", "conf_ensemble", func(s *fakeSource) {
			s.config.ClientPort, s.config.LogDir, s.config.DataDirBytes, s.config.LogDirBytes, s.config.ServerID = 29193, "/log", 629, 630, 3
			s.config.Ensemble = &EnsembleConfig{InitLimit: 10, SyncLimit: 5, ElectionPort: 29383, QuorumPort: 29283, Observer: true,
				Membership: "server.1=127.0.0.1:29281:29381:participant\nserver.2=127.0.0.1:29282:29382:participant\n" +
					"server.3=127.0.0.1:29283:29383:observer;0.0.0.0:29193\nversion=0"}
		}},
	} {
		src := originalSource()
		if tc.set != nil {
			tc.set(src)
		}
		if got, want := ask(t, src, tc.word), original(t, tc.file); got != want {
			t.Errorf("%s, as in %s:\n got %q\nwant %q", tc.word, tc.file, got, want)
		}
	}
	// The original lists the sessions of a path in no order; ours is sorted.
	lines := func(s string) []string { l := strings.Split(s, "\n"); slices.Sort(l); return l }
	if got, want := ask(t, originalSource(), "wchp"), original(t, "wchp"); !slices.Equal(lines(got), lines(want)) {
		t.Errorf("wchp:\n got %q\nwant %q", got, want)
	}
}

func TestShortWords(t *testing.T) {
	for _, tc := range []struct {
		word string
		set  func(*fakeSource)
		want string
	}{
		{"ruok", nil, "imok"},
		{"ruok", func(s *fakeSource) { s.status.Serving = false }, "imok"},
		{"isro", nil, "rw"},
		{"isro", func(s *fakeSource) { s.status.Mode = ReadOnly }, "ro"},
		{"isro", func(s *fakeSource) { s.status.Serving = false }, "null"},
		{"gtmk", func(s *fakeSource) { s.status.Serving = false }, "306"},
		{"crst", nil, "Connection stats reset.\n"},
		{"srst", nil, "Server stats reset.\n"},
		{"hash", func(s *fakeSource) { s.digests = []Digest{{0x80, 7}, {0x100000100, 1 << 63}} }, "80: 7\n100000100: 9223372036854775808\n"},
		{"hash", func(s *fakeSource) { s.status.Serving = false }, notServing},
		{"srvr", func(s *fakeSource) { s.status.Serving = false }, notServing + "\n"},
		{"mntr", func(s *fakeSource) { s.status.Serving = false }, notServing + "\n"},
		{"dump", func(s *fakeSource) { s.status.Serving = false }, notServing + "\n"},
		{"dump", func(s *fakeSource) {
			s.status.Mode = Follower
			s.sessions[0], s.sessions[2] = s.sessions[2], s.sessions[0]
		}, "SessionTracker dump:\nGlobal Sessions(3):\n0x100000eb1950000\t30000ms\n0x100000eb1950001\t30000ms\n0x100000eb1950002\t30000ms\n" +
			"ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x100000eb1950000:\n\t/a/e\nConnections dump:\nConnections Sets (0)/(0):\n"},
		{"dump", func(s *fakeSource) {
			s.status.Mode, s.status.HasLocal, s.status.LocalSessions = Follower, true, 1
			s.locals = []Session{{ID: 0x10, Expires: time.Unix(0, 0).UTC()}}
			s.sessions, s.status.Sessions = s.sessions[:1], 1
		}, "SessionTracker dump:\nLocal Session Sets (1)/(1):\n1 expire at Thu Jan 01 00:00:00 UTC 1970:\n\t0x10\n" +
			"Global Sessions(1):\n0x100000eb1950000\t30000ms\n" +
			"ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x100000eb1950000:\n\t/a/e\nConnections dump:\nConnections Sets (0)/(0):\n"},
		{"dump", func(s *fakeSource) {
			s.status.Mode, s.status.HasLocal = Leader, true
			s.sessions, s.status.Sessions = nil, 0
		}, "SessionTracker dump:\nLocal Session Sets (0)/(0):\nGlobal Session Sets (0)/(0):\n" +
			"ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x100000eb1950000:\n\t/a/e\nConnections dump:\nConnections Sets (0)/(0):\n"},
		{"srvr", func(s *fakeSource) {
			s.status.Mode, s.status.Zxid = Leader, 0x100000000
			s.status.Lead = &LeadStatus{ProposalLast: 48, ProposalMin: 32, ProposalMax: 99}
		}, "Zookeeper version: " + originalVersion + "\nLatency min/avg/max: 0/3.1/14\nReceived: 12\nSent: 11\nConnections: 4\n" +
			"Outstanding: 0\nZxid: 0x100000000\nMode: leader\nNode count: 7\nProposal sizes last/min/max: 48/32/99\n"},
		{"srvr", func(s *fakeSource) { s.status.Mode = ReadOnly }, "Zookeeper version: " + originalVersion +
			"\nREAD-ONLY mode; serving only read-only clients\nLatency min/avg/max: 0/3.1/14\nReceived: 12\nSent: 11\nConnections: 4\n" +
			"Outstanding: 0\nZxid: 0x5\nMode: read-only\nNode count: 7\n"},
	} {
		src := originalSource()
		if tc.set != nil {
			tc.set(src)
		}
		if got := ask(t, src, tc.word); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.word, got, tc.want)
		}
	}
}

func TestResets(t *testing.T) {
	src := originalSource()
	ask(t, src, "crst")
	ask(t, src, "srst")
	if got := strings.Join(src.resets, " "); got != "connections server" {
		t.Errorf("reset %q", got)
	}
}

func TestTraceMask(t *testing.T) {
	w := NewWords(WordsConfig{Source: originalSource(), Whitelist: []string{"gtmk", "stmk"}})
	set, _ := ParseWord([4]byte([]byte("stmk")))
	get, _ := ParseWord([4]byte([]byte("gtmk")))
	arg := binary.BigEndian.AppendUint64(nil, 123456)
	if len(arg) != set.ArgBytes() || get.ArgBytes() != 0 {
		t.Errorf("argument of %d and %d bytes", set.ArgBytes(), get.ArgBytes())
	}
	for _, step := range []struct {
		word Word
		arg  []byte
		want string
	}{{get, nil, "306"}, {set, arg, "123456"}, {get, nil, "123456"}, {set, arg[:5], "123456"}} {
		if got := string(w.Answer(step.word, step.arg)); got != step.want {
			t.Errorf("%v: got %q, want %q", step.word, got, step.want)
		}
	}
}

func TestParseWord(t *testing.T) {
	for text, want := range map[string]bool{
		"ruok": true, "conf": true, "wchs": true, "\xff\xf4\xff\xfd": true,
		"orst": false, "lsnp": false, "onf ": false, "\x00\x00\x00\x2d": false, "RUOK": false, "    ": false,
	} {
		if w, got := ParseWord([4]byte([]byte(text))); got != want {
			t.Errorf("%q: word %v, want %v", w, got, want)
		}
	}
}

func TestWhitelist(t *testing.T) {
	for _, tc := range []struct{ list, yes, no string }{
		{"", "srvr", "ruok stat isro stmk"},
		{"ruok, mntr ,nonsense", "ruok mntr srvr", "stat"},
		{"*", strings.TrimSpace(words), ""},
		{"stat,*", strings.TrimSpace(words), ""},
	} {
		w := NewWords(WordsConfig{Source: originalSource(), Whitelist: strings.Split(tc.list, ",")})
		check := func(names string, allowed bool) {
			for _, name := range strings.Fields(names) {
				word, _ := ParseWord([4]byte([]byte(name)))
				refusal := name + " is not executed because it is not in the whitelist.\n"
				if got := string(w.Answer(word, nil)); (got != refusal) != allowed {
					t.Errorf("whitelist %q, %s: %q", tc.list, name, got)
				}
			}
		}
		check(tc.yes, true)
		check(tc.no, false)
	}
	telnet, _ := ParseWord([4]byte([]byte("\xff\xf4\xff\xfd")))
	if got := NewWords(WordsConfig{Source: originalSource()}).Answer(telnet, nil); len(got) != 0 {
		t.Errorf("telnet close: %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	lines := strings.Split(ask(t, originalSource(), "envi"), "\n")
	if lines[0] != "Environment:" || lines[1] != "zookeeper.version="+originalVersion || lines[len(lines)-1] != "" {
		t.Errorf("got %q", lines)
	}
	want := "zookeeper.version host.name java.version java.vendor java.home java.class.path java.library.path java.io.tmpdir " +
		"java.compiler os.name os.arch os.version user.name user.home user.dir os.memory.free os.memory.max os.memory.total"
	var keys []string
	for _, line := range lines[1 : len(lines)-1] {
		key, value, ok := strings.Cut(line, "=")
		if !ok || value == "" {
			t.Errorf("line %q", line)
		}
		keys = append(keys, key)
	}
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("keys\n got %s\nwant %s", got, want)
	}
}

// TestListsAreCut shows that an answer has at most ListMax lines per list.
func TestListsAreCut(t *testing.T) {
	src := originalSource()
	const total = ListMax + 7
	src.connections = make([]Connection, total)
	for i := range total {
		src.connections[i].Remote = "127.0.0.1:1"
		src.watches = append(src.watches, Watch{1, fmt.Sprint("/w", i)})
		src.sessions = append(src.sessions, Session{ID: wire.SessionID(i), Expires: time.Unix(0, 0)})
	}
	src.status.Watches, src.status.Sessions = len(src.watches), len(src.sessions)
	for _, name := range []string{"cons", "stat", "wchc", "wchp", "dump"} {
		got := ask(t, src, name)
		if n := strings.Count(got, "\n"); n > 2*ListMax+30 {
			t.Errorf("%s: %d lines", name, n)
		}
		if !strings.Contains(got, " more are not shown (Holt lists at most 50000)\n") {
			t.Errorf("%s: nothing about what is not shown", name)
		}
	}
}

// TestListsTakeTurns shows that two lists are never made at once, and that
// short answers do not wait for them.
func TestListsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := gateSource{fakeSource: originalSource(), leave: make(chan struct{})}
		w := NewWords(WordsConfig{Source: &gate, Whitelist: []string{"*"}})
		wchc, _ := ParseWord([4]byte([]byte("wchc")))
		ruok, _ := ParseWord([4]byte([]byte("ruok")))
		for range 3 {
			go w.Answer(wchc, nil)
		}
		for left := 3; left > 0; left-- {
			synctest.Wait()
			if n := gate.inside.Load(); n != 1 {
				t.Errorf("%d lists are being made, want 1", n)
			}
			if got := string(w.Answer(ruok, nil)); got != "imok" {
				t.Errorf("ruok meanwhile: %q", got)
			}
			gate.leave <- struct{}{}
		}
	})
}

// gateSource stops in Watches until it is let go.
type gateSource struct {
	*fakeSource
	inside atomic.Int32
	leave  chan struct{}
}

func (s *gateSource) Watches(limit int) []Watch {
	s.inside.Add(1)
	<-s.leave
	s.inside.Add(-1)
	return s.fakeSource.Watches(limit)
}

func TestJavaDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 3.1: "3.1", 99.7143: "99.7143", 12: "12.0", 0.001: "0.001", 0.0005: "5.0E-4",
		0.0001: "1.0E-4", 9999999: "9999999.0", 1e7: "1.0E7", 12345678.5: "1.23456785E7",
	} {
		if got := javaDouble(f); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
}

func TestLatencyAverage(t *testing.T) {
	for _, tc := range []struct {
		sum, count int64
		want       float64
	}{{0, 0, 0}, {31, 10, 3.1}, {698, 7, 99.7143}, {1, 32, 0.0313}, {2, 3, 0.6667}, {1, 20000, 0.0001}} {
		st := Status{LatencySum: tc.sum, LatencyCount: tc.count}
		if got := st.latencyAvg(); got != tc.want {
			t.Errorf("%d over %d: got %v, want %v", tc.sum, tc.count, got, tc.want)
		}
	}
}

func TestJavaAddr(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:5": "127.0.0.1:5", "[::1]:5": "[0:0:0:0:0:0:0:1]:5", "[2001:db8::a:0]:80": "[2001:db8:0:0:0:0:a:0]:80", "pipe": "pipe",
		"[fe80::1%eth0]:1": "[fe80:0:0:0:0:0:0:1%eth0]:1",
	} {
		if got := javaAddr(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
