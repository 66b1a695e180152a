package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/secure/securetest"
	"holt/wire/client"
)

// comer is a client with a certificate that a publisher speaks of. A case changes any of it.
type comer struct {
	t        *testing.T
	ca       *securetest.Authority
	p        *securetest.Publisher
	template *x509.Certificate
	revoked  bool
	by       *securetest.Authority // who issues; ca unless a case says otherwise
	chain    []*x509.Certificate   // comes along with the certificate
}

func (c *comer) list(f func(*x509.RevocationList)) { c.p.ChangeList(f) }
func (c *comer) dates(from, until time.Duration) {
	c.list(func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = time.Now().Add(from), time.Now().Add(until) })
}
func (c *comer) extend(e pkix.Extension) {
	c.list(func(l *x509.RevocationList) { l.ExtraExtensions = append(l.ExtraExtensions, e) })
}
func (c *comer) instead(h http.HandlerFunc) { c.p.Instead(h) }

// noResponder fails each question, and serves lists.
func (c *comer) noResponder(w func(http.ResponseWriter)) {
	c.instead(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/ocsp") {
			w(rw)
			return
		}
		put(rw, c.p.List())
	})
}

func put(w io.Writer, b []byte) { _, _ = w.Write(b) } // who asked has gone away

// middle puts an authority in between, of which change may change what is published. The certificate is
// issued by it, with a publisher of its own.
func (c *comer) middle(change func(template *x509.Certificate, p *securetest.Publisher)) *securetest.Authority {
	template := c.p.Template("middle")
	change(template, c.p)
	c.by = c.ca.Below(c.t, template)
	c.chain = []*x509.Certificate{c.by.Cert}
	c.template = c.by.Publish(c.t).Template("client")
	return c.by
}

// delegate signs answers.
func (c *comer) delegate(by *securetest.Authority, use x509.ExtKeyUsage) {
	d := securetest.Template("responder")
	d.ExtKeyUsage = []x509.ExtKeyUsage{use}
	c.p.Delegate(by.Issue(c.t, d))
}

// outcome is what a server does with a comer.
type outcome struct {
	name string
	set  func(c *comer)
	in   bool // let in
	// differs says why Holt does the opposite; "" if it does not.
	differs string
}

// listOutcomes are those with ssl.crl=true.
func listOutcomes() []outcome {
	return []outcome{
		{"good", func(*comer) {}, true, ""},
		{"revoked", func(c *comer) { c.revoked = true }, false, ""},
		{"no address", func(c *comer) { c.template.CRLDistributionPoints = nil }, false, ""},
		{"unreachable", func(c *comer) { c.template.CRLDistributionPoints = []string{securetest.Nowhere(c.t)} }, false, ""},
		{"second of two points", func(c *comer) { c.template.CRLDistributionPoints = []string{securetest.Nowhere(c.t), c.p.CRL()} }, false,
			"Java gives up at the first point that cannot be reached; the next one is as good."},
		{"not there", func(c *comer) { c.instead(http.NotFound) }, false, ""},
		{"a page", func(c *comer) { c.instead(func(w http.ResponseWriter, _ *http.Request) { put(w, []byte("<html>")) }) }, false, ""},
		{"PEM", func(c *comer) {
			c.instead(func(w http.ResponseWriter, _ *http.Request) {
				put(w, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: c.p.List()}))
			})
		}, true, ""},
		{"redirected", func(c *comer) {
			c.instead(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == "" {
					http.Redirect(w, r, "/crl?there", http.StatusFound)
					return
				}
				put(w, c.p.List())
			})
		}, true, ""},
		{"out of date", func(c *comer) { c.dates(-2*time.Hour, -20*time.Minute) }, false, ""},
		{"just out of date", func(c *comer) { c.dates(-2*time.Hour, -10*time.Minute) }, true, ""},
		{"of tomorrow", func(c *comer) { c.dates(24*time.Hour, 48*time.Hour) }, false, ""},
		{"of soon", func(c *comer) { c.dates(10*time.Minute, time.Hour) }, true, ""},
		{"another authority's list", func(c *comer) {
			c.template.CRLDistributionPoints = []string{securetest.New(c.t, "another").Publish(c.t).CRL()}
		}, false, ""},
		{"a list by another of the name", func(c *comer) {
			c.template.CRLDistributionPoints = []string{securetest.New(c.t, "authority").Publish(c.t).CRL()}
		}, false, ""},
		{"for users", func(c *comer) { c.extend(securetest.Scope(c.t, "", securetest.OnlyUsers)) }, true, ""},
		{"for authorities", func(c *comer) { c.extend(securetest.Scope(c.t, "", securetest.OnlyAuthorities)) }, false, ""},
		{"for attributes", func(c *comer) { c.extend(securetest.Scope(c.t, "", securetest.OnlyAttributes)) }, false, ""},
		{"for some reasons", func(c *comer) { c.extend(securetest.Scope(c.t, "", securetest.SomeReasons)) }, false, ""},
		{"for this address", func(c *comer) { c.extend(securetest.Scope(c.t, c.p.CRL())) }, true, ""},
		{"for another address", func(c *comer) { c.extend(securetest.Scope(c.t, c.p.CRL()+"2")) }, false, ""},
		{"a delta", func(c *comer) {
			c.extend(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}})
		}, false, ""},
		{"revoked tomorrow", func(c *comer) {
			c.revoked = true
			c.list(func(l *x509.RevocationList) {
				for i := range l.RevokedCertificateEntries {
					l.RevokedCertificateEntries[i].RevocationTime = time.Now().Add(24 * time.Hour)
				}
			})
		}, true, "Who is in the list is refused, whatever the time of his revocation."},
		{"good, under one in between", func(c *comer) { c.middle(func(*x509.Certificate, *securetest.Publisher) {}) }, true, ""},
		{"under one revoked", func(c *comer) { c.p.Revoke(c.middle(func(*x509.Certificate, *securetest.Publisher) {}).Cert) }, false, ""},
		{"under one without an address", func(c *comer) {
			c.middle(func(x *x509.Certificate, _ *securetest.Publisher) { x.CRLDistributionPoints = nil })
		}, false, ""},
		{"under one that does not sign lists", func(c *comer) {
			c.middle(func(x *x509.Certificate, _ *securetest.Publisher) { x.KeyUsage = x509.KeyUsageCertSign })
		}, false, ""},
	}
}

