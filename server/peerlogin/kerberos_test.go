package peerlogin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"holt/sasl"
	"holt/sasl/gssapi"
)

// keytabOf makes a file with a key of zkquorum/zk1@HOME.
func keytabOf(t *testing.T) string {
	t.Helper()
	keys := keytab.New()
	if err := keys.AddEntry("zkquorum/zk1", "HOME", "secret", time.Unix(1, 0), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	b, err := keys.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keytab")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestService pins whom a ticket is for. ZooKeeper: SecurityUtils.getServerPrincipal.
func TestService(t *testing.T) {
	for _, tt := range []struct{ service, addr, want string }{
		{"", "zk1.example.org:2888", "zkquorum/localhost"},
		{"zkquorum/_HOST", "ZK1.example.org:2888", "zkquorum/zk1.example.org"},
		{"zookeeper/_HOST@R", "10.0.0.1:2888", "zookeeper/10.0.0.1"},
		{"zk/_HOST", "[::1]:2888", "zk/::1"},
		{"zk/_HOST.example.org", "zk1:2888", "zk/_HOST.example.org"},
		{"zk/all@R", "zk1:2888", "zk/all"},
	} {
		if got := (&Config{Service: tt.service}).serviceAt(tt.addr); got != tt.want {
			t.Errorf("%s at %s: %s, want %s", tt.service, tt.addr, got, tt.want)
		}
	}
	for service, good := range map[string]bool{"a/b": true, "a/_HOST@R": true, "a": false, "a/": false, "/b": false, "a/b/c": false, "a@R/b": false} {
		if wrong := ServiceWrong(service); (wrong == "") != good {
			t.Errorf("%s: %q", service, wrong)
		}
	}
}

// TestAuthorize pins who is a member by a ticket. ZooKeeper: SaslQuorumServerCallbackHandler.
func TestAuthorize(t *testing.T) {
	hosts := []string{"zk1", "ZK2.example.org", "::1"}
	l, err := New(Config{Principal: "zkquorum/zk1@HOME", Keytab: keytabOf(t)}, Peers{Hosts: func() []string { return hosts }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct{ principal, as, wrong string }{
		{"zkquorum/zk1@HOME", "", ""},
		{"learner/zk2.example.org@HOME", "learner/zk2.example.org@HOME", ""},
		{"zkquorum/::1@HOME", "", ""},
		{"zkquorum/zk2.example.org@HOME", "zkquorum/zk1@HOME", "asks to act as zkquorum/zk1@HOME"},
		{"zkquorum/zk9@HOME", "", "no member has the host zk9"},
		{"zkquorum/zk1/zk1@HOME", "", "no member has the host"},
		{"bob@HOME", "", "it has no host"},
		{"zkquorum/zk1@AWAY", "", "the realm is not HOME"},
	} {
		err := l.authorize(tt.principal, tt.as)
		if (err == nil) != (tt.wrong == "") || err != nil && (!errors.Is(err, ErrStranger) || !strings.Contains(err.Error(), tt.wrong) || !strings.HasPrefix(err.Error(), tt.principal)) {
			t.Errorf("%s as %q: %v", tt.principal, tt.as, err)
		}
	}
	// The ensemble changes.
	hosts = []string{"zk1", "zk9"}
	if err := l.authorize("zkquorum/zk9@HOME", ""); err != nil {
		t.Errorf("a new member: %v", err)
	}
	if err := l.authorize("zkquorum/zk2.example.org@HOME", ""); !errors.Is(err, ErrStranger) {
		t.Errorf("one that was removed: %v", err)
	}
	if !(&Login{cfg: Config{Service: "s/_HOST"}, peers: l.peers}).wanted("s/zk9") || l.wanted("s/zk2.example.org") {
		t.Error("tickets wanted are those for members")
	}
}

// TestMechanisms: who accepts knows by the first token how a member logs in, and says what to do about the wrong way.
func TestMechanisms(t *testing.T) {
	digest := Config{Users: map[string]string{"zk": "secret"}}
	kerberos := Config{Principal: "zkquorum/zk1@HOME", Keytab: keytabOf(t)}
	both := kerberos
	both.Users = digest.Users
	ticket := []byte("\x60\x80") // the beginning of one
	for _, tt := range []struct {
		cfg    Config
		token  []byte
		err    error // nil: none
		remedy string
	}{
		{digest, nil, nil, ""},
		{both, nil, nil, ""},
		{kerberos, nil, errNoDigest, "log in by Kerberos"},
		{digest, ticket, errNoKerberos, "add Krb5LoginModule"},
		{both, ticket, errTicket, "servicePrincipal"},
		{kerberos, ticket, errTicket, "servicePrincipal"},
	} {
		_, _, err := newLogin(t, tt.cfg).Accept().Step(tt.token)
		if !errors.Is(err, tt.err) || err != nil && !strings.Contains(Remedy(err), tt.remedy) {
			t.Errorf("%v, %q: %v", &tt.cfg, tt.token, err)
		}
	}
	if err := dance(t, Config{User: "zk", Password: "secret"}, both); err != nil {
		t.Error(err)
	}
	if err := dance(t, Config{User: "zk", Password: "guess"}, both); !errors.Is(err, sasl.ErrCredentials) {
		t.Error(err)
	}
}

// TestKeytabsAreOpened: a member with a keytab that is of no use does not start.
func TestKeytabsAreOpened(t *testing.T) {
	path := keytabOf(t)
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Principal: "zkquorum/zk1@HOME", Keytab: path + "x"}, "read keytab"},
		{Config{Principal: "zkquorum/zk2@HOME", Keytab: path}, "has no key of zkquorum/zk2@HOME"},
		{Config{LogsIn: true, Ticket: &gssapi.Credentials{Principal: "zkquorum/zk2@HOME", Keytab: path}}, "has no key of zkquorum/zk2@HOME"},
	} {
		if _, err := New(tt.cfg, Peers{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v", &tt.cfg, err)
		}
	}
	l := newLogin(t, Config{LogsIn: true, Ticket: &gssapi.Credentials{Principal: "zkquorum/zk1@HOME", Keytab: path, Krb5Conf: path + "x"}}, "h")
	if _, err := l.Begin(t.Context(), "h:1"); err == nil || !strings.Contains(err.Error(), "ticket for zkquorum/localhost: read ") {
		t.Errorf("without a krb5.conf: %v", err)
	}
}
