package revocation_test

import (
	"crypto/x509"
	"encoding/asn1"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"holt/server/secure/revocation"
	"holt/server/secure/securetest"
)

// TestAnswers is what an answer does to a certificate that has no list, and to one that has:
// without an answer of use the list decides.
func TestAnswers(t *testing.T) {
	type setting struct {
		ca   *securetest.Authority
		p    *securetest.Publisher
		leaf *x509.Certificate // a template, to be changed
	}
	change := func(f func(*ocsp.Response)) func(*testing.T, *setting) {
		return func(_ *testing.T, s *setting) { s.p.ChangeAnswer(f) }
	}
	answers := func(h http.HandlerFunc) func(*testing.T, *setting) {
		return func(_ *testing.T, s *setting) {
			s.p.Instead(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					h(w, r)
					return
				}
				say(w, string(s.p.List()))
			})
		}
	}
	delegate := func(f func(t *testing.T, s *setting, c *x509.Certificate) *securetest.Authority) func(*testing.T, *setting) {
		return func(t *testing.T, s *setting) {
			c := securetest.Template("responder")
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
			s.p.Delegate(f(t, s, c).Issue(t, c))
		}
	}
	for name, tt := range map[string]struct {
		set   func(*testing.T, *setting)
		cause string // why the answer is of no use; "": it is
	}{
		"an answer":    {set: func(*testing.T, *setting) {}},
		"no responder": {set: func(_ *testing.T, s *setting) { s.leaf.OCSPServer = nil }, cause: "it names no OCSP responder"},
		"unreachable":  {set: func(t *testing.T, s *setting) { s.leaf.OCSPServer = []string{securetest.Nowhere(t)} }, cause: "connection refused"},
		"second one":   {set: func(t *testing.T, s *setting) { s.leaf.OCSPServer = []string{securetest.Nowhere(t), s.p.OCSP()} }},
		"unknown":      {set: change(func(r *ocsp.Response) { r.Status = ocsp.Unknown }), cause: "it does not know the certificate"},
		"try later":    {set: answers(func(w http.ResponseWriter, _ *http.Request) { say(w, string(ocsp.TryLaterErrorResponse)) }), cause: "it refuses to answer: try later"},
		"nothing":      {set: answers(func(http.ResponseWriter, *http.Request) {}), cause: "not an answer of OCSP"},
		"too large":    {set: answers(func(w http.ResponseWriter, _ *http.Request) { say(w, string(make([]byte, 65<<10))) }), cause: "larger than 65536 bytes"},
		"out of date": {set: change(func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(-2*time.Hour), time.Now().Add(-revocation.Skew-time.Minute)
		}), cause: "out of date"},
		"old without an end": {set: change(func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = time.Now().Add(-time.Hour), time.Time{} }), cause: "out of date"},
		"new without an end": {set: change(func(r *ocsp.Response) { r.NextUpdate = time.Time{} })},
		"of tomorrow": {set: change(func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
		}),
			cause: "on only"},
		"about another number": {set: change(func(r *ocsp.Response) { r.SerialNumber = r.SerialNumber.Add(r.SerialNumber, r.SerialNumber) }), cause: "not an answer of OCSP"},
		"another authority's": {set: func(t *testing.T, s *setting) {
			s.leaf.OCSPServer = []string{securetest.New(t, "theirs").Publish(t).OCSP()}
		}, cause: "not signed by the certificate's authority"},
		"a delegate": {set: delegate(func(_ *testing.T, s *setting, _ *x509.Certificate) *securetest.Authority { return s.ca })},
		"a delegate for something else": {set: delegate(func(_ *testing.T, s *setting, c *x509.Certificate) *securetest.Authority {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			return s.ca
		}), cause: "not made for signing answers"},
		"a delegate of before": {set: delegate(func(_ *testing.T, s *setting, c *x509.Certificate) *securetest.Authority {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			return s.ca
		}), cause: "not valid now"},
		"a delegate of another authority": {set: delegate(func(t *testing.T, _ *setting, _ *x509.Certificate) *securetest.Authority {
			return securetest.New(t, "theirs")
		}), cause: "another authority's"},
		"a delegate of the same name": {set: delegate(func(t *testing.T, _ *setting, _ *x509.Certificate) *securetest.Authority {
			return securetest.New(t, "ours")
		}), cause: "not signed by the certificate's authority"},
		"the authority's certificate along": {set: func(_ *testing.T, s *setting) { s.p.Delegate(s.ca.Signs()) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := securetest.New(t, "ours")
			issue := func(listed bool) (*x509.Certificate, *securetest.Publisher) {
				s := &setting{ca: ca, p: ca.Publish(t)}
				s.leaf = s.p.Template("client")
				tt.set(t, s)
				if !listed {
					s.leaf.CRLDistributionPoints = nil
				}
				return ca.Issue(t, s.leaf).Cert, s.p
			}
			fresh := func() *revocation.Checker { return revocation.New(revocation.Options{OCSP: true}) }
			alone, p := issue(false)
			err := check(fresh(), alone, ca.Cert)
			if tt.cause == "" && err != nil {
				t.Error(err)
			} else if tt.cause != "" {
				refused(t, err, false, tt.cause, "it names no address of a CRL")
			}
			p.Revoke(alone)
			if err = check(fresh(), alone, ca.Cert); tt.cause == "" {
				refused(t, err, true, "serial 0x", "(key compromise), says OCSP responder http://")
			} else {
				refused(t, err, false, tt.cause)
			}
			listed, p := issue(true)
			if err := check(fresh(), listed, ca.Cert); err != nil {
				t.Error(err)
			}
			p.Revoke(listed)
			says := "says OCSP responder http://"
			if tt.cause != "" {
				says = "says CRL http://"
			}
			refused(t, check(fresh(), listed, ca.Cert), true, says)
		})
	}
}

