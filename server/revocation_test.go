package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"holt/server/admin"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire/client"
)

// TestRevokedClients has a member asked to look at lists, or to ask a responder, serve clients whose certificate is good and
// refuse in one line those whose is revoked, or of which that cannot be told.
func TestRevokedClients(t *testing.T) {
	for _, responder := range []bool{false, true} {
		ca := securetest.New(t, "ours")
		p := ca.Publish(t)
		s, logs := tlsServer(t, ca, func(c *Config) { c.TLS.Clients.CRL, c.TLS.Clients.OCSP = !responder, responder })
		revoked := ca.Issue(t, p.Template("revoked"))
		p.Revoke(revoked.Cert)
		for _, pair := range []securetest.Pair{ca.Issue(t, p.Template("good")), revoked, ca.Issue(t, securetest.Template("unlisted"))} {
			settings := secure.Settings{TrustStore: secure.Store{Location: ca.TrustStore(t)}, KeyStore: secure.Store{Location: ca.Write(t, "client.pem", pair.KeyPEM()+pair.CertPEM())}}
			_, err := dialTLS(t, s.SecureClientAddr(), settings)
			if name := pair.Cert.Subject.CommonName; (err == nil) != (name == "good") {
				t.Errorf("%s: %v", name, err)
			}
		}
		got := map[string]float64{}
		s.Metrics(func(m *admin.Metric) { got[m.Name] = m.Value })
		if got["holt_tls_revocation_passed"] != 1 || got["holt_tls_revocation_revoked"] != 1 || got["holt_tls_revocation_undetermined"] != 1 || got["holt_tls_revocation_downloads"] != 2-map[bool]float64{false: 1}[responder] {
			t.Errorf("OCSP %v: counted %v", responder, got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		lines := logs.FilterMessage("client connection refused: TLS handshake failed").All()
		if len(lines) != 2 {
			t.Fatalf("%d lines: %v", len(lines), lines)
		}
		for i, want := range []string{"certificate CN=revoked,O=Holt, serial 0x", "nobody tells whether certificate CN=unlisted,O=Holt, serial 0x"} {
			if cause, _ := lines[i].ContextMap()["cause"].(string); !strings.HasPrefix(cause, want) {
				t.Errorf("cause %q, want %q", cause, want)
			}
		}
	}
}

// TestSilentAuthority never answers: other clients are served meanwhile, and the member closes at once.
func TestSilentAuthority(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	asked := make(chan struct{}, 10)
	p.Instead(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	s, _ := tlsServer(t, ca, func(c *Config) { c.TLS.Clients.CRL = true })
	settings := secure.Settings{TrustStore: secure.Store{Location: ca.TrustStore(t)}, KeyStore: secure.Store{Location: ca.KeyStore(t, p.Template("client"))}}
	ended := make(chan error, 1)
	config := securetest.Open(t, settings, secure.Options{}).Client("127.0.0.1")
	go func() {
		c, err := client.Dial(t.Context(), s.SecureClientAddr().String(), client.Options{TLS: config})
		if err == nil {
			c.Abort()
		}
		ended <- err
	}()
	<-asked
	c, err := client.Dial(t.Context(), s.ClientAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Abort()
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("closing took %v", took)
	}
	if err := <-ended; err == nil {
		t.Error("let in without an answer")
	}
}

// TestPatience follows the time that a handshake has.
func TestPatience(t *testing.T) {
	for millis, want := range map[int]time.Duration{-1: 8 * time.Second, 10_000: 8 * time.Second, 300: 300 * time.Millisecond} {
		if got := (&Server{cfg: Config{HandshakeTimeoutMillis: millis}}).patience(); got != want {
			t.Errorf("of %d ms: %v, want %v", millis, got, want)
		}
	}
}
