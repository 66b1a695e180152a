package revocation_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holt/server/secure/revocation"
	"holt/server/secure/securetest"
)

// certs are chains as a handshake has verified them.
type certs = []*x509.Certificate

func check(c *revocation.Checker, chain ...*x509.Certificate) error {
	return c.Check(context.Background(), []certs{chain})
}

// refused wants the error to be one of the package with all of these texts in its cause.
func refused(t *testing.T, err error, revoked bool, texts ...string) {
	t.Helper()
	var e *revocation.Error
	if !errors.As(err, &e) {
		t.Errorf("not refused: %v", err)
		return
	}
	if (e.Revoked != nil) != revoked {
		t.Errorf("revoked %v: %v", e.Revoked, err)
	}
	for _, text := range texts {
		if !strings.Contains(e.Cause(), text) {
			t.Errorf("cause %q lacks %q", e.Cause(), text)
		}
	}
	for _, cause := range e.Unwrap() {
		for line := range strings.Lines(cause.Error()) {
			if strings.Count(line, "://") > 1 {
				t.Errorf("an address twice: %q", line)
			}
		}
	}
	if e.Remedy() == "" || strings.Contains(e.Cause()+e.Remedy(), "\n") {
		t.Errorf("not one line: %q, %q", e.Cause(), e.Remedy())
	}
}

