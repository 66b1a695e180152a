package secure_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/secure"
	"holt/server/secure/revocation"
	"holt/server/secure/securetest"
)

// issued are settings with a new certificate of a template.
func issued(t *testing.T, ca *securetest.Authority, template *x509.Certificate) (secure.Settings, *x509.Certificate) {
	t.Helper()
	pair := ca.Issue(t, template)
	file := ca.Write(t, pair.Cert.SerialNumber.String()+".pem", pair.KeyPEM()+pair.CertPEM()+ca.Chain())
	return secure.Settings{KeyStore: secure.Store{Location: file}, TrustStore: secure.Store{Location: ca.TrustStore(t)}}, pair.Cert
}

// TestRevokedServer is met by a client that asks.
func TestRevokedServer(t *testing.T) {
	for _, set := range []func(*secure.Settings){
		func(s *secure.Settings) { s.CRL = true },
		func(s *secure.Settings) { s.OCSP = true },
		func(s *secure.Settings) { s.CRL, s.AnyServerName = true, true },
	} {
		ca := securetest.New(t, "ours")
		p := ca.Publish(t)
		server, cert := issued(t, ca, p.Template("server"))
		addr := echo(t, securetest.Open(t, server, secure.Options{}))
		mine := ca.Settings(t, "client")
		set(&mine)
		if _, err := say(t, addr, securetest.Open(t, mine, secure.Options{}), "localhost"); err != nil {
			t.Errorf("%v: %v", mine, err)
		}
		p.Revoke(cert)
		source := securetest.Open(t, mine, secure.Options{})
		_, err := say(t, addr, source, "localhost")
		var refused *revocation.Error
		if !errors.As(err, &refused) || refused.Revoked == nil {
			t.Fatalf("%v: %v", mine, err)
		}
		cause, remedy := secure.Explain(err)
		if !strings.Contains(cause, "certificate CN=server,O=Holt, serial 0x") || !strings.Contains(remedy, "issue a new certificate") {
			t.Errorf("%s; %s", cause, remedy)
		}
		if stats, ok := source.Revocation(); !ok || stats.Revoked != 1 {
			t.Errorf("counted %+v", stats)
		}
	}
}

// TestRevokedInBetween has the authority revoked that issued the certificate and comes along with it.
func TestRevokedInBetween(t *testing.T) {
	top := securetest.New(t, "top")
	p := top.Publish(t)
	middle := top.Below(t, p.Template("middle"))
	server, _ := issued(t, middle, middle.Publish(t).Template("server"))
	server.TrustStore.Location = top.TrustStore(t)
	server.ClientAuth = secure.None
	addr := echo(t, securetest.Open(t, server, secure.Options{}))
	mine := secure.Settings{TrustStore: server.TrustStore, CRL: true}
	if _, err := say(t, addr, securetest.Open(t, mine, secure.Options{}), "localhost"); err != nil {
		t.Error(err)
	}
	p.Revoke(middle.Cert)
	_, err := say(t, addr, securetest.Open(t, mine, secure.Options{}), "localhost")
	if cause, _ := secure.Explain(err); !strings.Contains(cause, "CN=middle") {
		t.Errorf("%v", err)
	}
}

// TestRevokedResumes comes back with a session ticket from before; the server asks nevertheless.
func TestRevokedResumes(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	settings := ca.Settings(t, "server")
	settings.CRL = true
	server := securetest.Open(t, settings, secure.Options{})
	addr := echo(t, server)
	mine, _ := issued(t, ca, p.Template("client"))
	config := securetest.Open(t, mine, secure.Options{}).Client("localhost")
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	visit := func() (bool, error) {
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return false, err
		}
		defer c.Close()
		return c.ConnectionState().DidResume, again(c)
	}
	for _, want := range []bool{false, true} {
		if resumed, err := visit(); err != nil || resumed != want {
			t.Fatalf("resumed %v, %v", resumed, err)
		}
	}
	server.Abandon() // from now on nobody is told anything
	if resumed, err := visit(); err == nil {
		t.Errorf("resumed %v: let in unasked", resumed)
	}
}

