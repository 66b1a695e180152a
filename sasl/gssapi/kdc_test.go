package gssapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jcmturner/gokrb5/v8/config"
)

// closedAddr is one at which nobody listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// TestReach: of several KDCs one that is there is taken, and why none is there is said.
func TestReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	away, here := closedAddr(t), l.Addr().String()
	for _, tt := range []struct {
		kdcs []string
		want string
	}{
		{[]string{here}, ""},
		{[]string{away, here}, ""},
		{[]string{away}, "no KDC can be reached in realm HOME: dial tcp " + away + ": connect: connection refused; see that it runs, and what krb5.conf has of it"},
		{nil, "krb5.conf names no KDC of realm HOME; add it to [realms]"},
	} {
		conf := config.New()
		conf.LibDefaults.DNSLookupKDC = false
		conf.Realms = []config.Realm{{Realm: "AWAY", KDC: []string{away}}, {Realm: "HOME", KDC: tt.kdcs}}
		err := reach(t.Context(), conf, "HOME")
		if got := fmt.Sprint(err); tt.want == "" && (err != nil || conf.Realms[1].KDC[0] != here || len(conf.Realms[1].KDC) != 1) || tt.want != "" && got != tt.want {
			t.Errorf("%v: %s, asks %v", tt.kdcs, got, conf.Realms[1].KDC)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	conf := config.New()
	conf.Realms = []config.Realm{{Realm: "HOME", KDC: []string{here}}}
	if err := reach(ctx, conf, "HOME"); !errors.Is(err, errUnreachable) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestTicketErrors has a client for which there is no KDC, or no file.
func TestTicketErrors(t *testing.T) {
	k, dir := newKDC(t), t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := write("krb5.conf", "[libdefaults]\n default_realm = HOME\n dns_lookup_kdc = false\n[realms]\n HOME = {\n  kdc = "+closedAddr(t)+"\n }\n")
	good := Credentials{Krb5Conf: conf, Principal: "zookeeper/zk1.example.org@HOME", Keytab: k.path}
	for _, tt := range []struct {
		change func(c *Credentials)
		want   string
	}{
		{func(*Credentials) {}, "ticket for s/h: no KDC can be reached in realm HOME"},
		{func(c *Credentials) { c.Krb5Conf = dir + "/none" }, "read " + dir + "/none"},
		{func(c *Credentials) { c.Krb5Conf = write("empty", "") }, "names no KDC of realm HOME"},
		{func(c *Credentials) { c.Keytab = dir + "/none" }, "read keytab"},
		{func(c *Credentials) { c.Cache = dir + "/none" }, "run kinit"},
		{func(c *Credentials) { c.Cache = write("cache", "nonsense") }, "run kinit"},
	} {
		c := good
		tt.change(&c)
		_, err := c.ticket(t.Context(), "s/h")
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", c, err)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v says that the service is not there", err)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	stranger := good
	stranger.Principal = "zookeeper/zk9.example.org@HOME"
	if _, err := NewTickets(TicketsConfig{Credentials: stranger}); err == nil || !strings.Contains(err.Error(), "no key of zookeeper/zk9.example.org@HOME") {
		t.Errorf("%v", err)
	}
}

// TestExplain: what gokrb5 makes of an answer becomes one line with a remedy.
func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		"log in as a: [Root cause: KDC_Error] KDC_Error: AS Exchange Error: kerberos error response from KDC: KRB Error: (6) KDC_ERR_C_PRINCIPAL_UNKNOWN Client not found in Kerberos database - CLIENT_NOT_FOUND": "log in as a: (6) KDC_ERR_C_PRINCIPAL_UNKNOWN Client not found in Kerberos database - CLIENT_NOT_FOUND; make the client's principal at the KDC, or mend principal in the JAAS file",
		"KDC of R: [Root cause: Decrypting_Error] Decrypting_Error: error decrypting": "KDC of R: Decrypting_Error: error decrypting; the keytab's key is out of date: export it anew",
		"something else": "something else",
	} {
		if got := explain(errors.New(text)).Error(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	if err := explain(fmt.Errorf("x: %w", io.EOF)); !errors.Is(err, io.EOF) {
		t.Error("it hides what it does not know")
	}
}
