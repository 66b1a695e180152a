package clients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/kdc"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// kerberosMembers are three processes on hosts of their own, 127.0.0.1 to 127.0.0.3, that log in at each other by
// Kerberos, not started yet.
type kerberosMembers struct {
	t      *testing.T
	kdc    *kdc.KDC
	keytab string
	*ensemble.Ensemble
}

func newKerberosMembers(t *testing.T) *kerberosMembers {
	t.Helper()
	k := kdc.Start(t, "HOLT.TEST")
	e := &kerberosMembers{t: t, kdc: k, Ensemble: target.New(t, ensemble.Config{Members: 3,
		Reconfigurable: true,
		Settings: []string{"tickTime=200", "skipACL=yes", "quorum.auth.enableSasl=true", "quorum.auth.learnerRequireSasl=true", "quorum.auth.serverRequireSasl=true",
			"quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST"},
		Properties: []string{"java.security.auth.login.config=jaas.conf", "java.security.krb5.conf=" + k.Krb5Conf},
	})}
	e.keytab = k.Keytab("members.keytab", "zkquorum/127.0.0.1", "zkquorum/127.0.0.2", "zkquorum/127.0.0.3", "zkquorum/127.0.0.4", "zkquorum/127.0.0.9")
	for i, m := range e.Members() {
		m.Spec = strings.Replace(m.Spec, "127.0.0.1:", own(i)+":", 1)
	}
	for i, m := range e.Members() {
		if err := e.Wipe(m, e.Members()); err != nil {
			t.Fatal(err)
		}
		e.jaas(i, []string{e.ticket(own(i))}, []string{e.ticket(own(i))})
	}
	return e
}

// own is the host of member i+1.
func own(i int) string { return fmt.Sprintf("127.0.0.%d", i+1) }

// ticket is a login module for Kerberos as the member at a host.
func (e *kerberosMembers) ticket(host string) string {
	return fmt.Sprintf("com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true useTicketCache=false keyTab=%q principal=\"zkquorum/%s@%s\";", e.keytab, host, e.kdc.Realm)
}

// jaas writes the file of member i+1.
func (e *kerberosMembers) jaas(i int, learner, server []string) {
	e.t.Helper()
	text := fmt.Sprintf("QuorumLearner {\n%s\n};\nQuorumServer {\n%s\n};\n", strings.Join(learner, "\n"), strings.Join(server, "\n"))
	if err := os.WriteFile(filepath.Join(filepath.Dir(e.Members()[i].ConfigPath()), "jaas.conf"), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// log is what member i+1 has said.
func (e *kerberosMembers) log(i int) string {
	e.t.Helper()
	b, err := os.ReadFile(e.Members()[i].LogPath())
	if err != nil {
		e.t.Fatal(err)
	}
	return string(b)
}

// lines returns those of member i+1, after the first skip bytes of its log, that have all of the texts.
func (e *kerberosMembers) lines(i, skip int, texts ...string) (found []string) {
	e.t.Helper()
lines:
	for line := range strings.Lines(e.log(i)[skip:]) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

// says waits for n such lines.
func (e *kerberosMembers) says(i, skip, n int, texts ...string) {
	e.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(e.lines(i, skip, texts...)) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("member %d does not say %q %d times:\n%s", i+1, texts, n, e.log(i)[skip:])
		}
	}
}

func (e *kerberosMembers) restart(i int) (skip int) {
	e.t.Helper()
	if err := e.Members()[i].Stop(); err != nil {
		e.t.Fatal(err)
	}
	skip = len(e.log(i))
	if err := e.Members()[i].Start(); err != nil {
		e.t.Fatal(err)
	}
	return skip
}

func (e *kerberosMembers) ready(i int) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	if err := e.Members()[i].Ready(ctx); err != nil {
		e.t.Fatal(err)
	}
}

// write creates a node at member from+1, and sees it at member to+1.
func (e *kerberosMembers) write(path string, from, to int) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
	defer cancel()
	a, b := e.connect(ctx, from), e.connect(ctx, to)
	defer a.Close()
	defer b.Close()
	if _, err := a.Create(ctx, path, nil, wire.OpenACL(), wire.ModePersistent); err != nil {
		e.t.Fatalf("create %s: %v", path, err)
	}
	if err := b.Sync(ctx, path); err != nil {
		e.t.Fatalf("sync %s: %v", path, err)
	}
	if _, _, err := b.GetData(ctx, path, false); err != nil {
		e.t.Fatalf("get %s: %v", path, err)
	}
}

