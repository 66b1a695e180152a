package secure_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/secure"
	"holt/server/secure/securetest"
)

// echo serves connections by TLS: it sends back what it reads.
func echo(t *testing.T, s *secure.Source) string {
	t.Helper()
	config, err := s.Server()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c := secure.Server(nc, nil, config)
				defer c.Close()
				_, _ = io.Copy(c, c) // until the client has enough
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// say opens a connection and has one word come back.
func say(t *testing.T, addr string, s *secure.Source, host string) (*tls.Conn, error) {
	t.Helper()
	c, err := tls.Dial("tcp", addr, s.Client(host))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c, again(c)
}

func again(c net.Conn) error {
	if _, err := io.WriteString(c, "word"); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != "word" {
		return errors.New("not what was said: " + string(b))
	}
	return nil
}

func serial(c *tls.Conn) string { return c.ConnectionState().PeerCertificates[0].SerialNumber.String() }

// TestReload replaces the server's certificate: connections go on, new ones see the
// new certificate, a broken file changes nothing and is told of once.
func TestReload(t *testing.T) {
	ca := securetest.New(t, "ours")
	core, logs := observer.New(zapcore.InfoLevel)
	// Both before the server looks: they write the same trust store, which it would take for a change.
	settings, clients := ca.Settings(t, "server"), ca.Settings(t, "client")
	server := securetest.Open(t, settings, secure.Options{Logger: zap.New(core), Every: 5 * time.Millisecond})
	client := securetest.Open(t, clients, secure.Options{})
	addr := echo(t, server)
	old, err := say(t, addr, client, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	await := func(message string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); logs.FilterMessage(message).Len() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nobody says %q", message)
			}
		}
	}
	replace := func(text string) {
		t.Helper()
		next := settings.KeyStore.Location + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, settings.KeyStore.Location); err != nil {
			t.Fatal(err)
		}
	}

	replace("-----BEGIN nothing of use")
	await("certificates not reloaded: the old ones stay in use until the files are mended")
	kept, err := say(t, addr, client, "localhost")
	if err != nil || serial(kept) != serial(old) {
		t.Errorf("with a broken file: %v", err)
	}

	pair := ca.Issue(t, securetest.Template("server"))
	replace(pair.KeyPEM() + pair.CertPEM())
	await("certificates reloaded: new connections use them")
	fresh, err := say(t, addr, client, "localhost")
	if err != nil || serial(fresh) != pair.Cert.SerialNumber.String() {
		t.Errorf("the new certificate is not used: %v", err)
	}
	for name, c := range map[string]*tls.Conn{"from before": old, "from the time of the broken file": kept} {
		if err := again(c); err != nil {
			t.Errorf("the connection %s: %v", name, err)
		}
	}
	if n := logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
		t.Errorf("%d lines about one broken file", n)
	}
}

// TestReloadOfTrust takes an authority away: its clients come in no more, not by a
// session ticket either.
func TestReloadOfTrust(t *testing.T) {
	ours, theirs := securetest.New(t, "ours"), securetest.New(t, "theirs")
	settings := ours.Settings(t, "server")
	both := ours.Write(t, "both.pem", securetest.CertPEM(ours.Cert)+securetest.CertPEM(theirs.Cert))
	settings.TrustStore.Location = both
	core, logs := observer.New(zapcore.InfoLevel)
	server := securetest.Open(t, settings, secure.Options{Logger: zap.New(core), Every: 5 * time.Millisecond})
	addr := echo(t, server)
	client := theirs.Settings(t, "client")
	client.TrustStore = secure.Store{Location: ours.TrustStore(t)}
	source := securetest.Open(t, client, secure.Options{})
	config := source.Client("localhost")
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	visit := func() error {
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return err
		}
		defer c.Close()
		return again(c)
	}
	if err := visit(); err != nil {
		t.Fatal(err)
	}
	ours.Write(t, "both.pem", securetest.CertPEM(ours.Cert))
	for end := time.Now().Add(20 * time.Second); logs.Len() == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if err := visit(); err == nil {
		t.Error("a client of an authority that is believed in no more comes in")
	}
}