// TestForeignAnswer is signed by the certificate's authority, with the number of the certificate, but about the
// certificate of another authority.
func TestForeignAnswer(t *testing.T) {
	ca, other := securetest.New(t, "ours"), securetest.New(t, "theirs")
	p := ca.Publish(t)
	leaf := ca.Issue(t, p.Template("client")).Cert
	now := time.Now()
	answer := ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for _, about := range []*securetest.Authority{ca, other} {
		der, err := ocsp.CreateResponse(about.Cert, ca.Cert, answer, ca.Signs().Key)
		if err != nil {
			t.Fatal(err)
		}
		err = revocation.ReadAnswer(der, leaf, ca.Cert, now)
		if (err == nil) != (about == ca) {
			t.Errorf("about %v: %v", about.Cert.Subject, err)
		}
	}
}

// FuzzAnswer feeds the parser; only what the authority has signed may pass.
func FuzzAnswer(f *testing.F) {
	ca := securetest.New(f, "ours")
	leaf := ca.Issue(f, securetest.Template("client"))
	now := time.Now()
	signed := map[string]bool{}
	for _, answer := range []ocsp.Response{
		{Status: ocsp.Good, SerialNumber: leaf.Cert.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour)},
		{Status: ocsp.Revoked, SerialNumber: leaf.Cert.SerialNumber, ThisUpdate: now, RevokedAt: now, Certificate: ca.Cert},
	} {
		der, err := ocsp.CreateResponse(ca.Cert, ca.Cert, answer, ca.Signs().Key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
		signed[string(signedPart(f, der))] = true
	}
	f.Add(ocsp.UnauthorizedErrorResponse)
	f.Fuzz(func(t *testing.T, der []byte) {
		if revocation.ReadAnswer(der, leaf.Cert, ca.Cert, now) == nil && !signed[string(signedPart(t, der))] {
			t.Error("taken, and not signed by the authority")
		}
	})
}

// signedPart are the bytes of an answer that its signature is about.
func signedPart(t testing.TB, der []byte) []byte {
	t.Helper()
	r, err := ocsp.ParseResponse(der, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.TBSResponseData
}

// FuzzList feeds the parser of lists; only what the authority has signed may pass.
func FuzzList(f *testing.F) {
	ca := securetest.New(f, "ours")
	p := ca.Publish(f)
	leaf := ca.Issue(f, p.Template("client")).Cert
	p.Revoke(ca.Issue(f, p.Template("other")).Cert)
	list := p.List()
	f.Add(list)
	signed, err := x509.ParseRevocationList(list)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if revocation.ReadList(data, leaf, ca.Cert) != nil {
			return
		}
		got, err := x509.ParseRevocationList(data)
		if err == nil && string(got.RawTBSRevocationList) != string(signed.RawTBSRevocationList) {
			t.Error("taken, and not signed by the authority")
		}
	})
}

// FuzzScope feeds the parser of issuing distribution points.
func FuzzScope(f *testing.F) {
	for _, tags := range [][]byte{
		{0x30, 0},
		{0x30, 3, 0x81, 1, 0xff},
		{0x30, 9, 0xa0, 7, 0xa0, 5, 0x86, 3, 'u', ':', 'x'},
		{0x30, 4, 0x83, 2, 6, 0x40},
	} {
		f.Add(tags)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		addresses, err := revocation.ReadScope(der)
		if err == nil && len(addresses) > len(der) {
			t.Errorf("%d addresses of %d bytes", len(addresses), len(der))
		}
		var any asn1.RawValue
		if _, bad := asn1.Unmarshal(der, &any); bad != nil && err == nil {
			t.Error("taken, and not DER")
		}
	})
}
