package zoocfg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/server/secure/securetest"
)

func TestCheckStores(t *testing.T) {
	const stores = "../../wire/keystore/testdata/"
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	const ticket = "com.sun.security.auth.module.Krb5LoginModule required keyTab=%q principal=\"zk/%s@R\"; };\n"
	members := filepath.Join(t.TempDir(), "members.conf")
	err := os.WriteFile(members, fmt.Appendf(nil, "QuorumServer { "+ticket+"QuorumLearner { "+ticket+"Same { "+ticket, "a.keytab", "h", "b.keytab", "h", "a.keytab", "h"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	text := "Server { com.sun.security.auth.module.Krb5LoginModule required keyTab=\"none.keytab\" principal=\"zookeeper/h@R\"; };"
	if err := os.WriteFile(jaas, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	noKeytab := func(name string) string {
		return fmt.Sprintf("%s: Krb5LoginModule: read keytab: stat %[2]s.keytab: no such file or directory; have kadmin write the keys: ktadd -k %[2]s.keytab zk/h@R; and have this user read them", members, name)
	}
	for _, tc := range []struct{ lines, want string }{
		{"", ""},
		{"ssl.keyStore.location=none.jks", ""}, // nobody uses it
		{"secureClientPort=1\nssl.clientAuth=none\nssl.keyStore.location=" + stores + "key.jks\nssl.keyStore.password=secret", ""},
		{"ssl.keyStore.location=" + stores + "key.jks\nssl.keyStore.password=wrong\nssl.trustStore.location=none.pem\n" +
			"ssl.quorum.keyStore.location=" + stores + "member.pem\nssl.quorum.trustStore.location=" + stores + "member.pem\n" +
			"secureClientPort=1\nadmin.forceHttps=true",
			"zoo.cfg:2: ssl.keyStore.location: key store " + stores + "key.jks: the password does not open it\n" +
				"zoo.cfg:4: ssl.trustStore.location: trust store: open none.pem: no such file or directory\n" +
				"zoo.cfg:5: ssl.quorum.keyStore.location: key store " + stores + "member.pem: no private key in it"},
		{"java.security.auth.login.config=" + jaas, jaas + ": Krb5LoginModule: read keytab: stat none.keytab: no such file or directory; " +
			"have kadmin write the keys: ktadd -k none.keytab zookeeper/h@R; and have this user read them"},
		{"java.security.auth.login.config=" + members + "\nquorum.auth.enableSasl=true\nquorum.auth.learnerRequireSasl=true", noKeytab("a") + "\n" + noKeytab("b")},
		{"java.security.auth.login.config=" + members + "\nquorum.auth.enableSasl=true\nquorum.auth.learnerRequireSasl=true\nquorum.auth.learner.saslLoginContext=Same", noKeytab("a")},
		{"java.security.auth.login.config=" + members + "\nquorum.auth.enableSasl=true", noKeytab("a")}, // it asks for no tickets
	} {
		name := filepath.Join(t.TempDir(), "zoo.cfg")
		if err := os.WriteFile(name, []byte("dataDir=/d\n"+tc.lines+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		res, err := Read(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if tc.want != "" {
			want = strings.Split(tc.want, "\n")
		}
		got := Errors(res.CheckStores())
		if len(got) != len(want) {
			t.Fatalf("%s: got %v, want %q", tc.lines, got, want)
		}
		for i, e := range got {
			// What a library says behind the cause is not ours to pin.
			if line := strings.TrimPrefix(e.Error(), filepath.Dir(name)+"/"); !strings.HasPrefix(line, want[i]) {
				t.Errorf("got %s, want %s", line, want[i])
			}
		}
	}
}

// TestUntimely reads two key stores, of which one is over.
func TestUntimely(t *testing.T) {
	ca := securetest.New(t, "ours")
	over := securetest.Template("server")
	over.NotBefore, over.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	name := filepath.Join(t.TempDir(), "zoo.cfg")
	text := "dataDir=/d\nsecureClientPort=1\nadmin.forceHttps=true\nssl.trustStore.location=" + ca.TrustStore(t) + "\nssl.keyStore.location=" + ca.KeyStore(t, over) +
		"\nssl.quorum.keyStore.location=" + ca.KeyStore(t, securetest.Template("member")) + "\nssl.quorum.trustStore.location=" + ca.TrustStore(t) + "\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := Read(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := res.CheckStores(); err != nil {
		t.Error(err)
	}
	notes := res.Untimely()
	if len(notes) != 1 || notes[0].File != name || notes[0].Line != 5 || notes[0].Key != "ssl.keyStore.location" ||
		!strings.HasPrefix(notes[0].Text, "certificate CN=server,O=Holt is valid from ") || !strings.HasSuffix(notes[0].Text, "; renew it, or mend the clock") {
		t.Errorf("got %v", notes)
	}
}