// TestServerNames has a client check what a server's certificate names.
func TestServerNames(t *testing.T) {
	ca := securetest.New(t, "ours")
	oldStyle := securetest.Template("localhost")
	oldStyle.DNSNames, oldStyle.IPAddresses = nil, nil
	wild := securetest.Template("*.example.com")
	wild.DNSNames, wild.IPAddresses = nil, nil
	for _, tt := range []struct {
		name  string
		store string
		host  string
		any   bool
		ok    bool
	}{
		{"alternative name", ca.KeyStore(t, securetest.Template("x")), "localhost", false, true},
		{"address", ca.KeyStore(t, securetest.Template("x")), "127.0.0.1", false, true},
		{"another name", ca.KeyStore(t, securetest.Template("x")), "elsewhere", false, false},
		{"common name besides alternative names", ca.KeyStore(t, securetest.Template("x")), "x", false, false},
		{"any name", ca.KeyStore(t, securetest.Template("x")), "elsewhere", true, true},
		{"common name alone", ca.KeyStore(t, oldStyle), "LOCALHOST", false, true},
		{"wild common name", ca.KeyStore(t, wild), "zk.example.com", false, true},
		{"wild common name, two labels", ca.KeyStore(t, wild), "a.zk.example.com", false, false},
	} {
		settings := ca.Settings(t, "server")
		settings.KeyStore.Location = tt.store
		addr := echo(t, securetest.Open(t, settings, secure.Options{}))
		mine := ca.Settings(t, "client")
		mine.AnyServerName = tt.any
		_, err := say(t, addr, securetest.Open(t, mine, secure.Options{}), tt.host)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil {
			if cause, _ := secure.Explain(err); !strings.Contains(cause, "does not name "+tt.host) {
				t.Errorf("%s: explained as %q", tt.name, cause)
			}
		}
	}
}

// TestClientNames has a server check what a client's certificate names.
func TestClientNames(t *testing.T) {
	ca := securetest.New(t, "ours")
	elsewhere := securetest.Template("x")
	elsewhere.DNSNames, elsewhere.IPAddresses = []string{"elsewhere"}, nil
	for _, tt := range []struct {
		name  string
		store string
		names []string
		any   bool
		ok    bool
	}{
		{"its address", ca.KeyStore(t, securetest.Template("x")), nil, false, true},
		{"another host", ca.KeyStore(t, elsewhere), nil, false, false},
		{"a host that may come", ca.KeyStore(t, elsewhere), []string{"other", "elsewhere"}, false, true},
		{"names are not looked at", ca.KeyStore(t, elsewhere), nil, true, true},
	} {
		settings := ca.Settings(t, "server")
		settings.CheckClientName, settings.AnyServerName = true, tt.any
		addr := echo(t, securetest.Open(t, settings, secure.Options{Names: func() []string { return tt.names }}))
		mine := ca.Settings(t, "client")
		mine.KeyStore.Location = tt.store
		if _, err := say(t, addr, securetest.Open(t, mine, secure.Options{}), "localhost"); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestSelfSignedTrust has both sides trust the other's own certificate, as keytool users
// do: it is no authority.
func TestSelfSignedTrust(t *testing.T) {
	side := secure.Settings{
		KeyStore:   secure.Store{Location: "../../wire/keystore/testdata/key.jks", Password: "secret"},
		TrustStore: secure.Store{Location: "../../wire/keystore/testdata/trust.p12", Password: "trustsecret"},
	}
	addr := echo(t, securetest.Open(t, side, secure.Options{}))
	if _, err := say(t, addr, securetest.Open(t, side, secure.Options{}), "localhost"); err != nil {
		t.Error(err)
	}
}

// TestVersionsAndSuites has a client that speaks something else.
func TestVersionsAndSuites(t *testing.T) {
	ca := securetest.New(t, "ours")
	for _, tt := range []struct{ name, key, server, client, cause string }{
		{"versions", "enabledProtocols", "TLSv1.3", "TLSv1.2", "no version of TLS in common"},
		{"suites", "ciphersuites", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "no cipher suite in common"},
	} {
		server, client := ca.Settings(t, "server"), ca.Settings(t, "client")
		for s, v := range map[*secure.Settings]string{&server: tt.server, &client: tt.client} {
			if tt.key == "ciphersuites" {
				s.Protocols = []uint16{tls.VersionTLS12}
			}
			if err := s.Set(tt.key, v); err != nil {
				t.Fatal(err)
			}
		}
		addr := echo(t, securetest.Open(t, server, secure.Options{}))
		_, err := say(t, addr, securetest.Open(t, client, secure.Options{}), "localhost")
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		if cause, _ := secure.Explain(err); !strings.Contains(cause, tt.cause) {
			t.Errorf("%s: explained as %q", tt.name, cause)
		}
	}
}

// TestServerNeedsStores says what is missing.
func TestServerNeedsStores(t *testing.T) {
	ca := securetest.New(t, "ours")
	s := ca.Settings(t, "server")
	noKey, noTrust := s, s
	noKey.KeyStore, noTrust.TrustStore = secure.Store{}, secure.Store{}
	for _, tt := range []struct {
		settings secure.Settings
		want     string
	}{{noKey, "keyStore.location"}, {noTrust, "trustStore.location"}} {
		_, err := securetest.Open(t, tt.settings, secure.Options{}).Server()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	noTrust.ClientAuth = secure.None
	if _, err := securetest.Open(t, noTrust, secure.Options{}).Server(); err != nil {
		t.Error(err)
	}
}

// TestCloseDoesNotWait closes connections whose peer has stopped reading: one with a
// write under way that cannot end, one whose buffers are full.
func TestCloseDoesNotWait(t *testing.T) {
	ca := securetest.New(t, "ours")
	config, err := securetest.Open(t, ca.Settings(t, "server"), secure.Options{}).Server()
	if err != nil {
		t.Fatal(err)
	}
	client := securetest.Open(t, ca.Settings(t, "client"), secure.Options{})
	for _, busy := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		dialed := make(chan net.Conn, 1)
		go func() {
			c, err := tls.Dial("tcp", l.Addr().String(), client.Client("localhost"))
			if err != nil {
				close(dialed)
				return
			}
			dialed <- c
		}()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := secure.Server(nc, nil, config)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		if busy {
			go func() {
				defer close(ended)
				for {
					if _, err := c.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
						return
					}
				}
			}()
			time.Sleep(50 * time.Millisecond) // that it is stuck; if not, the test is easier
		} else {
			close(ended)
			if err := nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			for { // below TLS: its own writes go on to work
				if _, err := nc.Write(make([]byte, 1<<16)); err != nil {
					break
				}
			}
		}
		start := time.Now()
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("close: %v", err)
		}
		<-ended
		if took := time.Since(start); took > time.Second {
			t.Errorf("busy %v: Close took %v", busy, took)
		}
		if d, ok := <-dialed; ok {
			d.Close()
		}
		l.Close()
	}
}

