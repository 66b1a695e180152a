package server

import (
	"bytes"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/wire"
)

// TestAuditLines does what was done to an Apache ZooKeeper 3.9.4 when the lines of
// testdata/audit_original.txt were recorded, and compares. Users have no order there,
// nor have the nodes that go with a session.
func TestAuditLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	s, err := Start(newAuditConfig(t, path))
	if err != nil {
		t.Fatal(err)
	}
	<-s.Ready()
	a, b := auditedWork(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer("session="+a, "session=A", "session="+b, "session=B", "o.a.z.a.Slf4jAuditLogger: ", "",
		"user="+me.Username+"\t", "user=ME\t")
	var got []string
	for _, line := range fileLines(t, path) {
		if len(line) < 24 || line[4] != '-' || line[19] != ',' {
			t.Fatalf("no time before %q", line)
		}
		got = append(got, canonicalLine(replace.Replace(line[24:])))
	}
	var want []string
	text := strings.ReplaceAll(strings.Join(fileLines(t, "testdata/audit_original.txt"), "\n"), "/nl\nx", `/nl\nx`)
	text = strings.ReplaceAll(text, "/tab\tx", `/tab\tx`)
	for _, line := range strings.Split(text, "\n") {
		// The original forgets the kind of a sequential node within a multi.
		line = strings.Replace(line, "znode=/m2-0000000005\t", "znode=/m2-0000000005\tznode_type=persistent_sequential\t", 1)
		want = append(want, canonicalLine(line))
	}
	sortEnds(got)
	sortEnds(want)
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d\n got %q\nwant %q", i+1, g, w)
		}
	}
}

// canonicalLine sorts the users of a line.
func canonicalLine(line string) string {
	fields := strings.Split(line, "\t")
	for i, f := range fields {
		if users, ok := strings.CutPrefix(f, "user="); ok {
			names := strings.Split(users, ",")
			slices.Sort(names)
			fields[i] = "user=" + strings.Join(names, ",")
		}
	}
	return strings.Join(fields, "\t")
}

// sortEnds sorts the lines about nodes that go with a session where they stand.
func sortEnds(lines []string) {
	const ends = "operation=ephemeralZNodeDeletion"
	for i := 0; i < len(lines); i++ {
		j := i
		for j < len(lines) && strings.Contains(lines[j], ends) {
			j++
		}
		slices.Sort(lines[i:j])
		i = max(i, j-1)
	}
}

func fileLines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func newAuditConfig(t *testing.T, path string) Config {
	t.Helper()
	return Config{DataDir: t.TempDir(), ClientAddr: Off, ReconfigEnabled: true, MaxClientConns: -1, Audit: true, AuditFile: path,
		SuperDigest: "super:D/InIHSb7yEEbrWz8b9l71RjZJU="}
}

// auditedWork is the script of the recording. It returns the sessions as they are printed.
func auditedWork(t *testing.T, s *Server) (first, second string) {
	t.Helper()
	c := connect(t, s, wire.ConnectRequest{})
	do := func(op wire.OpCode, req wire.Record) { c.call(op, req, nil) }
	for _, req := range []*wire.CreateRequest{
		create("/n", "x", 0), create("/e2", "x", 1), create("/es-", "x", 3), create("/e1", "x", 1), create("/noparent/x", "x", 0), create("/e1/c", "x", 0),
	} {
		do(wire.OpCreate, req)
	}
	do(wire.OpMulti, &wire.MultiRequest{Ops: []wire.MultiOp{
		{Op: wire.OpCreate, Record: create("/m1", "", 0)}, {Op: wire.OpCreate, Record: create("/m2-", "", 2)},
		{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: "/n", Data: []byte("y"), Version: -1}},
		{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/n", Version: 1}},
		{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: "/m1", Version: -1}},
	}})
	do(wire.OpMulti, &wire.MultiRequest{Ops: []wire.MultiOp{
		{Op: wire.OpCreate, Record: create("/m3", "", 1)}, {Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: "/nosuch", Version: -1}},
	}})
	do(wire.OpMulti, &wire.MultiRequest{Ops: []wire.MultiOp{{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/n", Version: 1}}}})
	acl := []wire.ACL{
		{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "world", ID: "anyone"}},
		{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.0/8"}},
		{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "digest", ID: "bob:ttt4KD2l/LR0Mpj5c6jU0hrwVdE="}},
	}
	do(wire.OpSetACL, &wire.SetACLRequest{Path: "/n", ACL: acl, Version: -1})
	do(wire.OpSetACL, &wire.SetACLRequest{Path: "/nosuch", ACL: wire.OpenACL(), Version: -1})
	set := func(text string) {
		do(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte(text), Version: -1})
	}
	set("q")
	do(wire.OpDelete, &wire.DeleteRequest{Path: "/n", Version: 77})
	do(wire.OpGetData, &wire.GetDataRequest{Path: "/n"})
	do(wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("super:test")})
	set("q")
	do(wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("al:x")})
	set("q2")
	for _, path := range []string{"/tab\tx", "/nl\nx", "/unié", "/bad"} {
		do(wire.OpCreate, create(path, "", 0))
	}
	joining := "server.9=h:1:2"
	do(wire.OpReconfig, &wire.ReconfigRequest{JoiningServers: &joining, CurConfigID: -1})
	other := connect(t, s, wire.ConnectRequest{})
	other.call(wire.OpCreate, create("/z2", "", 1), nil)
	do(wire.OpCloseSession, nil)
	return c.session.SessionID.String(), other.session.SessionID.String()
}

