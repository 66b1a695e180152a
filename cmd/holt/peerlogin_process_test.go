package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loginEnsemble is three members whose configurations are changed between starts.
type loginEnsemble struct {
	t       *testing.T
	dir     string
	lines   string // the server lines
	clients [3]string
	running [3]*process
}

func newLoginEnsemble(t *testing.T) *loginEnsemble {
	t.Helper()
	e := &loginEnsemble{t: t, dir: t.TempDir()}
	var held []net.Listener
	for i := range 3 {
		for range 2 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, l)
		}
		e.clients[i] = held[2*i].Addr().String()
		e.lines += fmt.Sprintf("server.%d=%s:3888\n", i+1, held[2*i+1].Addr())
	}
	for _, l := range held {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// jaas is a file whose member has a password, in an ensemble that has another one perhaps.
func jaas(own, ensemble string) string {
	return fmt.Sprintf(`QuorumLearner { org.apache.zookeeper.server.auth.DigestLoginModule required username="zk" password=%q; };
QuorumServer { org.apache.zookeeper.server.auth.DigestLoginModule required user_zk=%q; };
`, own, ensemble)
}

// start starts member i+1 with these settings of quorum.auth.
func (e *loginEnsemble) start(i int, password string, settings ...string) {
	e.t.Helper()
	name := func(s string) string { return filepath.Join(e.dir, fmt.Sprintf("%s%d", s, i+1)) }
	_, port, err := net.SplitHostPort(e.clients[i])
	if err != nil {
		e.t.Fatal(err)
	}
	cfg := fmt.Sprintf("dataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\ntickTime=200\nadmin.enableServer=false\n%sjava.security.auth.login.config=%s\n",
		name("data"), port, e.lines, name("jaas"))
	for _, s := range settings {
		cfg += "quorum.auth." + s + "=true\n"
	}
	for file, text := range map[string]string{name("cfg"): cfg, name("jaas"): jaas(password, "secret")} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			e.t.Fatal(err)
		}
	}
	e.running[i] = startProcess(e.t, "serve", name("cfg"), "--myid", fmt.Sprint(i+1))
}

// TestPeerLogin switches an ensemble of processes over to logins between its members, one member after the other and
// one setting after the other, with a write after each restart; then one member comes back with a wrong password. It is
// refused, which both sides say, and the others go on.
func TestPeerLogin(t *testing.T) {
	e := newLoginEnsemble(t)
	steps := [][]string{nil, {"enableSasl"}, {"enableSasl", "learnerRequireSasl"}, {"enableSasl", "learnerRequireSasl", "serverRequireSasl"}}
	for i := range 3 {
		e.start(i, "secret", steps[0]...)
	}
	for i := range 3 {
		e.running[i].waitLine("\tready\t")
	}
	c := connect(t, e.clients[:]...)
	create(t, c, "/step-0", "x")
	for s, settings := range steps[1:] {
		for i := range 3 {
			e.running[i].stop(os.Interrupt)
			e.start(i, "secret", settings...)
			e.running[i].waitLine("\tready\t")
			path := fmt.Sprintf("/step-%d-%d", s+1, i+1)
			create(t, connect(t, e.clients[i]), path, "x")
			other := connect(t, e.clients[(i+1)%3])
			if _, err := other.Sync(path); err != nil {
				t.Errorf("sync after %s: %v", path, err)
			}
			expect(t, other, path, "x")
		}
	}

	e.running[2].stop(os.Interrupt)
	e.start(2, "guess", steps[3]...)
	for range 2 { // by each of the others
		e.running[2].waitLine("peer refuses: login at member")
	}
	create(t, connect(t, e.clients[0], e.clients[1]), "/without", "x")
	if log := e.running[2].stop(os.Interrupt); strings.Contains(log, "connection refused by peer") {
		t.Errorf("the refused says it more than once:\n%s", log)
	}
	for i := range 2 {
		log := e.running[i].stop(os.Interrupt)
		if n := strings.Count(log, "peer refused: login by SASL"); n != 1 || !strings.Contains(log, `user \"zk\": wrong user or password`) {
			t.Errorf("member %d says %d times whom it refuses:\n%s", i+1, n, log)
		}
	}
}
