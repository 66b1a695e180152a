package securetest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Publisher tells by HTTP which certificates of an authority are revoked: at /crl by a list, at
// /ocsp as a responder. It may be used from any goroutine.
type Publisher struct {
	URL string // of the server, without a path

	by *Authority
	t  testing.TB

	mu       sync.Mutex
	revoked  map[string]x509.RevocationListEntry // by serial number
	instead  http.HandlerFunc                    // nil: none
	list     func(*x509.RevocationList)          // changes each list before it is signed
	answer   func(*ocsp.Response)                // likewise
	delegate *Pair                               // signs answers; nil: the authority
	lists    int                                 // requests
	answers  int
}

// Publish starts a publisher, which ends with the test.
func (a *Authority) Publish(t testing.TB) *Publisher {
	t.Helper()
	p := &Publisher{by: a, t: t, revoked: map[string]x509.RevocationListEntry{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.URL = s.URL
	return p
}

// CRL and OCSP are the addresses for certificates.
func (p *Publisher) CRL() string  { return p.URL + "/crl" }
func (p *Publisher) OCSP() string { return p.URL + "/ocsp" }

// Template is that of the package with the addresses in it.
func (p *Publisher) Template(name string) *x509.Certificate {
	c := Template(name)
	c.CRLDistributionPoints, c.OCSPServer = []string{p.CRL()}, []string{p.OCSP()}
	return c
}

// Revoke tells from now on that the certificate is revoked since an hour, its key being compromised.
func (p *Publisher) Revoke(c *x509.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked[c.SerialNumber.String()] = x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Hour), ReasonCode: ocsp.KeyCompromise}
}

// Instead has h answer all requests; nil ends that.
func (p *Publisher) Instead(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instead = h
}

// ChangeList and ChangeAnswer have f change what is about to be signed.
func (p *Publisher) ChangeList(f func(*x509.RevocationList)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = f
}

func (p *Publisher) ChangeAnswer(f func(*ocsp.Response)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// Delegate has answers signed by a certificate of its own.
func (p *Publisher) Delegate(d Pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delegate = &d
}

// Asked counts the requests for lists and to the responder.
func (p *Publisher) Asked() (lists, answers int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lists, p.answers
}

func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	instead := p.instead
	if r.URL.Path == "/crl" {
		p.lists++
	} else {
		p.answers++
	}
	p.mu.Unlock()
	switch {
	case instead != nil:
		instead(w, r)
	case r.URL.Path == "/crl":
		p.send(w, p.List())
	case strings.HasPrefix(r.URL.Path, "/ocsp"):
		question, err := question(r)
		if err != nil {
			p.t.Errorf("read a question: %v", err)
		}
		p.send(w, p.respond(question))
	default:
		http.NotFound(w, r)
	}
}

// question is in the body, or in the path (RFC 6960, A.1).
func question(r *http.Request) ([]byte, error) {
	if r.Method == http.MethodPost {
		return io.ReadAll(r.Body)
	}
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(r.URL.Path, "/ocsp/"))
}

func (p *Publisher) send(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		p.t.Logf("publisher: %v", err) // who asked has gone away
	}
}

// List is the CRL as it is now.
func (p *Publisher) List() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: slices.Collect(maps.Values(p.revoked))}
	if p.list != nil {
		p.list(l)
	}
	// An authority of New says that it signs certificates, and no more: that of a trust store may
	// sign lists nevertheless.
	by := *p.by.Cert
	by.KeyUsage |= x509.KeyUsageCRLSign
	der, err := x509.CreateRevocationList(rand.Reader, l, &by, p.by.key)
	if err != nil {
		p.t.Errorf("make a CRL: %v", err)
	}
	return der
}

func (p *Publisher) respond(question []byte) []byte {
	asked, err := ocsp.ParseRequest(question)
	if err != nil {
		p.t.Errorf("question: %v", err)
		return ocsp.MalformedRequestErrorResponse
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: asked.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour), IssuerHash: asked.HashAlgorithm}
	if e, ok := p.revoked[asked.SerialNumber.String()]; ok {
		r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, e.RevocationTime, e.ReasonCode
	}
	if p.answer != nil {
		p.answer(&r)
	}
	responder, key := p.by.Cert, p.by.key
	if p.delegate != nil {
		responder, key = p.delegate.Cert, p.delegate.Key
		r.Certificate = responder
	}
	der, err := ocsp.CreateResponse(p.by.Cert, responder, r, key)
	if err != nil {
		p.t.Errorf("make an answer: %v", err)
	}
	return der
}

// Below makes an authority under this one, of a template for a certificate.
func (a *Authority) Below(t testing.TB, template *x509.Certificate) *Authority {
	t.Helper()
	template.IsCA, template.BasicConstraintsValid = true, true
	if template.KeyUsage == x509.KeyUsageDigitalSignature { // that of Template
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	template.ExtKeyUsage, template.DNSNames, template.IPAddresses = nil, nil, nil
	b := &Authority{dir: t.TempDir(), above: a}
	b.Cert, b.key = issue(t, a, template)
	return b
}

// Signs makes a pair out of the authority: for who signs in its name.
func (a *Authority) Signs() Pair { return Pair{a.Cert, a.key} }

// Nowhere is an address of a list at which nobody listens.
func Nowhere(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/crl"
}