// TestCloseSaysGoodbye: a peer that reads sees the end as TLS wants it.
func TestCloseSaysGoodbye(t *testing.T) {
	ca := securetest.New(t, "ours")
	config, err := securetest.Open(t, ca.Settings(t, "server"), secure.Options{}).Server()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		c := secure.Server(nc, nil, config)
		_, err = io.WriteString(c, "bye")
		served <- errors.Join(err, c.Close())
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), securetest.Open(t, ca.Settings(t, "client"), secure.Options{}).Client("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if text, err := io.ReadAll(c); err != nil || string(text) != "bye" {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// gathering is a connection whose writes go out together, when told.
type gathering struct {
	net.Conn
	held []byte
	hold bool
}

func (g *gathering) Write(b []byte) (int, error) {
	if !g.hold {
		return g.Conn.Write(b)
	}
	g.held = append(g.held, b...)
	return len(b), nil
}

// send writes the first n bytes of what is held.
func (g *gathering) send(n int) error {
	_, err := g.Conn.Write(g.held[:n])
	g.held = g.held[n:]
	return err
}

// TestReadOfSeveralRecords: what arrived together is read together, half a record is not
// waited for, and nothing is lost or read twice.
func TestReadOfSeveralRecords(t *testing.T) {
	ca := securetest.New(t, "ours")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		settings := ca.Settings(t, "server")
		settings.Protocols = []uint16{version}
		config, err := securetest.Open(t, settings, secure.Options{}).Server()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		g := &gathering{Conn: raw}
		client := tls.Client(g, securetest.Open(t, ca.Settings(t, "client"), secure.Options{}).Client("localhost"))
		defer client.Close()
		shaken := make(chan error, 1)
		go func() { shaken <- client.Handshake() }()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server := secure.Server(nc, nil, config)
		defer server.Close()
		if err := errors.Join(server.Handshake(), <-shaken); err != nil {
			t.Fatal(err)
		}
		g.hold = true
		for _, word := range []string{"one", "two", "three", "four"} {
			if _, err := io.WriteString(client, word); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, 100)
		read := func(want string) {
			t.Helper()
			if err := server.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := server.Read(b)
			// TLS 1.2 tells the end beside the last bytes.
			if err != nil && err != io.EOF || string(b[:n]) != want {
				t.Fatalf("%x: read %q, %v, want %q", version, b[:n], err, want)
			}
		}
		if err := g.send(len(g.held) - 3); err != nil { // the last record lacks its end
			t.Fatal(err)
		}
		read("onetwothree")
		if err := g.send(3); err != nil {
			t.Fatal(err)
		}
		read("four")
		if _, err := io.WriteString(client, "bye"); err != nil {
			t.Fatal(err)
		}
		// CloseWrite lets no more be written, and it was not yet.
		if err := errors.Join(client.CloseWrite(), raw.SetWriteDeadline(time.Time{}), g.send(len(g.held))); err != nil {
			t.Fatal(err)
		}
		read("bye")
		for range 2 {
			if n, err := server.Read(b); n != 0 || err != io.EOF {
				t.Errorf("%x: at the end %d, %v", version, n, err)
			}
		}
	}
}
