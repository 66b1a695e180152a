package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/admin"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire"
	"holt/wire/client"
)

// tlsServer starts a member with a port for TLS, and what change makes of its
// settings.
func tlsServer(t *testing.T, ca *securetest.Authority, change func(*Config)) (*Server, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	cfg := Config{
		DataDir: t.TempDir(), ClientAddr: "127.0.0.1:0", NoSync: true, Logger: zap.New(core), FourLetterWords: []string{"*"},
		TLS: TLS{Addr: "127.0.0.1:0", Clients: ca.Settings(t, "server")},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return s, logs
}

// dialTLS opens a session with what TLS makes of the settings.
func dialTLS(t *testing.T, addr net.Addr, settings secure.Settings) (*client.Conn, error) {
	t.Helper()
	source := securetest.Open(t, settings, secure.Options{})
	config := source.Client("127.0.0.1")
	if certs := config.Certificates; len(certs) > 0 {
		// Also one that the server did not ask for.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
	}
	c, err := client.Dial(t.Context(), addr.String(), client.Options{TLS: config})
	if err == nil {
		t.Cleanup(c.Abort)
	}
	return c, err
}

// TestClientCertificates has clients come with the right certificate, with none,
// and with one of somebody else, under each of the three demands.
func TestClientCertificates(t *testing.T) {
	ca, foreign := securetest.New(t, "ours"), securetest.New(t, "theirs")
	trust := ca.Settings(t, "client").TrustStore
	clients := []struct {
		name     string
		settings secure.Settings
	}{
		{"own", ca.Settings(t, "client")},
		{"none", secure.Settings{TrustStore: trust}},
		{"foreign", secure.Settings{TrustStore: trust, KeyStore: foreign.Settings(t, "client").KeyStore}},
	}
	for _, tt := range []struct {
		auth secure.ClientAuth
		want [3]string // scheme x509 of the client, "-" if refused
	}{
		{secure.Need, [3]string{"CN=client,O=Holt", "-", "-"}},
		{secure.Want, [3]string{"CN=client,O=Holt", "", "-"}},
		{secure.None, [3]string{"", "", ""}},
	} {
		s, logs := tlsServer(t, ca, func(c *Config) { c.TLS.Clients.ClientAuth = tt.auth })
		refused := false
		for i, cl := range clients {
			c, err := dialTLS(t, s.SecureClientAddr(), cl.settings)
			if (err != nil) != (tt.want[i] == "-") {
				t.Errorf("client auth %v, certificate %s: %v", tt.auth, cl.name, err)
				continue
			}
			if err != nil {
				refused = true
				continue
			}
			if got := x509Of(t, c); got != tt.want[i] {
				t.Errorf("client auth %v, certificate %s: identity %q, want %q", tt.auth, cl.name, got, tt.want[i])
			}
		}
		// With TLS 1.3 the client may know before the line is written.
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := logs.FilterMessage("client connection refused: TLS handshake failed").Len(); refused && n == 0 {
			t.Errorf("client auth %v: refused without a line", tt.auth)
		}
	}
}

// x509Of is the subject that whoAmI shows.
func x509Of(t *testing.T, c *client.Conn) string {
	t.Helper()
	infos, err := c.WhoAmI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if i.AuthScheme == "x509" {
			return i.User
		}
	}
	return ""
}

// TestX509ACL has a node that one subject alone may read, and the superuser.
func TestX509ACL(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, _ := tlsServer(t, ca, func(c *Config) { c.TLS.X509Super = "CN=admin,O=Holt" })
	as := func(name string) *client.Conn {
		c, err := dialTLS(t, s.SecureClientAddr(), ca.Settings(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	alice, bob, admin := as("alice"), as("bob"), as("admin")
	if err := bob.Auth(t.Context(), "x509", nil); err != nil {
		t.Errorf("once more by an auth packet: %v", err)
	}
	only := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "x509", ID: "CN=alice,O=Holt"}}}
	if _, err := alice.Create(t.Context(), "/a", []byte("x"), only, 0); err != nil {
		t.Fatal(err)
	}
	auth := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "auth"}}}
	if _, err := alice.Create(t.Context(), "/b", []byte("x"), auth, 0); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a", "/b"} {
		if _, _, err := alice.GetData(t.Context(), path, false); err != nil {
			t.Errorf("%s by its owner: %v", path, err)
		}
		if _, _, err := bob.GetData(t.Context(), path, false); !errors.Is(err, wire.ErrNoAuth) {
			t.Errorf("%s by somebody else: %v", path, err)
		}
		if _, _, err := admin.GetData(t.Context(), path, false); err != nil {
			t.Errorf("%s by the superuser: %v", path, err)
		}
	}
}