// answerOutcomes are those with ssl.ocsp=true.
func answerOutcomes() []outcome {
	unlisted := func(f func(c *comer)) func(c *comer) {
		return func(c *comer) { c.template.CRLDistributionPoints = nil; f(c) }
	}
	revoked := func(f func(c *comer)) func(c *comer) { return func(c *comer) { c.revoked = true; f(c) } }
	unknown := func(c *comer) { c.p.ChangeAnswer(func(r *ocsp.Response) { r.Status = ocsp.Unknown }) }
	silent := func(c *comer) { c.noResponder(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }) }
	later := func(c *comer) { c.noResponder(func(w http.ResponseWriter) { put(w, ocsp.TryLaterErrorResponse) }) }
	none := func(c *comer) { c.template.OCSPServer = nil }
	old := func(c *comer) {
		c.p.ChangeAnswer(func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(-2*time.Hour), time.Now().Add(-20*time.Minute)
		})
	}
	return []outcome{
		{"good", unlisted(func(*comer) {}), true, ""},
		{"revoked", unlisted(revoked(func(*comer) {})), false, ""},
		{"unknown", unlisted(unknown), false, ""},
		{"unknown, listed", unknown, true, ""},
		{"unknown, revoked by list", revoked(unknown), false, ""},
		{"silent", unlisted(silent), false, ""},
		{"silent, listed", silent, true, ""},
		{"silent, revoked by list", revoked(silent), false, ""},
		{"later", unlisted(later), false, ""},
		{"later, listed", later, true, ""},
		{"no responder", unlisted(none), false, ""},
		{"no responder, listed", none, true, ""},
		{"no responder, revoked by list", revoked(none), false, ""},
		{"out of date", unlisted(old), false, ""},
		{"good until further notice", unlisted(func(c *comer) { c.p.ChangeAnswer(func(r *ocsp.Response) { r.NextUpdate = time.Time{} }) }), true, ""},
		{"by another authority", unlisted(func(c *comer) {
			c.template.OCSPServer = []string{securetest.New(c.t, "another").Publish(c.t).OCSP()}
		}), false, ""},
		{"the authority's certificate along", unlisted(func(c *comer) { c.p.Delegate(c.ca.Signs()) }), true, ""},
		{"by a delegate", unlisted(func(c *comer) { c.delegate(c.ca, x509.ExtKeyUsageOCSPSigning) }), true, ""},
		{"revoked by a delegate", unlisted(revoked(func(c *comer) { c.delegate(c.ca, x509.ExtKeyUsageOCSPSigning) })), false, ""},
		{"by a delegate for something else", unlisted(func(c *comer) { c.delegate(c.ca, x509.ExtKeyUsageServerAuth) }), false, ""},
		{"by another authority's delegate", unlisted(func(c *comer) {
			c.delegate(securetest.New(c.t, "another"), x509.ExtKeyUsageOCSPSigning)
		}), false, ""},
		{"by a delegate of the name", unlisted(func(c *comer) {
			c.delegate(securetest.New(c.t, "authority"), x509.ExtKeyUsageOCSPSigning)
		}), false, ""},
		{"good, under one revoked", func(c *comer) { c.p.Revoke(c.middle(func(*x509.Certificate, *securetest.Publisher) {}).Cert) }, false, ""},
		{"good, under one in between", func(c *comer) { c.middle(func(*x509.Certificate, *securetest.Publisher) {}) }, true, ""},
	}
}

