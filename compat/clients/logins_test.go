package clients

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"holt/compat/target"
)

// startLogins starts a server over TLS that knows all that a client can prove there: the certificates of
// alice and bob, who need not have one, and bob and root by SASL.
func startLogins(t *testing.T) *tlsServer {
	t.Helper()
	jaas := jaasFile(t, `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
    user_bob="builder"
    user_root="toor";
};`)
	return startTLSWith(t, []string{"java.security.auth.login.config=" + jaas}, "ssl.clientAuth=want",
		"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "superUser=root")
}

// TestJavaLoginsOverTLS has zkCli.sh prove itself by certificate, SASL and digest on one connection,
// and by SASL without a certificate.
func TestJavaLoginsOverTLS(t *testing.T) {
	target.Kind(t)
	o, s := original(t), startLogins(t)
	as := func(user, password string, properties []string) *dialogue {
		cmd := s.javaCLI(t, o, properties)
		jaas := jaasFile(t, "Client { "+digestModule(user, password)+"; };")
		cmd.Env = append(os.Environ(), "JDK_JAVA_OPTIONS=-Dzookeeper.fips-mode=false -Djava.security.auth.login.config="+jaas)
		d := talk(t, cmd)
		d.expect(`state:SaslAuthenticated`)
		return d
	}
	alice := as("bob", "builder", s.properties(t, "alice", "p12", "p12"))
	alice.ask("addauth digest u:p", connectedPrompt)
	who := alice.ask("whoami", `(?s)Auth scheme: User\n(.*?)`+connectedPrompt)[1]
	for _, want := range []string{"x509: CN=alice\n", "sasl: bob\n", "digest: u\n"} {
		if !strings.Contains(who, want) {
			t.Errorf("whoami lacks %q: %s", want, who)
		}
	}
	alice.ask("create /x509 x x509:CN=alice:cdrwa", `Created /x509\n`)
	alice.ask("create /sasl x sasl:bob:cdrwa", `Created /sasl\n`)
	bare := append(s.properties(t, "bob", "p12", "p12")[:2:2], s.properties(t, "carol", "p12", "p12")[4:]...)
	bob := as("bob", "builder", bare)
	bob.ask("get /sasl", `x\n`)
	bob.ask("get /x509", `Insufficient permission : /x509\n`)
	root := as("root", "toor", bare)
	root.ask("get /x509", `x\n`)
	for _, d := range []*dialogue{alice, bob, root} {
		d.ask("ls /", `zookeeper`) // the last command decides the exit status
		d.send("quit")
		d.wait()
	}
}

// TestKazooLoginsOverTLS is the same for kazoo.
func TestKazooLoginsOverTLS(t *testing.T) {
	target.Kind(t)
	requireKazoo(t)
	s := startLogins(t)
	p := s.ca.Issue(t, who("alice"))
	out, err := exec.CommandContext(t.Context(), systemPython, "testdata/kazoo_logins.py", s.addr, s.ca.TrustStore(t),
		s.ca.Write(t, "alice.crt", p.CertPEM()), s.ca.Write(t, "alice.key", p.KeyPEM())).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "passed\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGoLoginsOverTLS has go-zookeeper/zk, which knows no SASL, prove itself by certificate and digest.
func TestGoLoginsOverTLS(t *testing.T) {
	target.Kind(t)
	s := startLogins(t)
	alice, bob := s.connectGo(t, "alice"), s.connectGo(t, "bob")
	for _, c := range []*zk.Conn{alice, bob} {
		if err := c.AddAuth("digest", []byte("u:p")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := alice.Create("/digest", []byte("x"), 0, zk.DigestACL(zk.PermAll, "u", "p")); err != nil {
		t.Fatal(err)
	}
	if data, _, err := bob.Get("/digest"); err != nil || string(data) != "x" {
		t.Errorf("what digest u may read: %q, %v", data, err)
	}
	if _, err := alice.Create("/auth", nil, 0, zk.AuthACL(zk.PermRead)); err != nil {
		t.Fatal(err)
	}
	acl, _, err := bob.GetACL("/auth")
	if err != nil || len(acl) != 2 {
		t.Errorf("auth becomes %v, %v; want the certificate and the digest", acl, err)
	}
}
