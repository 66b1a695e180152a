package secure_test

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/secure"
	"holt/server/secure/securetest"
)

// TestUntimely opens key stores whose certificates are over, or not good yet, and one that becomes so.
func TestUntimely(t *testing.T) {
	const told = "peers will refuse this side's certificate"
	valid := func(from, to time.Duration) *x509.Certificate {
		c := securetest.Template("server")
		c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to)
		return c
	}
	past, future := valid(-2*time.Hour, -time.Hour), valid(time.Hour, 2*time.Hour)
	ca := securetest.New(t, "ours")
	lapsed := securetest.Template("between")
	lapsed.IsCA, lapsed.BasicConstraintsValid, lapsed.KeyUsage = true, true, x509.KeyUsageCertSign
	lapsed.NotBefore, lapsed.NotAfter = past.NotBefore, past.NotAfter
	for _, tc := range []struct {
		name, store, want string
	}{
		{"good", ca.KeyStore(t, securetest.Template("server")), ""},
		{"over", ca.KeyStore(t, past), "certificate CN=server,O=Holt is valid from "},
		{"not good yet", ca.KeyStore(t, future), "certificate CN=server,O=Holt is valid from "},
		{"of an authority that is over", ca.Below(t, lapsed).KeyStore(t, securetest.Template("server")), "CN=between"},
	} {
		core, logs := observer.New(zap.WarnLevel)
		settings := secure.Settings{KeyStore: secure.Store{Location: tc.store}, Fixed: true}
		securetest.Open(t, settings, secure.Options{Logger: zap.New(core)})
		said, err := secure.Untimely(settings.KeyStore)
		if err != nil {
			t.Fatal(err)
		}
		if tc.want == "" {
			if logs.Len() != 0 || said != "" {
				t.Errorf("%s: %q and %v", tc.name, said, logs.All())
			}
			continue
		}
		if logs.Len() != 1 || logs.All()[0].Message != told {
			t.Fatalf("%s: %v", tc.name, logs.All())
		}
		m := logs.All()[0].ContextMap()
		if cause := m["cause"].(string); !strings.Contains(cause, tc.want) || said != cause+"; renew it, or mend the clock" || m["remedy"] != "renew it, or mend the clock" {
			t.Errorf("%s: %v and %q", tc.name, m, said)
		}
	}

	core, logs := observer.New(zap.WarnLevel)
	settings := ca.Settings(t, "server")
	securetest.Open(t, settings, secure.Options{Logger: zap.New(core), Every: 5 * time.Millisecond})
	next := ca.KeyStore(t, past)
	if err := os.Rename(next, settings.KeyStore.Location); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); logs.FilterMessage(told).Len() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody tells of the certificate that was put in place")
		}
	}
}