// connect opens a session at member i+1.
func (e *kerberosMembers) connect(ctx context.Context, i int) *client.Conn {
	e.t.Helper()
	c, err := client.Dial(ctx, e.Members()[i].Addr(), client.Options{})
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

// TestKerberosBetweenMembers has three processes form an ensemble by Kerberos. One comes back as a host that is not in
// the ensemble: it is refused, which both sides say, and the others go on. Then the KDC is away while one is
// restarted: the others connect to it with the tickets that they have; it says why it cannot, and comes back
// when the KDC does.
func TestKerberosBetweenMembers(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("the lines of the log are Holt's: -target=holt")
	}
	e := newKerberosMembers(t)
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.write("/a", 0, 2)

	e.jaas(2, []string{e.ticket("127.0.0.9")}, []string{e.ticket(own(2))})
	skips := []int{len(e.log(0)), len(e.log(1))}
	skip := e.restart(2)
	e.says(2, skip, 2, "connection refused by peer", "login at member") // by each of the others
	for i := range 2 {
		e.says(i, skips[i], 1, "peer refused: login by SASL", "zkquorum/127.0.0.9@HOLT.TEST: not a member's principal: no member has the host 127.0.0.9", "remedy")
		if n := len(e.lines(i, skips[i], "peer refused: login by SASL")); n != 1 {
			t.Errorf("member %d says it %d times", i+1, n)
		}
	}
	e.write("/b", 0, 1)
	e.jaas(2, []string{e.ticket(own(2))}, []string{e.ticket(own(2))})
	e.restart(2)
	e.ready(2)
	e.write("/c", 2, 0)

	e.kdc.Stop()
	skips = []int{len(e.log(0)), len(e.log(1))}
	skip = e.restart(2)
	for i := range 2 {
		e.says(i, skips[i], 1, "connected to peer", `"peer": 3`)
	}
	e.says(2, skip, 2, "cannot log in at peer", "no KDC can be reached in realm HOLT.TEST", "see that it runs")
	e.write("/d", 0, 1)
	e.kdc.Resume()
	e.ready(2)
	e.write("/e", 2, 1)
	if n := len(e.lines(2, skip, "cannot log in at peer")); n != 2 {
		t.Errorf("member 3 says %d times that it cannot log in:\n%s", n, e.log(2)[skip:])
	}
}

// TestKerberosOfANewMember has a fourth process come, which is let in when reconfig has added it, and the other way
// round.
func TestKerberosOfANewMember(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("ZooKeeper knows the members of its start: -target=holt")
	}
	e := newKerberosMembers(t)
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	founders := e.Members()[:3:3]
	m, err := e.Newcomer(founders)
	if err != nil {
		t.Fatal(err)
	}
	m.Spec = strings.Replace(m.Spec, "127.0.0.1:", own(3)+":", 1)
	if err := e.Wipe(m, founders); err != nil {
		t.Fatal(err)
	}
	e.jaas(3, []string{e.ticket(own(3))}, []string{e.ticket(own(3))})
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	e.says(0, 0, 1, "peer refused: login by SASL", "no member has the host 127.0.0.4", "once reconfig has added it")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e.says(3, 0, 3, "connection refused by peer", "login at member")
	c := e.connect(ctx, 0)
	defer c.Close()
	line := "server.4=" + m.Spec
	if _, _, err := c.Reconfig(ctx, &wire.ReconfigRequest{JoiningServers: &line, CurConfigID: -1}); err != nil {
		t.Fatal(err)
	}
	e.ready(3)
	e.write("/new", 3, 1)

	leaving := "4"
	if _, _, err := c.Reconfig(ctx, &wire.ReconfigRequest{LeavingServers: &leaving, CurConfigID: -1}); err != nil {
		t.Fatal(err)
	}
	if code, err := m.Wait(ctx); err != nil || code == 0 {
		t.Errorf("the removed ends with %d, %v", code, err)
	}
	skip := len(e.log(3))
	if err := e.Wipe(m, founders); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	e.says(3, skip, 3, "connection refused by peer", "login at member")
	e.write("/old", 0, 2)
}

// TestFromPasswordsToKerberos switches an ensemble over, one member after the other, with a write after each restart.
func TestFromPasswordsToKerberos(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("ZooKeeper takes one mechanism: -target=holt")
	}
	e := newKerberosMembers(t)
	const user = `org.apache.zookeeper.server.auth.DigestLoginModule required username="zk" password="secret";`
	const users = `org.apache.zookeeper.server.auth.DigestLoginModule required user_zk="secret";`
	for round := range 4 {
		for i := range 3 {
			ticket := e.ticket(own(i))
			steps := [4][2][]string{{{user}, {users}}, {{user}, {users, ticket}}, {{ticket}, {users, ticket}}, {{ticket}, {ticket}}}
			e.jaas(i, steps[round][0], steps[round][1])
			if round == 0 {
				continue
			}
			skip := e.restart(i)
			e.ready(i)
			e.write(fmt.Sprintf("/%d-%d", round, i), i, (i+1)%3)
			if refused := e.lines(i, skip, "refused"); len(refused) > 0 {
				t.Errorf("round %d, member %d: %s", round, i+1, refused)
			}
		}
		if round == 0 {
			if err := e.StartAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
