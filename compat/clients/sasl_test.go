package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// saslServer starts one member whose JAAS file has the users bob and alice, and root, who is the
// superuser.
func saslServer(t *testing.T, settings ...string) *ensemble.Ensemble {
	t.Helper()
	return saslServers(t, 1, settings...)
}

func saslServers(t *testing.T, members int, settings ...string) *ensemble.Ensemble {
	t.Helper()
	jaas := jaasFile(t, `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
    user_bob="builder's \"secret\""
    user_alice="wonder"
    user_root="toor";
};`)
	return target.Start(t, ensemble.Config{
		Members: members,
		Settings: append([]string{
			"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "superUser=root"}, settings...),
		Properties: []string{"java.security.auth.login.config=" + jaas},
	})
}

func jaasFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jaas.conf")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// talkJavaAs starts ZooKeeperMain with a JAAS file for its section Client.
func talkJavaAs(t *testing.T, o *ensemble.Original, addr, module string, properties ...string) *dialogue {
	t.Helper()
	cmd := o.CLI("-timeout", "10000", "-server", addr)
	jaas := jaasFile(t, "Client { "+module+"; };")
	// The client leaves DIGEST-MD5 alone unless it is told that this is no FIPS mode.
	options := "-Dzookeeper.fips-mode=false -Djava.security.auth.login.config=" + jaas
	cmd.Env = append(os.Environ(), "JDK_JAVA_OPTIONS="+strings.Join(append(properties, options), " "))
	return talk(t, cmd)
}

func digestModule(user, password string) string {
	return `org.apache.zookeeper.server.auth.DigestLoginModule required username="` + user + `" password="` + password + `"`
}

// TestJavaSASL logs zkCli.sh in by DIGEST-MD5.
func TestJavaSASL(t *testing.T) {
	target.Kind(t)
	o, e := original(t), saslServer(t)
	addr := e.Addrs()[0]
	bob := talkJavaAs(t, o, addr, digestModule("bob", `builder's \"secret\"`))
	bob.expect(`state:SaslAuthenticated`)
	bob.ask("whoami", `(?s)Auth scheme: User\n.*sasl: bob\n`)
	bob.ask("create /mine x sasl:bob:cdrwa", `Created /mine\n`)
	bob.ask("create /auth x auth::cdrwa", `Created /auth\n`)
	bob.ask("getAcl /auth", `'sasl,'bob\n: cdrwa\n`)
	bob.ask("get /mine", `x\n`)
	alice := talkJavaAs(t, o, addr, digestModule("alice", "wonder"))
	alice.expect(`state:SaslAuthenticated`)
	alice.ask("get /mine", `Insufficient permission : /mine\n`)
	alice.ask("ls /", `zookeeper`) // the last command decides the exit status
	root := talkJavaAs(t, o, addr, digestModule("root", "toor"))
	root.expect(`state:SaslAuthenticated`)
	root.ask("get /mine", `x\n`)
	wrong := talkJavaAs(t, o, addr, digestModule("bob", "wrong"))
	wrong.expect(`state:AuthFailed`)
	for _, d := range []*dialogue{bob, alice, root} {
		d.send("quit")
		d.wait()
	}
	wrong.kill()
}

// TestJavaSASLEnforced: a client that does not log in is turned away.
func TestJavaSASLEnforced(t *testing.T) {
	target.Kind(t)
	o, e := original(t), saslServer(t, "sessionRequireClientSASLAuth=true")
	out, err := o.CLI("-server", e.Addrs()[0], "ls", "/").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Session closed because client failed to authenticate") {
		t.Errorf("without a login: %v\n%s", err, out)
	}
	bob := talkJavaAs(t, o, e.Addrs()[0], digestModule("bob", `builder's \"secret\"`))
	bob.expect(`state:SaslAuthenticated`)
	bob.ask("ls /", `\[zookeeper\]\n`)
	bob.send("quit")
	bob.wait()
}

// TestJavaSASLFailover: a client that has to log in does so at the member that it moves to, and keeps its
// session, ephemerals and watches.
func TestJavaSASLFailover(t *testing.T) {
	target.Kind(t)
	o, e := original(t), saslServers(t, 3, "sessionRequireClientSASLAuth=true")
	addrs := strings.Join(e.Addrs(), ",")
	bob := talkJavaAs(t, o, addrs, digestModule("bob", `builder's \"secret\"`))
	bob.expect(`state:SaslAuthenticated`)
	bob.ask("create -e /mine v sasl:bob:cdrwa", `Created /mine\n`)
	session := bob.ask("stat /mine", `ephemeralOwner = (0x[0-9a-f]+)\n`)[1]
	bob.ask("get -w /mine", `v\n`)
	killMember(t, e, serverOfSession(t, e, session))
	bob.expect(`WatchedEvent state:Disconnected`)
	bob.expect(`WatchedEvent state:SaslAuthenticated`)
	bob.ask("stat /mine", `ephemeralOwner = `+session+`\n`)
	bob.ask("set /mine w", `type:NodeDataChanged path:/mine`)
	bob.send("quit")
	bob.wait()
}

// TestKazooSASL logs kazoo in by its sasl_options.
func TestKazooSASL(t *testing.T) {
	target.Kind(t)
	requireKazoo(t)
	e := saslServer(t)
	out, err := exec.CommandContext(t.Context(), systemPython, "testdata/kazoo_sasl.py", e.Addrs()[0]).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "passed\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func requireKazoo(t *testing.T) {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{systemPython, "-c", "import kazoo, puresasl"}, Package: "python3-kazoo python3-pure-sasl"})
}