// TestLists is what a list, or the lack of one, does to a certificate that is not revoked, or is.
func TestLists(t *testing.T) {
	type setting struct {
		p     *securetest.Publisher
		leaf  *x509.Certificate // a template, to be changed
		limit int64
		wait  time.Duration
	}
	extend := func(e func(s *setting) pkix.Extension) func(*testing.T, *setting) {
		return func(_ *testing.T, s *setting) {
			ext := e(s)
			s.p.ChangeList(func(l *x509.RevocationList) { l.ExtraExtensions = append(l.ExtraExtensions, ext) })
		}
	}
	instead := func(h http.HandlerFunc) func(*testing.T, *setting) {
		return func(_ *testing.T, s *setting) { s.p.Instead(h) }
	}
	dates := func(from, until time.Duration) func(*testing.T, *setting) {
		return func(_ *testing.T, s *setting) {
			s.p.ChangeList(func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = time.Now().Add(from), time.Now().Add(until) })
		}
	}
	for name, tt := range map[string]struct {
		set    func(*testing.T, *setting)
		refuse string // the cause if the certificate is not revoked; "" if it is then accepted
		blind  bool   // a revoked certificate is refused for the same cause
	}{
		"a list":      {set: func(*testing.T, *setting) {}},
		"no address":  {set: func(_ *testing.T, s *setting) { s.leaf.CRLDistributionPoints = nil }, refuse: "it names no address of a CRL", blind: true},
		"LDAP":        {set: func(_ *testing.T, s *setting) { s.leaf.CRLDistributionPoints = []string{"ldap://127.0.0.1/cn=a"} }, refuse: "CRL ldap://127.0.0.1/cn=a: not an address of http or https", blind: true},
		"a file":      {set: func(_ *testing.T, s *setting) { s.leaf.CRLDistributionPoints = []string{"file:///etc/passwd"} }, refuse: "not an address of http", blind: true},
		"unreachable": {set: func(t *testing.T, s *setting) { s.leaf.CRLDistributionPoints = []string{securetest.Nowhere(t)} }, refuse: "connection refused", blind: true},
		"second address": {set: func(t *testing.T, s *setting) {
			s.leaf.CRLDistributionPoints = []string{securetest.Nowhere(t), s.p.CRL()}
		}},
		"not there":      {set: instead(http.NotFound), refuse: "HTTP status 404", blind: true},
		"nothing":        {set: instead(func(http.ResponseWriter, *http.Request) {}), refuse: "not a CRL", blind: true},
		"a page":         {set: instead(func(w http.ResponseWriter, _ *http.Request) { say(w, "<html>log in first</html>") }), refuse: "not a CRL", blind: true},
		"out of date":    {set: dates(-3*time.Hour, -revocation.Skew-time.Minute), refuse: "it is out of date since", blind: true},
		"just out":       {set: dates(-3*time.Hour, -revocation.Skew+time.Minute)},
		"of tomorrow":    {set: dates(24*time.Hour, 25*time.Hour), refuse: "on only", blind: true},
		"a clock behind": {set: dates(revocation.Skew-time.Minute, time.Hour)},
		"too large":      {set: func(_ *testing.T, s *setting) { s.limit = 100 }, refuse: "larger than 100 bytes", blind: true},
		"endless": {set: func(t *testing.T, s *setting) {
			s.limit = 1 << 16
			instead(func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 4096)); err != nil {
						return
					}
				}
			})(t, s)
		}, refuse: "larger than 65536 bytes", blind: true},
		"slow": {set: func(t *testing.T, s *setting) {
			s.wait = 50 * time.Millisecond
			instead(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			})(t, s)
		}, refuse: "no answer within 50ms", blind: true},
		"PEM": {set: func(t *testing.T, s *setting) {
			instead(func(w http.ResponseWriter, _ *http.Request) {
				say(w, string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: s.p.List()})))
			})(t, s)
		}},
		"redirected": {set: func(t *testing.T, s *setting) {
			instead(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == "" {
					http.Redirect(w, r, "/crl?there", http.StatusFound)
					return
				}
				say(w, string(s.p.List()))
			})(t, s)
		}},
		"redirected for ever": {set: instead(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }), refuse: "too many redirects", blind: true},
		"redirected to a file": {set: instead(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}), refuse: "not an address of http", blind: true},
		"another authority's": {set: func(t *testing.T, s *setting) {
			other := securetest.New(t, "theirs").Publish(t)
			s.leaf.CRLDistributionPoints = []string{other.CRL()}
		}, refuse: "it is the list of another authority", blind: true},
		"of the same name": {set: func(t *testing.T, s *setting) {
			other := securetest.New(t, "ours").Publish(t)
			s.leaf.CRLDistributionPoints = []string{other.CRL()}
		}, refuse: "not signed by the certificate's authority", blind: true},
		"for users":           {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, "", securetest.OnlyUsers) })},
		"for authorities":     {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, "", securetest.OnlyAuthorities) }), refuse: "of another kind", blind: true},
		"for attributes":      {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, "", securetest.OnlyAttributes) }), refuse: "of another kind", blind: true},
		"for some reasons":    {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, "", securetest.SomeReasons) }), refuse: "some reasons", blind: true},
		"indirect":            {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, "", securetest.Indirect) }), refuse: "indirect", blind: true},
		"for this address":    {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, s.p.CRL(), securetest.OnlyUsers) })},
		"for another address": {set: extend(func(s *setting) pkix.Extension { return securetest.Scope(t, s.p.CRL()+"2") }), refuse: "another address", blind: true},
		"a delta": {set: extend(func(s *setting) pkix.Extension {
			return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
		}), refuse: "critical extension 2.5.29.27", blind: true},
		"damaged scope": {set: extend(func(s *setting) pkix.Extension {
			return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{4, 1, 1}}
		}), refuse: "issuing distribution point", blind: true},
	} {
		for _, revoked := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", good", true: ", revoked"}[revoked], func(t *testing.T) {
				t.Parallel()
				ca := securetest.New(t, "ours")
				s := &setting{p: ca.Publish(t)}
				s.leaf = s.p.Template("client")
				tt.set(t, s)
				leaf := ca.Issue(t, s.leaf).Cert
				s.p.Revoke(ca.Issue(t, securetest.Template("somebody else")).Cert)
				if revoked {
					s.p.Revoke(leaf)
				}
				c := revocation.New(revocation.Options{}.WithLimits(s.limit, 0, s.wait))
				err := check(c, leaf, ca.Cert)
				switch {
				case revoked && !tt.blind:
					refused(t, err, true, "certificate CN=client,O=Holt, serial 0x", "was revoked at ", "(key compromise), says CRL http://")
				case tt.refuse != "":
					refused(t, err, false, "nobody tells whether certificate CN=client,O=Holt, serial 0x", tt.refuse)
				case err != nil:
					t.Error(err)
				}
			})
		}
	}
}