// TestRevokedPeer dials and is dialled: both ends tell of it.
func TestRevokedPeer(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	start := func(revoked bool) (*secure.Peers, *observer.ObservedLogs) {
		settings, cert := issued(t, ca, p.Template("member"))
		if revoked {
			p.Revoke(cert)
		}
		settings.CRL, settings.CheckClientName = true, true
		core, logs := observer.New(zapcore.InfoLevel)
		peers, err := secure.NewPeers(securetest.Open(t, settings, secure.Options{}), secure.PeersOptions{Dial: true, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		return peers, logs
	}
	revoked, _ := start(true)
	other, _ := start(false)
	for _, tt := range []struct {
		dials bool // the good one does
		peer  *secure.Peers
		line  string // "" if they talk
	}{
		{false, other, ""},
		{true, other, ""},
		{false, revoked, "peer refused: TLS handshake"},
		{true, revoked, "connection to peer failed: TLS handshake"},
	} {
		good, logs := start(false)
		from, to := tt.peer, good
		if tt.dials {
			from, to = good, tt.peer
		}
		err := talk(t, from, to)
		if (err == nil) != (tt.line == "") {
			t.Errorf("%v, want %q", err, tt.line)
		}
		lines := logs.TakeAll()
		if tt.line == "" {
			continue
		}
		if len(lines) != 1 || lines[0].Message != tt.line || !strings.Contains(lines[0].ContextMap()["cause"].(string), "was revoked at") {
			t.Errorf("lines %v", lines)
		}
	}
}

// TestUnaskable warns of a certificate that others will refuse.
func TestUnaskable(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	answered := p.Template("answered")
	answered.CRLDistributionPoints = nil
	for _, tt := range []struct {
		template  *x509.Certificate
		crl, ocsp bool
		warned    string
	}{
		{p.Template("listed"), true, false, ""},
		{securetest.Template("bare"), true, false, "CN=bare,O=Holt"},
		{securetest.Template("bare"), false, true, "CN=bare,O=Holt"},
		{securetest.Template("bare"), false, false, ""},
		{answered, true, false, "CN=answered,O=Holt"},
		{answered, false, true, ""},
	} {
		settings, _ := issued(t, ca, tt.template)
		settings.CRL, settings.OCSP = tt.crl, tt.ocsp
		core, logs := observer.New(zapcore.WarnLevel)
		if _, err := secure.NewPeers(securetest.Open(t, settings, secure.Options{}), secure.PeersOptions{Logger: zap.New(core)}); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, line := range logs.All() {
			got += line.ContextMap()["subject"].(string)
		}
		if got != tt.warned {
			t.Errorf("%s with CRL %v, OCSP %v: warned of %q, want %q", tt.template.Subject, tt.crl, tt.ocsp, got, tt.warned)
		}
	}
}

// talk has one word go from one member to the other.
func talk(t *testing.T, from, to *secure.Peers) error {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := to.Listen(inner)
	read := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			read <- err
			return
		}
		defer c.Close()
		_, err = c.Read(make([]byte, 4))
		read <- err
	}()
	defer l.Close()
	c, err := from.Dial(t.Context(), inner.Addr().String(), plainDial)
	if err != nil {
		return errors.Join(err, l.Close(), <-read)
	}
	defer c.Close()
	if _, err := c.Write([]byte("word")); err != nil {
		return errors.Join(err, <-read)
	}
	return <-read
}

// TestAskingEnds: a dialler that waits for an authority gives up with its context, or its source.
func TestAskingEnds(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	server, _ := issued(t, ca, p.Template("server"))
	addr := echo(t, securetest.Open(t, server, secure.Options{}))
	asked := make(chan struct{}, 1)
	p.Instead(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	mine := ca.Settings(t, "client")
	mine.CRL = true
	for name, end := range map[string]func(*secure.Source, context.CancelFunc){
		"context": func(_ *secure.Source, cancel context.CancelFunc) { cancel() },
		"source":  func(s *secure.Source, _ context.CancelFunc) { s.Abandon() },
	} {
		source := securetest.Open(t, mine, secure.Options{})
		peers, err := secure.NewPeers(source, secure.PeersOptions{Dial: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; end(source, cancel) }()
		began := time.Now()
		if _, err := peers.Dial(ctx, addr, plainDial); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("end of the %s: took %v", name, took)
		}
		cancel()
	}
}

func plainDial(ctx context.Context, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}