// TestRevocationOutcomes has certificates come whose authorities tell this and that, to a server
// with ssl.crl=true and to one with ssl.ocsp=true. Against Apache ZooKeeper it shows that the table is right.
func TestRevocationOutcomes(t *testing.T) {
	kind := target.Kind(t)
	for _, part := range []struct {
		setting  string
		outcomes []outcome
	}{{"ssl.crl=true", listOutcomes()}, {"ssl.ocsp=true", answerOutcomes()}} {
		t.Run(part.setting, func(t *testing.T) {
			s := startRevocation(t, part.setting)
			for _, o := range part.outcomes {
				c := &comer{t: t, ca: s.ca, p: s.ca.Publish(t), by: s.ca}
				c.template = c.p.Template("client")
				o.set(c)
				pair := c.by.Issue(t, c.template)
				if c.revoked {
					c.p.Revoke(pair.Cert)
				}
				want := o.in
				if kind == ensemble.Holt && o.differs != "" {
					want = !want
				}
				if err := s.visit(pair, c.chain); (err == nil) != want {
					t.Errorf("%s: %v, want let in %v", o.name, err, want)
				}
			}
			// Who is trusted himself is not asked about.
			if err := s.visit(s.trusted, nil); err != nil {
				t.Errorf("trusted: %v", err)
			}
		})
	}
}

// revocationServer is one member with a port for TLS that asks about revocation.
type revocationServer struct {
	t       *testing.T
	ca      *securetest.Authority
	p       *securetest.Publisher // of the member's own certificate
	own     *x509.Certificate
	trusted securetest.Pair // in the trust store itself, revoked by its issuer
	trust   string
	addr    string
	e       *ensemble.Ensemble
}

func startRevocation(t *testing.T, settings ...string) *revocationServer {
	t.Helper()
	s := &revocationServer{t: t, ca: securetest.New(t, "authority")}
	s.p = s.ca.Publish(t)
	other := securetest.New(t, "another")
	strange := other.Publish(t)
	s.trusted = other.Issue(t, strange.Template("trusted"))
	strange.Revoke(s.trusted.Cert)
	s.trust = s.ca.Write(t, "trust.pem", securetest.CertPEM(s.ca.Cert)+s.trusted.CertPEM())
	own := s.ca.Issue(t, s.p.Template("server"))
	s.own = own.Cert
	s.e = target.Start(t, ensemble.Config{Secure: true, HeapMiB: 200, Settings: append([]string{
		"ssl.keyStore.location=" + s.ca.Write(t, "server.pem", own.KeyPEM()+own.CertPEM()), "ssl.trustStore.location=" + s.trust,
	}, settings...)})
	s.addr = s.e.Members()[0].SecureAddr()
	// The original opens this port after the one that tells that it serves.
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
			return s
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// visit makes a session with a certificate. With TLS 1.3 the refusal may come after the
// client's own part of the handshake.
func (s *revocationServer) visit(pair securetest.Pair, chain []*x509.Certificate) error {
	cert := tls.Certificate{Certificate: [][]byte{pair.Cert.Raw}, PrivateKey: pair.Key}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, s.addr, client.Options{TLS: &tls.Config{InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}})
	if err == nil {
		c.Abort()
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" || ctx.Err() != nil {
		s.t.Fatalf("neither let in nor refused: %v", err)
	}
	return err
}