func say(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) } // who asked has gone away

// TestChains has an authority in between: it is asked about first, and if it is revoked, nobody is asked
// where it says.
func TestChains(t *testing.T) {
	top := securetest.New(t, "top")
	above := top.Publish(t)
	middle := top.Below(t, above.Template("middle"))
	below := middle.Publish(t)
	leaf := middle.Issue(t, below.Template("client")).Cert
	c := revocation.New(revocation.Options{})
	if err := check(c, leaf, middle.Cert, top.Cert); err != nil {
		t.Fatal(err)
	}
	above.Revoke(middle.Cert)
	refused(t, check(revocation.New(revocation.Options{}), leaf, middle.Cert, top.Cert), true, "CN=middle", "was revoked")
	if lists, _ := below.Asked(); lists != 1 {
		t.Errorf("the revoked authority's list was asked for: %d requests", lists)
	}
	// Who trusts the authority in between is not told by the one above it; nor is who trusts the peer.
	for _, chain := range []certs{{leaf, middle.Cert}, {middle.Cert}, {leaf}} {
		if err := check(revocation.New(revocation.Options{}), chain...); err != nil {
			t.Error(err)
		}
	}
	// Of two ways the one that stands counts.
	err := revocation.New(revocation.Options{}).Check(t.Context(), []certs{{leaf, middle.Cert, top.Cert}, {leaf, middle.Cert}})
	if err != nil {
		t.Error(err)
	}
	below.Revoke(leaf)
	err = revocation.New(revocation.Options{}).Check(t.Context(), []certs{{leaf, middle.Cert, top.Cert}, {leaf, middle.Cert}})
	refused(t, err, true, "CN=client")
	if err := revocation.New(revocation.Options{}).Check(t.Context(), nil); err == nil {
		t.Error("no chain at all is accepted")
	}
	s := c.Stats()
	if s.Passed != 1 || s.Downloads != 2 || s.Revoked+s.Undetermined+s.Failed != 0 {
		t.Errorf("counted %+v", s)
	}
}

// TestWhoSignsLists has authorities that say of themselves what they sign: the one that is trusted may sign lists
// whatever it says, one in between if it does not say otherwise.
func TestWhoSignsLists(t *testing.T) {
	top := securetest.New(t, "top") // says certificates alone, see TestLists
	above := top.Publish(t)
	template := above.Template("middle")
	template.KeyUsage = x509.KeyUsageCertSign
	middle := top.Below(t, template)
	leaf := middle.Issue(t, middle.Publish(t).Template("client")).Cert
	refused(t, check(revocation.New(revocation.Options{}), leaf, middle.Cert, top.Cert), false, "CN=client", "not signed by the certificate's authority")
	if err := check(revocation.New(revocation.Options{}), leaf, middle.Cert); err != nil {
		t.Errorf("trusted: %v", err)
	}
}

// TestRemedies are for different causes different, and say nothing of what the certificate says.
func TestRemedies(t *testing.T) {
	ca := securetest.New(t, "ours")
	p := ca.Publish(t)
	p.Instead(http.NotFound)
	with, without := ca.Issue(t, p.Template("with")).Cert, ca.Issue(t, securetest.Template("without")).Cert
	seen := map[string]bool{}
	for _, ocsp := range []bool{false, true} {
		for _, cert := range []*x509.Certificate{with, without} {
			err := check(revocation.New(revocation.Options{OCSP: ocsp}), cert, ca.Cert)
			var e *revocation.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if seen[e.Remedy()] || strings.Contains(e.Remedy(), p.URL) {
				t.Errorf("remedy %q", e.Remedy())
			}
			seen[e.Remedy()] = true
		}
	}
}
