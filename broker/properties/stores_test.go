package properties

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckStores(t *testing.T) {
	const stores = "../../wire/keystore/testdata/"
	for _, tc := range []struct{ password, trust, want string }{
		{"secret", stores + "trust.p12", ""},
		{"wrong", stores + "trust.p12", "server.properties: listener SSL: store " + stores + "key.jks: the password does not open it"},
		{"secret", "none.p12", "server.properties: listener SSL: read store: open none.p12: no such file or directory"},
	} {
		name := filepath.Join(t.TempDir(), "server.properties")
		text := "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlog.dirs=data\nlisteners=SSL://127.0.0.1:0\nsecurity.inter.broker.protocol=SSL\n" +
			"ssl.keystore.location=" + stores + "key.jks\nssl.keystore.password=" + tc.password + "\n" +
			"ssl.truststore.location=" + tc.trust + "\nssl.truststore.password=trustsecret\n"
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		res, err := Read(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := res.CheckStores(); err != nil {
			got = strings.TrimPrefix(err.Error(), filepath.Dir(name)+"/")
		}
		// What a library says behind the cause is not ours to pin.
		if !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}
