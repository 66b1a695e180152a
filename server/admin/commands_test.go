package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/wire"
)

// commandsOf serves the commands of a member and returns how to ask one.
func commandsOf(t *testing.T, src Source, access func(*http.Request, string, []byte) Access) func(method, path, authorization string) (int, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	words := NewWords(WordsConfig{Source: src, Version: originalVersion})
	h := ServeHTTP(l, HTTPConfig{Source: src, Commands: NewCommands(CommandsConfig{Words: words, Authorize: access})})
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(method, path, authorization string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
}

// recorded holds what the members of an Apache ZooKeeper 3.9.4 held when the
// documents of testdata/original/commands were recorded from them. The numbers that
// differ from member to member are in the cases of TestOriginalDocuments.
func recorded(mode Mode) *fakeSource {
	started := time.Now()
	session := map[Mode]wire.SessionID{Standalone: 72060525392691200, Leader: 216175713572683776, Observer: 216175713572683776}[mode]
	s := &fakeSource{
		status: Status{Serving: true, Mode: mode, LeaderID: 3, Started: started, WatchConnections: 1, WatchPaths: 1, Watches: 1,
			Connections: 1, Ephemerals: 1, Sessions: 1},
		config: Config{ClientPort: 21950, DataDir: "/data/5", LogDir: "/data/5", TickMillis: 2000, MinSessionMillis: 4000,
			MaxSessionMillis: 40000, ListenBacklog: -1, SecureClientPort: -1, DataDirBytes: 67109358, LogDirBytes: 67109358},
		sessions:   []Session{{ID: session, TimeoutMillis: 30000, Expires: time.Unix(44784, 0)}},
		ephemerals: []Ephemeral{{session, "/e"}},
		watches:    []Watch{{session, "/a"}},
	}
	if mode == Standalone {
		return s
	}
	for id, port := range []int{0, 21910, 21920, 21930, 21940} {
		if id > 0 {
			s.members = append(s.members, Member{ID: uint64(id), Observer: id == 4, Host: "127.0.0.1", QuorumPort: port + 1,
				ElectionPort: port + 2, ClientAddr: address("127.0.0.1", port)})
		}
	}
	s.config.ServerID = 3
	s.status.Zxid = 4294967314
	if mode == Leader {
		s.status.Lead = &LeadStatus{SyncedObservers: 1, ProposalLast: 36, ProposalMin: 36, ProposalMax: 173}
	} else {
		s.config.ServerID = 4
		s.sessions[0].Expires = time.Time{}
		s.status.Zxid = 4294967330
		s.watches[0].Session = 288233307633876992
	}
	return s
}

// TestOriginalDocuments compares with what ZooKeeper 3.9.4 answered about the same
// state: byte for byte, or, where the original takes the order of a hash table, by
// names and values.
func TestOriginalDocuments(t *testing.T) {
	statistics := func(s *fakeSource) {
		st := &s.status
		st.Sent, st.Received, st.ResponseLast, st.ResponseMin, st.ResponseMax = 31, 30, 16, 16, 142
		st.Zxid, st.LatencyMax, st.LatencySum, st.LatencyCount, st.Nodes = 18, 13, 67, 29, 13
	}
	conn := func(s *fakeSource) {
		s.connections = []Connection{{Remote: "127.0.0.1:38566", Received: 30, Sent: 31, Session: 72060525392691200, NoOp: true,
			Established: time.UnixMilli(1795615564189), TimeoutMillis: 30000, LastCxid: 28, LastZxid: 18, LastResponseMillis: 44753277,
			LatencyLast: 3, LatencyMax: 13, LatencySum: 67, LatencyCount: 29}}
	}
	for _, tc := range []struct {
		path, file string
		mode       Mode
		set        func(*fakeSource)
		unordered  bool
	}{
		{path: "configuration"},
		{path: "connections", set: conn},
		{path: "connection_stat_reset"},
		{path: "dirs"},
		{path: "dump"},
		{path: "dump", mode: Observer},
		{path: "get_trace_mask"},
		{path: "hash"},
		{path: "is_read_only"},
		{path: "last_snapshot", set: func(s *fakeSource) { s.status.Durable = time.Unix(1795615540, 0) }},
		{path: "leader"},
		{path: "leader", mode: Leader},
		{path: "leader", mode: Observer},
		{path: "observer_connection_stat_reset"},
		{path: "observers"},
		{path: "observers", mode: Observer},
		{path: "observers", mode: Leader, set: func(s *fakeSource) {
			s.observers = []ObserverConnection{{ID: 4, Remote: "127.0.0.1:43308", Established: time.UnixMilli(1795615542019), QueuedBytes: -298, Received: 14, Sent: 33, Zxid: 4294967314}}
		}},
		{path: "ruok"},
		{path: "server_stats", set: statistics, unordered: true},
		{path: "stats", set: func(s *fakeSource) { statistics(s); conn(s) }, unordered: true},
		{path: "server_stats", mode: Leader, unordered: true, set: func(s *fakeSource) {
			statistics(s)
			s.status.Zxid, s.status.LatencyMax, s.status.LatencySum = 4294967314, 19, 6*29
			s.config.DataDirBytes, s.config.LogDirBytes = 67109602, 67109602
		}},
		{path: "set_trace_mask"},
		{path: "set_trace_mask?traceMask=306", file: "set_trace_mask_306"},
		{path: "stat_reset"},
		{path: "voting_view"},
		{path: "voting_view", mode: Observer},
		{path: "watches"},
		{path: "watches", mode: Leader},
		{path: "watches_by_path"},
		{path: "watch_summary"},
		{path: "watch_summary", mode: Observer},
		{path: "zabstate"},
		{path: "zabstate", mode: Leader},
		{path: "zabstate", mode: Observer},
	} {
		if tc.mode == "" {
			tc.mode = Standalone
		}
		if tc.file == "" {
			tc.file = tc.path
		}
		src := recorded(tc.mode)
		if tc.set != nil {
			tc.set(src)
		}
		code, got := commandsOf(t, src, nil)("GET", "/commands/"+tc.path, "")
		want := document(t, string(tc.mode)+"."+tc.file)
		switch {
		case code != 200:
			t.Errorf("%s of %s: %d %s", tc.path, tc.mode, code, got)
		case tc.unordered && reflect.DeepEqual(values(t, got), values(t, want)):
		case got != want:
			t.Errorf("%s of %s:\n got %s\nwant %s", tc.path, tc.mode, got, want)
		}
	}
}

// TestEnvironmentDocument holds names and types to the original's: the values are those
// of another process.
func TestEnvironmentDocument(t *testing.T) {
	get := commandsOf(t, recorded(Standalone), nil)
	for _, name := range []string{"environment", "initial_configuration"} {
		src := values(t, document(t, "standalone."+name))
		_, text := get("GET", "/commands/"+name, "")
		got := values(t, text)
		for key := range src {
			if value, ok := got[key]; !ok || kindOf(value) != kindOf(src[key]) && value != nil {
				t.Errorf("%s: %s is %v", name, key, value)
			}
		}
		if len(got) != len(src) {
			t.Errorf("%s: %v, want the names of %v", name, got, src)
		}
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "original", "commands", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// values decodes a document; what a clock says is the same in all.
func values(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if stats, ok := v["server_stats"].(map[string]any); ok {
		stats["uptime"] = json.Number("1")
	}
	return v
}

// TestMonitorDocument holds the names and types of monitor to those recorded: what
// Holt measures is among the original's and has its type.
func TestMonitorDocument(t *testing.T) {
	src := leadingSource()
	src.metrics = src.metrics[:4] // those of sets have a member in their names
	code, text := commandsOf(t, src, nil)("GET", "/commands/monitor", "")
	if code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	want := values(t, document(t, "leader.monitor"))
	got := values(t, text)
	for name, value := range got {
		like, ok := want[name]
		if !ok {
			t.Errorf("%s is not one of ZooKeeper's", name)
		} else if kindOf(value) != kindOf(like) {
			t.Errorf("%s is %v, want something like %v", name, value, like)
		}
	}
	for _, name := range []string{"version", "server_state", "peer_state", "avg_latency", "znode_count", "synced_followers", "p99_updatelatency", "command", "error"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
}

// kindOf tells whole numbers from others, as typed readers do.
func kindOf(v any) string {
	if n, ok := v.(json.Number); ok {
		if strings.ContainsAny(n.String(), ".E") {
			return "float"
		}
		return "integer"
	}
	return fmt.Sprintf("%T", v)
}

func TestNamesAndLinks(t *testing.T) {
	get := commandsOf(t, recorded(Standalone), nil)
	text, err := os.ReadFile("testdata/original/commands/links.html")
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for _, path := range []string{"/commands", "/commands/"} {
		if code, got := get("GET", path, ""); code != 200 || got != want {
			t.Errorf("%s: %d\n%s\nwant\n%s", path, code, got, want)
		}
	}
	for _, names := range commandTable() {
		if names.protected {
			continue
		}
		_, first := get("GET", "/commands/"+names.names[0], "")
		for _, alias := range names.names[1:] {
			if _, got := get("GET", "/commands/"+alias, ""); len(values(t, got)) != len(values(t, first)) || values(t, got)["command"] != values(t, first)["command"] {
				t.Errorf("%s is not %s: %s", alias, names.names[0], got)
			}
		}
	}
}

// TestCommandErrors holds statuses and texts to those of ZooKeeper 3.9.4, but for the
// methods that it fails over.
func TestCommandErrors(t *testing.T) {
	src := recorded(Standalone)
	ask := commandsOf(t, src, nil)
	for _, tc := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/commands/nosuch", 200, "{\n  \"command\" : \"nosuch\",\n  \"error\" : \"Unknown command: nosuch\"\n}"},
		{"GET", "/commands/ruok/x", 200, "Unknown command: ruok/x"},
		{"GET", "/commands/RUOK", 200, "Unknown command: RUOK"},
		{"POST", "/commands/nosuch", 200, "Unknown command: nosuch"},
		{"GET", "/commands/ruok?a=b&a=c", 200, `"error" : null`},
		{"GET", "/commands/set_trace_mask?traceMask=x", 200, "setTraceMask requires long traceMask argument"},
		{"HEAD", "/commands/ruok", 200, ""},
		{"OPTIONS", "/commands/ruok", 200, ""},
		{"POST", "/commands/ruok", 405, "The command takes GET"},
		{"PUT", "/commands/ruok", 405, ""},
		{"DELETE", "/commands/ruok", 405, ""},
		{"TRACE", "/commands/ruok", 403, ""},
		{"GET", "/", 404, ""},
		{"GET", "/command", 404, ""},
	} {
		if code, got := ask(tc.method, tc.path, ""); code != tc.code || !strings.Contains(got, tc.want) {
			t.Errorf("%s %s: %d %s, want %d %s", tc.method, tc.path, code, got, tc.code, tc.want)
		}
	}
	src.status.Serving = false
	for _, cmd := range commandTable() {
		_, got := ask("GET", "/commands/"+cmd.names[0], "")
		if refused := strings.Contains(got, notServing); refused == cmd.always {
			t.Errorf("%s of a server that does not serve: %s", cmd.names[0], got)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	src := recorded(Standalone)
	src.config.InitialText = "dataDir=/data\nssl.keyStore.password=secret1\nDigestAuthenticationProvider.superDigest=super:secret2\n"
	src.config.Properties = []Property{{"zookeeper.ssl.keyStore.passwordPath", "secret3"}, {"zookeeper.skipACL", "yes"}}
	get := commandsOf(t, src, nil)
	for _, path := range []string{"initial_configuration", "system_properties"} {
		_, got := get("GET", "/commands/"+path, "")
		if strings.Contains(got, "secret") || !strings.Contains(got, hidden) {
			t.Errorf("%s: %s", path, got)
		}
	}
	// As Java reads properties, a key ends at a colon or a blank too, and a line may go on in the next.
	src.config.InitialText = "\ufeffdataDir=/data\nssl.keyStore.password secret1\n  ssl.trustStore.password: secret2\n" +
		"ssl.quorum.keyStore.password=\\\n   secret3\nssl.quorum.trustStore.passw\\u006frd=secret4\n# ssl.keyStore.password: secret5\n" +
		"DigestAuthenticationProvider.superDigest\tsuper:secret6=\n# a remark\ntickTime=2000"
	if _, got := get("GET", "/commands/icfg", ""); strings.Contains(got, "secret") || strings.Count(got, hidden) != 6 ||
		!strings.Contains(got, `\n# a remark\ntickTime=2000"`) || !strings.Contains(got, `dataDir=/data\n`) {
		t.Errorf("settings in other forms: %s", got)
	}
	_, got := get("GET", "/commands/sysp", "")
	if v := values(t, got); v["zookeeper.skipACL"] != "yes" || v["user.dir"] == nil {
		t.Errorf("system_properties: %s", got)
	}
}

func TestDocumentsWithLongLists(t *testing.T) {
	src := recorded(Standalone)
	for i := range ListMax {
		src.connections = append(src.connections, Connection{Remote: "1.2.3.4:5", Secure: i%2 == 0})
	}
	src.connections = append(src.connections, src.connections[:7]...)
	src.status.Watches = ListMax + 3
	get := commandsOf(t, src, nil)
	_, text := get("GET", "/commands/cons", "")
	v := values(t, text)
	if plain, secure := len(v["connections"].([]any)), len(v["secure_connections"].([]any)); plain+secure != ListMax || plain == 0 || v["not_shown"] != json.Number("7") {
		t.Errorf("%d and %d connections, %v not shown", plain, secure, v["not_shown"])
	}
	if _, text := get("GET", "/commands/wchp", ""); values(t, text)["not_shown"] != json.Number("50002") {
		t.Errorf("watches_by_path: %s", text)
	}
}

func TestJSON(t *testing.T) {
	o := object{}.with("text", "a\"b\\c\n\t\x01\x1f\u00e9\xff/").with("list", list{}).with("empty", object{}).
		with("numbers", list{1, int64(-2), uint64(1) << 63, 0.5, 12345678.0}).with("nested", list{object{}.with("a", true), object{}.with("b", nil)})
	got := o.appendTo(nil, 0)
	const want = "{\n  \"text\" : \"a\\\"b\\\\c\\n\\t\\u0001\\u001Fé\ufffd/\",\n  \"list\" : [ ],\n  \"empty\" : { },\n" +
		"  \"numbers\" : [ 1, -2, 9223372036854775808, 0.5, 1.2345678E7 ],\n  \"nested\" : [ {\n    \"a\" : true\n  }, {\n    \"b\" : null\n  } ]\n}"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !json.Valid(got) {
		t.Errorf("%s is no JSON", got)
	}
}

// TestProtectedCommands asks one that is in no table but the test's.
func TestProtectedCommands(t *testing.T) {
	words := NewWords(WordsConfig{Source: recorded(Standalone)})
	c := NewCommands(CommandsConfig{Words: words, Authorize: func(_ *http.Request, scheme string, credentials []byte) Access {
		switch {
		case scheme == "digest" && bytes.Equal(credentials, []byte("super:test")), scheme == "ip" && credentials == nil:
			return Granted
		case scheme == "digest" && credentials != nil:
			return NotAuthorized
		}
		return NotAuthenticated
	}})
	for header, want := range map[string]int{
		"": 401, "digest": 401, "digest a b": 401, "nosuch a": 401, "digest a:b": 403, "digest super:test": 0, "ip": 0,
	} {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if status, text := c.permitted(r); status != want || (status == 0) != (text == "") {
			t.Errorf("%q: %d %s, want %d", header, status, text, want)
		}
	}
	nobody := NewCommands(CommandsConfig{Words: words})
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "digest super:test")
	if status, _ := nobody.permitted(r); status != 401 {
		t.Errorf("without Authorize: %d", status)
	}
	if names := nobody.Names(); !slices.IsSorted(names) || len(names) != len(commandTable()) {
		t.Errorf("names %v", names)
	}
}
