package clients

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/kdc"
	"holt/compat/target"
)

// kerberosServer starts one member with the principal zookeeper/127.0.0.1.
func kerberosServer(t *testing.T, k *kdc.KDC, settings ...string) *ensemble.Ensemble {
	t.Helper()
	jaas := jaasFile(t, `Server {
  com.sun.security.auth.module.Krb5LoginModule required
  isInitiator=false useKeyTab=true storeKey=true useTicketCache=false
  keyTab="`+k.Keytab("server.keytab", "zookeeper/127.0.0.1")+`"
  principal="zookeeper/127.0.0.1@`+k.Realm+`";
};`)
	return target.Start(t, ensemble.Config{
		Settings:   append([]string{"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"}, settings...),
		Properties: []string{"java.security.auth.login.config=" + jaas, "java.security.krb5.conf=" + k.Krb5Conf},
	})
}

// TestJavaKerberos logs zkCli.sh in by GSSAPI with a keytab.
func TestJavaKerberos(t *testing.T) {
	target.Kind(t)
	o, k := original(t), kdc.Start(t, "HOLT.TEST")
	e := kerberosServer(t, k, "kerberos.removeRealmFromPrincipal=true")
	keytab := k.Keytab("users.keytab", "bob", "app/host1")
	log := func(principal, keytab string) *dialogue {
		return talkJavaAs(t, o, e.Addrs()[0], `com.sun.security.auth.module.Krb5LoginModule required
  useKeyTab=true storeKey=true useTicketCache=false keyTab="`+keytab+`" principal="`+principal+`"`,
			"-Djava.security.krb5.conf="+k.Krb5Conf, "-Dzookeeper.server.principal=zookeeper/127.0.0.1")
	}
	bob := log("bob@HOLT.TEST", keytab)
	bob.expect(`state:SaslAuthenticated`)
	bob.ask("whoami", `(?s)Auth scheme: User\n.*sasl: bob\n`)
	bob.ask("create /mine x sasl:bob:cdrwa", `Created /mine\n`)
	bob.ask("get /mine", `x\n`)
	app := log("app/host1@HOLT.TEST", keytab)
	app.expect(`state:SaslAuthenticated`)
	app.ask("whoami", `sasl: app/host1\n`)
	app.ask("get /mine", `Insufficient permission : /mine\n`)
	app.ask("ls /", `zookeeper`) // the last command decides the exit status
	for _, d := range []*dialogue{bob, app} {
		d.send("quit")
		d.wait()
	}
}

// TestKazooKerberos logs kazoo in by GSSAPI with a ticket cache.
func TestKazooKerberos(t *testing.T) {
	target.Kind(t)
	requireKazoo(t)
	target.Require(t, target.Tool{Check: []string{systemPython, "-c", "import kerberos"}, Package: "python3-kerberos"})
	k := kdc.Start(t, "HOLT.TEST")
	e := kerberosServer(t, k)
	k.Kinit(k.Keytab("users.keytab", "bob"), "bob")
	cmd := exec.CommandContext(t.Context(), systemPython, "testdata/kazoo_kerberos.py", e.Addrs()[0])
	cmd.Env = k.Env()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "passed\n") {
		t.Errorf("%v\n%s", err, out)
	}
	// Without a ticket.
	if err := os.Remove(k.Cache()); err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), systemPython, "testdata/kazoo_kerberos.py", e.Addrs()[0])
	cmd.Env = k.Env()
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("without a ticket: %s", out)
	}
}
