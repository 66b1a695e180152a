package securetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holt/server/secure"
)

// Authority issues certificates.
type Authority struct {
	Cert *x509.Certificate
	key  crypto.Signer
	dir  string
	n    int

	above *Authority // nil: this is the top
}

// New makes an authority of a name, which keeps its files in a directory of
// the test.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir()}
	a.Cert, a.key = issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// Template is a certificate for 127.0.0.1 and localhost with a common name,
// good for both sides, valid for an hour.
func Template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: []string{"Holt"}},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature,
	}
}

// Pair is a certificate and its key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Issue makes a certificate. Of the template, what is not set gets a default.
func (a *Authority) Issue(t testing.TB, template *x509.Certificate) Pair {
	t.Helper()
	cert, key := issue(t, a, template)
	return Pair{cert, key}
}

func issue(t testing.TB, by *Authority, template *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.Cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// KeyPEM and CertPEM are the texts of a pair.
func (p Pair) KeyPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		panic(err) // a key that was just made
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (p Pair) CertPEM() string { return CertPEM(p.Cert) }

// CertPEM is the text of a certificate.
func CertPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// Write puts a text into a file and returns its name.
func (a *Authority) Write(t testing.TB, name, text string) string {
	t.Helper()
	name = filepath.Join(a.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// KeyStore writes a PEM file of a new certificate and its key, and the authorities in between.
func (a *Authority) KeyStore(t testing.TB, template *x509.Certificate) string {
	t.Helper()
	a.n++
	p := a.Issue(t, template)
	return a.Write(t, fmt.Sprintf("key%d.pem", a.n), p.KeyPEM()+p.CertPEM()+a.Chain())
}

// Chain is the text of the certificates from this authority up to the one below the top.
func (a *Authority) Chain() string {
	if a.above == nil {
		return ""
	}
	return CertPEM(a.Cert) + a.above.Chain()
}

// TrustStore writes a PEM file of the authority's certificate.
func (a *Authority) TrustStore(t testing.TB) string {
	t.Helper()
	return a.Write(t, "trust.pem", CertPEM(a.Cert))
}

// Settings are those of one side, with a new certificate of this name.
func (a *Authority) Settings(t testing.TB, name string) secure.Settings {
	t.Helper()
	return secure.Settings{
		KeyStore:   secure.Store{Location: a.KeyStore(t, Template(name))},
		TrustStore: secure.Store{Location: a.TrustStore(t)},
	}
}

// Open is secure.Open, closed at the end of the test.
func Open(t testing.TB, s secure.Settings, o secure.Options) *secure.Source {
	t.Helper()
	source, err := secure.Open(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

// SignRequest signs what a PEM file asks for, subject and key as they are, and
// returns the certificate's file.
func (a *Authority) SignRequest(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	a.n++
	template := &x509.Certificate{RawSubject: request.RawSubject, SerialNumber: big.NewInt(int64(a.n)),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, request.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return a.Write(t, fmt.Sprintf("signed%d.pem", a.n), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}