// TestRevokedPrograms has zkCli.sh and zkcli come with a good and a revoked certificate to a server that asks, and ask about
// the server's own themselves.
func TestRevokedPrograms(t *testing.T) {
	target.Kind(t)
	o := original(t)
	ours := filepath.Join(t.TempDir(), "zkcli")
	command(t, "go", "build", "-o", ours, "holt/cmd/zkcli")
	for _, setting := range []string{"crl", "ocsp"} {
		s := startRevocation(t, "ssl."+setting+"=true")
		revoked := s.ca.Issue(t, s.p.Template("revoked"))
		s.p.Revoke(revoked.Cert)
		ls := func(pair securetest.Pair, asks bool) map[string]error {
			file := filepath.Join(t.TempDir(), "client.cfg")
			text := fmt.Sprintf("zookeeper.client.secure=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\nzookeeper.ssl.%s=%v\n"+
				"zookeeper.ssl.keyStore.location=%s\nzookeeper.ssl.trustStore.location=%s\n",
				setting, asks, s.ca.Write(t, "client.pem", pair.KeyPEM()+pair.CertPEM()), s.trust)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			errs := map[string]error{}
			args := []string{"-timeout", "4000", "-server", strings.Replace(s.addr, "127.0.0.1", "localhost", 1), "-client-configuration", file, "ls", "/"}
			for name, cmd := range map[string]*exec.Cmd{"zkCli.sh": o.CLI(args...), "zkcli": exec.Command(ours, args...)} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				out, err := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...).CombinedOutput()
				cancel()
				if err == nil && !strings.Contains(string(out), "[zookeeper]") {
					err = fmt.Errorf("no answer: %s", out)
				} else if err != nil {
					err = fmt.Errorf("%w: %s", err, out)
				}
				errs[name] = err
			}
			return errs
		}
		good := s.ca.Issue(t, s.p.Template("good"))
		for name, err := range ls(good, true) {
			if err != nil {
				t.Errorf("%s, %s: %v", setting, name, err)
			}
		}
		for name, err := range ls(revoked, false) {
			if err == nil {
				t.Errorf("%s, %s: let in with a revoked certificate", setting, name)
			}
		}
		s.p.Revoke(s.own)
		for name, err := range ls(good, true) {
			if err == nil {
				t.Errorf("%s, %s: talks to a server with a revoked certificate", setting, name)
			}
			if name == "zkcli" && (err == nil || !strings.Contains(err.Error(), "certificate CN=server,O=Holt, serial 0x")) {
				t.Errorf("%s, %s: %v", setting, name, err)
			}
		}
	}
}

// TestRevokedMembers revokes the certificate of the members of an ensemble with ssl.quorum.crl=true: one that was started
// again comes back before, and does not after.
func TestRevokedMembers(t *testing.T) {
	target.Kind(t)
	ca := securetest.New(t, "authority")
	p := ca.Publish(t)
	pair := ca.Issue(t, p.Template("member"))
	e := target.Start(t, ensemble.Config{Members: 3, HeapMiB: 200, Settings: []string{"sslQuorum=true", "ssl.quorum.crl=true",
		"ssl.quorum.keyStore.location=" + ca.Write(t, "member.pem", pair.KeyPEM()+pair.CertPEM()), "ssl.quorum.trustStore.location=" + ca.TrustStore(t)}})
	leader := target.Leader(t, e)
	var m *ensemble.Member
	for _, m = range e.Members() {
		if m != leader {
			break
		}
	}
	again := func(patience time.Duration) error {
		if err := errors.Join(m.Stop(), m.Start()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return m.Ready(ctx)
	}
	if err := again(time.Minute); err != nil {
		t.Fatal(err)
	}
	p.Revoke(pair.Cert)
	before, _ := p.Asked()
	if err := again(10 * time.Second); err == nil {
		t.Error("a member believes in members whose certificate is revoked")
	}
	if lists, _ := p.Asked(); lists == before {
		t.Error("it did not ask")
	}
	if got, err := os.ReadFile(m.LogPath()); err != nil || target.Kind(t) == ensemble.Holt && !strings.Contains(string(got), "certificate CN=member,O=Holt, serial 0x") {
		t.Errorf("no line about it: %v\n%s", err, got)
	}
}
