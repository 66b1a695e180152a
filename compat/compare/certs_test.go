package compare

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holt/server/secure/securetest"
)

// certificates are those of the servers of one comparison and of their clients.
type certificates struct {
	dir     string // CERTS of scripts, with the stores server.pem and trust.pem
	roots   *x509.CertPool
	clients map[string]tls.Certificate
}

// newCertificates makes certificates. Those of clients, by the names that scripts know:
//
//	alice, bob   CN=alice, CN=bob
//	root         CN=root, whom superUser may name
//	odd          a subject whose text needs escapes: CN="q",OU=a+b,O=Example\, Inc.
//	foreign      CN=alice by another authority
//	expired      CN=alice, of yesterday
//	early        CN=alice, of tomorrow
//	wronguse     CN=alice, good for servers only
//	elsewhere    CN=alice, of another host
func newCertificates(t testing.TB) *certificates {
	t.Helper()
	ca, other := securetest.New(t, "authority"), securetest.New(t, "another authority")
	c := &certificates{dir: t.TempDir(), roots: x509.NewCertPool(), clients: map[string]tls.Certificate{}}
	c.roots.AddCert(ca.Cert)
	server := ca.Issue(t, securetest.Template("server"))
	for name, text := range map[string]string{"server.pem": server.KeyPEM() + server.CertPEM(), "trust.pem": securetest.CertPEM(ca.Cert)} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issue := func(name string, by *securetest.Authority, change func(*x509.Certificate)) {
		template := securetest.Template("alice")
		template.Subject.Organization = nil
		change(template)
		pair := by.Issue(t, template)
		c.clients[name] = tls.Certificate{Certificate: [][]byte{pair.Cert.Raw}, PrivateKey: pair.Key}
	}
	for _, name := range []string{"alice", "bob", "root"} {
		issue(name, ca, func(x *x509.Certificate) { x.Subject.CommonName = name })
	}
	issue("odd", ca, func(x *x509.Certificate) {
		x.Subject.CommonName, x.Subject.OrganizationalUnit, x.Subject.Organization = `"q"`, []string{"a+b"}, []string{"Example, Inc."}
	})
	issue("foreign", other, func(*x509.Certificate) {})
	valid := func(from, to time.Duration) func(*x509.Certificate) {
		return func(x *x509.Certificate) { x.NotBefore, x.NotAfter = time.Now().Add(from), time.Now().Add(to) }
	}
	issue("expired", ca, valid(-48*time.Hour, -24*time.Hour))
	issue("early", ca, valid(24*time.Hour, 48*time.Hour))
	issue("elsewhere", ca, func(x *x509.Certificate) { x.DNSNames, x.IPAddresses = []string{"elsewhere.example"}, nil })
	issue("wronguse", ca, func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	return c
}

// settings are lines of zoo.cfg.
func (c *certificates) settings() []string {
	return []string{"ssl.keyStore.location=" + filepath.Join(c.dir, "server.pem"), "ssl.trustStore.location=" + filepath.Join(c.dir, "trust.pem")}
}

// client is Secure.Client.
func (c *certificates) client(name string) (*tls.Config, error) {
	config := &tls.Config{RootCAs: c.roots, ServerName: "localhost"}
	if name == "" {
		return config, nil
	}
	cert, ok := c.clients[name]
	if !ok {
		return nil, fmt.Errorf("there is none called %q", name)
	}
	// Even one that the server's authorities have not signed, which crypto/tls would keep back.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return config, nil
}