// TestUnifiedPort has one port serve both kinds.
func TestUnifiedPort(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, _ := tlsServer(t, ca, func(c *Config) { c.TLS.Addr, c.TLS.Unified = "", true })
	c, err := dialTLS(t, s.ClientAddr(), ca.Settings(t, "client"))
	if err != nil {
		t.Fatal(err)
	}
	if got := x509Of(t, c); got != "CN=client,O=Holt" {
		t.Errorf("identity %q over TLS", got)
	}
	plain, err := client.Dial(t.Context(), s.ClientAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Abort()
	if got := x509Of(t, plain); got != "" {
		t.Errorf("identity %q without TLS", got)
	}
}

// TestWrongPort has clients use TLS on the plaintext port and the other way round:
// they are closed with one line a minute, and others are served.
func TestWrongPort(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, logs := tlsServer(t, ca, nil)
	for range 5 {
		if _, err := dialTLS(t, s.ClientAddr(), ca.Settings(t, "client")); err == nil {
			t.Error("TLS on the plaintext port works")
		}
		nc, err := net.Dial("tcp", s.SecureClientAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, "ruok"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(nc); len(answer) > 0 {
			t.Errorf("plaintext on the secure port is answered %q, %v", answer, err)
		}
		nc.Close()
	}
	refused := logs.FilterMessage("client connection refused")
	if refused.Len() != 2 {
		t.Errorf("%d lines about 10 connections of two kinds, want 2", refused.Len())
	}
	if c, err := dialTLS(t, s.SecureClientAddr(), ca.Settings(t, "client")); err != nil || x509Of(t, c) == "" {
		t.Errorf("afterwards: %v", err)
	}
}

// TestHalfOpenHandshake has clients begin a handshake and say no more.
func TestHalfOpenHandshake(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, _ := tlsServer(t, ca, func(c *Config) { c.HandshakeTimeoutMillis, c.TLS.HandshakesMax = 300, 2 })
	var held []net.Conn
	for range 4 {
		nc, err := net.Dial("tcp", s.SecureClientAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Write([]byte{0x16, 3, 1, 2, 0, 1}); err != nil {
			t.Fatal(err)
		}
		held = append(held, nc)
	}
	for _, nc := range held {
		if err := nc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, nc); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Error("a half-open handshake is kept")
		}
	}
	if n := s.metrics.HandshakesExceeded.Load(); n != 2 {
		t.Errorf("%d handshakes beyond the bound, want 2", n)
	}
	if _, err := dialTLS(t, s.SecureClientAddr(), ca.Settings(t, "client")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestFourLetterWordsOverTLS asks by both ports; conf shows both.
func TestFourLetterWordsOverTLS(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, _ := tlsServer(t, ca, nil)
	source := securetest.Open(t, ca.Settings(t, "operator"), secure.Options{})
	nc, err := tls.Dial("tcp", s.SecureClientAddr().String(), source.Client("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "conf"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if err != nil {
		t.Errorf("the connection does not end as TLS wants: %v", err)
	}
	_, port, _ := net.SplitHostPort(s.SecureClientAddr().String())
	if want := "secureClientPort=" + port + "\n"; !bytes.Contains(answer, []byte(want)) {
		t.Errorf("conf over TLS lacks %q:\n%s", want, answer)
	}
}

// TestLargeTraffic moves records larger than TLS's own, in both directions and many
// at once.
func TestLargeTraffic(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, _ := tlsServer(t, ca, nil)
	c, err := dialTLS(t, s.SecureClientAddr(), ca.Settings(t, "client"))
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 60_000)
	if _, err := c.Create(t.Context(), "/big", big, wire.OpenACL(), 0); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for range 20 {
		go func() {
			data, _, err := c.GetData(t.Context(), "/big", false)
			if err == nil && !bytes.Equal(data, big) {
				err = io.ErrUnexpectedEOF
			}
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestOperatorsSeeTLS: which connections are secure, how many are not, and when the
// certificate ends.
func TestOperatorsSeeTLS(t *testing.T) {
	ca := securetest.New(t, "ours")
	s, _ := tlsServer(t, ca, nil)
	if _, err := dialTLS(t, s.SecureClientAddr(), ca.Settings(t, "client")); err != nil {
		t.Fatal(err)
	}
	plain, err := client.Dial(t.Context(), s.ClientAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Abort()
	var secured, others int
	s.Connections(func(c *admin.Connection) bool {
		if c.Secure {
			secured++
		} else {
			others++
		}
		return true
	})
	if secured != 1 || others != 1 {
		t.Errorf("%d secure connections and %d others, want one of each", secured, others)
	}
	if st := s.Status(); st.PlainLocal != 1 || st.PlainRemote != 0 {
		t.Errorf("%d and %d connections without TLS, want 1 and 0", st.PlainLocal, st.PlainRemote)
	}
	values := map[string]float64{}
	s.Metrics(func(m *admin.Metric) { values[m.Name] = m.Value })
	left := time.Until(time.Unix(int64(values["holt_tls_certificate_end_seconds"]), 0))
	if left < 50*time.Minute || left > time.Hour {
		t.Errorf("the certificate ends in %v", left)
	}
	if values["non_mtls_local_conn_count"] != 1 {
		t.Errorf("non_mtls_local_conn_count %v", values["non_mtls_local_conn_count"])
	}
}