// TestAuditRestore: a restore leaves one line, whether or not it was made or permitted, with the name of who asked.
func TestAuditRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	cfg := newAuditConfig(t, path)
	cfg.AdminAddr, cfg.AdminSnapshotIntervalMillis = "127.0.0.1:0", -1
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	<-s.Ready()
	awaitFormat(t, s)
	url := "http://" + s.AdminAddr().String() + "/commands/restore"
	for _, tc := range []struct {
		credentials string
		snapshot    []byte
		code        int
	}{{"super:test", []byte("{}"), 500}, {"", snapshotOf(t, s), 401}, {"super:test", snapshotOf(t, s), 200}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(tc.snapshot))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", strings.TrimSuffix("digest "+tc.credentials, "digest "))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != tc.code {
			t.Errorf("%s, %d bytes: status %d, %v, want %d", tc.credentials, len(tc.snapshot), res.StatusCode, err, tc.code)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range fileLines(t, path) {
		if strings.Contains(line, "restore") {
			got = append(got, line[24:])
		}
	}
	const head, fields = "o.a.z.a.Slf4jAuditLogger: ", "user=super,127.0.0.1\tip=127.0.0.1\toperation=restore\tresult="
	nobody := strings.Replace(fields, "super,", "", 1)
	want := []string{"ERROR " + head + fields + "failure", "ERROR " + head + nobody + "failure", "INFO " + head + fields + "success"}
	if !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}

// TestAuditLogins: logins that failed leave a line, and so do snapshots that the AdminServer was asked for.
func TestAuditLogins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	cfg := newAuditConfig(t, path)
	cfg.AdminAddr, cfg.AdminSnapshotIntervalMillis = "127.0.0.1:0", -1
	withUsers(&cfg)
	core, logs := observer.New(zap.WarnLevel)
	cfg.Logger = zap.New(core)
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	<-s.Ready()
	var want []string
	fails := func(op wire.OpCode, req wire.Record, scheme, cause string) {
		c := connect(t, s, wire.ConnectRequest{})
		if op == wire.OpSASL {
			c.saslLogin("bob", "wrong")
		} else {
			c.call(op, req, nil)
		}
		if !c.closed() {
			t.Errorf("%s: the connection stays", scheme)
		}
		want = append(want, "session="+c.session.SessionID.String()+"\tuser=127.0.0.1\tip=127.0.0.1\toperation=login\tscheme="+scheme+"\tcause="+cause+"\tresult=failure")
	}
	fails(wire.OpSASL, nil, "sasl", `user "bob": wrong user or password`)
	fails(wire.OpAuth, &wire.AuthPacket{Scheme: "x509"}, "x509", "the scheme x509 is switched off")
	fails(wire.OpAuth, &wire.AuthPacket{Scheme: "no\tsuch"}, `no\tsuch`, `the scheme "no\tsuch" is not known here`)
	for _, ask := range []struct {
		authorization string
		code          int
		line          string
	}{
		{"", 401, "user=127.0.0.1\tip=127.0.0.1\toperation=snapshot\tresult=failure"},
		{"nosuch x", 401, "user=127.0.0.1\tip=127.0.0.1\toperation=snapshot\tresult=failure"},
		{"digest super:test", 200, "user=super,127.0.0.1\tip=127.0.0.1\toperation=snapshot\tresult=success"},
	} {
		if res, _ := askSnapshot(t, s, "", ask.authorization); res.StatusCode != ask.code {
			t.Errorf("%q: status %d, want %d", ask.authorization, res.StatusCode, ask.code)
		}
		want = append(want, ask.line)
	}
	http.DefaultClient.CloseIdleConnections()
	if n := s.metrics.AuthFailed.Load(); n != 5 {
		t.Errorf("auth_failed_count is %d, want 5", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range fileLines(t, path) {
		if _, message, _ := strings.Cut(line, ": "); strings.Contains(message, "operation=login") || strings.Contains(message, "operation=snapshot") {
			got = append(got, message)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for message, n := range map[string]int{"SASL login failed": 1, "login failed": 2, "AdminServer: snapshot refused": 1} {
		if got := logs.FilterMessage(message).Len(); got != n {
			t.Errorf("%d lines %q in the log, want %d: %v", got, message, n, logs.All())
		}
	}
}
