package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/server/secure/securetest"
)

// TestKillsInCertificateReload replaces the file of key and certificate the way an operator should not, in place
// and bit by bit. In each state of the file a member that runs keeps the certificate that it has, and says so
// in one line, or takes the new one; killed and started again it serves what the file holds, or does not
// start and says in one line what is wrong with it. When the file is whole, it serves the new one.
func TestKillsInCertificateReload(t *testing.T) {
	ca := securetest.New(t, "ours")
	before, after := ca.Issue(t, securetest.Template("before")), ca.Issue(t, securetest.Template("after"))
	whole := func(p securetest.Pair) string { return p.KeyPEM() + p.CertPEM() }
	states := []struct {
		name, text string
		serves     string // after a start; "" if it does not start
		wrong      string // in the line of a member that does not
	}{
		{"old", whole(before), "before", ""},
		{"empty", "", "", "key store"},
		{"half of the new key", after.KeyPEM()[:100], "", "no private key in it"},
		{"the new key alone", after.KeyPEM(), "", "no certificate for the private key"},
		{"the new key and the old certificate", after.KeyPEM() + before.CertPEM(), "", "no certificate for the private key"},
		{"the new key and half of its certificate", after.KeyPEM() + after.CertPEM()[:200], "", "no certificate for the private key"},
		{"new", whole(after), "after", ""},
	}
	for _, state := range states[1:] {
		t.Run(state.name, func(t *testing.T) {
			m := newSecureMember(t)
			m.write(states[0].text)
			p := m.start()
			m.serves("before")
			m.write(state.text)
			now := "before"
			if state.serves == "" {
				p.waitLine("certificates not reloaded: the old ones stay in use until the files are mended")
			} else {
				p.waitLine("certificates reloaded")
				now = state.serves
			}
			m.serves(now)
			p.kill()

			if state.serves == "" {
				p = startProcess(t, "serve", m.cfg)
				code, log := p.end()
				if code == 0 || strings.Count(log, state.wrong) != 1 || !strings.Contains(log, m.store) {
					t.Errorf("started on %s: exit code %d\n%s", state.name, code, log)
				}
				m.write(states[len(states)-1].text)
			}
			p = m.start()
			m.serves("after")
			p.kill()
		})
	}
}

// secureMember is a standalone server with a port for TLS.
type secureMember struct {
	t          *testing.T
	cfg, store string
	addr       string
}

func newSecureMember(t *testing.T) *secureMember {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m := &secureMember{t: t, cfg: filepath.Join(dir, "zoo.cfg"), store: filepath.Join(dir, "member.pem"), addr: l.Addr().String()}
	text := fmt.Sprintf("dataDir=%s\nsecureClientPort=%d\nsecureClientPortAddress=127.0.0.1\nssl.keyStore.location=%s\nssl.clientAuth=none\nadmin.enableServer=false\n",
		filepath.Join(dir, "data"), l.Addr().(*net.TCPAddr).Port, m.store)
	if err := os.WriteFile(m.cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// write replaces the text of the key store, in place.
func (m *secureMember) write(text string) {
	m.t.Helper()
	if err := os.WriteFile(m.store, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *secureMember) start() *process {
	m.t.Helper()
	p := startProcess(m.t, "serve", m.cfg)
	p.waitLine("\tready\t")
	return p
}

// serves checks whose certificate the member shows.
func (m *secureMember) serves(name string) {
	m.t.Helper()
	d := &net.Dialer{Timeout: patience, Deadline: time.Now().Add(patience)}
	shown := ""
	c, err := tls.DialWithDialer(d, "tcp", m.addr, &tls.Config{
		InsecureSkipVerify: true, // it is looked at below
		VerifyConnection: func(s tls.ConnectionState) error {
			shown = commonName(s.PeerCertificates)
			return nil
		},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		m.t.Error(err)
	}
	if shown != name {
		m.t.Errorf("the member shows the certificate %q, want %q", shown, name)
	}
}

func commonName(certs []*x509.Certificate) string {
	if len(certs) == 0 {
		return ""
	}
	return certs[0].Subject.CommonName
}
