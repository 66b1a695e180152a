package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/youmark/pkcs8"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"holt/broker/auth"
)

// whoAmI answers Heartbeat by closing, after it has told the test who asks.
func whoAmI(who chan string) HandlerFunc {
	return func(ctx context.Context, r *Request) {
		who <- r.Conn.Principal().String()
		echo(ctx, r)
	}
}

func startTLSListener(t *testing.T, l TLS, h HandlerFunc) *Server {
	return startToy(t, Config{Listeners: []Listener{{Name: "SSL", Protocol: SSL, Address: "127.0.0.1:0", TLS: &l}}}, h)
}

func TestClientCertificates(t *testing.T) {
	k := testKeys(t)
	rules, err := auth.ParseDNRules(`RULE:^CN=([^,]+),.*$/$1/L,DEFAULT`)
	if err != nil {
		t.Fatal(err)
	}
	only, err := auth.ParseDNRules(`RULE:^CN=Bob.*$/bob/`)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, clientAuth string
		rules            *auth.DNRules
		client           *tls.Config
		want             string // "": no connection
	}{
		{"none", "none", nil, k.withCert(), "User:ANONYMOUS"},
		{"requested, none given", "requested", nil, k.client(), "User:ANONYMOUS"},
		{"requested", "requested", nil, k.withCert(), `User:CN=Alice,OU=Ops\, Night,C=DE`},
		{"required", "required", nil, k.withCert(), `User:CN=Alice,OU=Ops\, Night,C=DE`},
		{"rules", "required", rules, k.withCert(), "User:alice"},
		{"no rule matches", "required", only, k.withCert(), ""},
		{"required, none given", "required", nil, k.client(), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			who := make(chan string, 1)
			cfg := *k.server()
			cfg.ClientAuth, cfg.Names = test.clientAuth, test.rules
			c := dial(t, startTLSListener(t, cfg, whoAmI(who)))
			conn := tls.Client(c.nc, test.client)
			c.nc = conn
			if test.want == "" {
				// In TLS 1.3 the client hears of it when it reads.
				c.next++
				if err := conn.Handshake(); err == nil {
					c.closed()
				}
				return
			}
			c.ask(heartbeat(1))
			if got := <-who; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestStores reads key and authorities from every form.
func TestStores(t *testing.T) {
	k, dir := testKeys(t), t.TempDir()
	key, cert := k.pair(pkix.Name{CommonName: "broker"})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	p12, err := pkcs12.Modern.Encode(key, cert, []*x509.Certificate{k.ca}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	p12Trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{k.ca}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	clear := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})) + certPEM(cert)
	locked := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted})) + certPEM(cert)
	jks := write("server.jks", jksOf(t, der, cert, k.ca, "secret", "keysecret"))
	p12File, p12TrustFile := write("server.p12", p12), write("trust.p12", p12Trust)
	pemFile, lockedFile := write("server.pem", []byte(clear)), write("locked.pem", []byte(locked))
	for name, cfg := range map[string]TLS{
		"PEM text":      {Key: Store{Type: "PEM", Text: clear}, Trust: Store{Type: "PEM", Text: k.caPEM}},
		"PEM":           {Key: Store{Type: "PEM", Location: pemFile}, Trust: Store{Type: "PEM", Text: k.caPEM}},
		"PEM, locked":   {Key: Store{Type: "PEM", Location: lockedFile, KeyPassword: "secret"}},
		"PKCS12":        {Key: Store{Type: "PKCS12", Location: p12File, Password: "secret"}, Trust: Store{Type: "PKCS12", Location: p12TrustFile, Password: "secret"}},
		"PKCS12 as JKS": {Key: Store{Type: "JKS", Location: p12File, Password: "secret"}},
		"JKS": {Key: Store{Type: "JKS", Location: jks, Password: "secret", KeyPassword: "keysecret"},
			Trust: Store{Location: jks, Password: "secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, startTLSListener(t, cfg, echo))
			c.startTLS(k.client())
			c.ask(heartbeat(1))
		})
	}
	for name, cfg := range map[string]TLS{
		"none":                  {},
		"missing":               {Key: Store{Location: filepath.Join(dir, "none")}},
		"wrong password, JKS":   {Key: Store{Location: jks, Password: "wrong"}},
		"wrong key password":    {Key: Store{Location: jks, Password: "secret"}},
		"wrong password, P12":   {Key: Store{Type: "PKCS12", Location: p12File, Password: "wrong"}},
		"wrong password, PEM":   {Key: Store{Type: "PEM", Location: lockedFile, KeyPassword: "wrong"}},
		"no password, PEM":      {Key: Store{Type: "PEM", Location: lockedFile}},
		"no key in it":          {Key: Store{Type: "PKCS12", Location: p12TrustFile, Password: "secret"}},
		"strange type":          {Key: Store{Type: "BKS", Location: jks}},
		"strange client auth":   {Key: Store{Type: "PEM", Text: clear}, ClientAuth: "maybe"},
		"old protocol":          {Key: Store{Type: "PEM", Text: clear}, Protocols: []string{"TLSv1"}},
		"unknown suite":         {Key: Store{Type: "PEM", Text: clear}, CipherSuites: []string{"TLS_NONE"}},
		"authorities of nobody": {Key: Store{Type: "PEM", Text: clear}, Trust: Store{Type: "PEM", Text: "nothing"}},
		"another's certificate": {Key: Store{Type: "PEM", Text: strings.Replace(clear, certPEM(cert), k.caPEM, 1)}},
	} {
		if _, err := cfg.ServerConfig(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func jksOf(t *testing.T, der []byte, cert, ca *x509.Certificate, password, keyPassword string) []byte {
	ks := keystore.New()
	entry := keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: der,
		CertificateChain: []keystore.Certificate{{Type: "X509", Content: cert.Raw}, {Type: "X509", Content: ca.Raw}}}
	if err := ks.SetPrivateKeyEntry("server", entry, []byte(keyPassword)); err != nil {
		t.Fatal(err)
	}
	if err := ks.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: time.Now(),
		Certificate: keystore.Certificate{Type: "X509", Content: ca.Raw}}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := ks.Store(&b, []byte(password)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReload: new connections get the new certificate, the old ones go on, and files that
// are of no use change nothing.
func TestReload(t *testing.T) {
	k := testKeys(t)
	file := filepath.Join(t.TempDir(), "server.pem")
	put := func(text string, at time.Time) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	put(k.serverPEM, now)
	s := startTLSListener(t, TLS{Key: Store{Type: "PEM", Location: file}}, echo)
	serves := func() string {
		c := dial(t, s)
		c.startTLS(k.client())
		c.ask(heartbeat(1))
		return c.nc.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	old := dial(t, s)
	old.startTLS(k.client())
	if got := serves(); got != "broker" {
		t.Errorf("certificate of %s", got)
	}
	put(k.issue(pkix.Name{CommonName: "renewed"}), now.Add(time.Second))
	s.Reload()
	if got := serves(); got != "renewed" {
		t.Errorf("after a reload: certificate of %s", got)
	}
	put("nothing", now.Add(2*time.Second))
	s.Reload()
	if got := serves(); got != "renewed" {
		t.Errorf("after a useless file: certificate of %s", got)
	}
	old.ask(heartbeat(2))
}

func TestClientConfig(t *testing.T) {
	k := testKeys(t)
	cfg := *k.server()
	cfg.ClientAuth = "required"
	s := startTLSListener(t, cfg, echo)
	for _, test := range []struct {
		name string
		tls  TLS
		host string
		ok   bool
	}{
		{"right host", TLS{Key: Store{Type: "PEM", Text: k.clientPEM}, Trust: Store{Type: "PEM", Text: k.caPEM}}, "localhost", true},
		{"wrong host", TLS{Key: Store{Type: "PEM", Text: k.clientPEM}, Trust: Store{Type: "PEM", Text: k.caPEM}}, "elsewhere", false},
		{"any host", TLS{Key: Store{Type: "PEM", Text: k.clientPEM}, Trust: Store{Type: "PEM", Text: k.caPEM}, AnyHostName: true}, "elsewhere", true},
		{"any host, unknown authority", TLS{Key: Store{Type: "PEM", Text: k.clientPEM}, Trust: Store{Type: "PEM", Text: newKeys().caPEM}, AnyHostName: true}, "elsewhere", false},
	} {
		client, err := test.tls.ClientConfig()
		if err != nil {
			t.Fatal(err)
		}
		client.ServerName = test.host
		c := dial(t, s)
		if err := tls.Client(c.nc, client).Handshake(); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
