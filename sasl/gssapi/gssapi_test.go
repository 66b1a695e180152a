package gssapi

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"go.uber.org/goleak"

	"holt/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const servicePrincipal = "zookeeper/zk1.example.org@HOME"

// kdc makes tickets without there being one: the service's keys are all that it takes.
type kdc struct {
	t    testing.TB
	keys *keytab.Keytab
	path string // of the keytab
}

func newKDC(t testing.TB) *kdc {
	k := &kdc{t: t, keys: keytab.New(), path: filepath.Join(t.TempDir(), "server.keytab")}
	for _, service := range []string{"zookeeper/zk1.example.org", "zookeeper/zk2.example.org"} {
		for _, e := range []int32{etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.RC4_HMAC} {
			if err := k.keys.AddEntry(service, "HOME", "secret", time.Unix(1, 0), 1, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.write()
	return k
}

func (k *kdc) write() {
	b, err := k.keys.Marshal()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(k.path, b, 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// order is what a ticket shall be like; the zero value is bob's.
type order struct {
	name, realm, service string
	etype                int32
	age                  time.Duration // since it was made, for ten hours
}

func (k *kdc) ticket(o order) ticket {
	k.t.Helper()
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&o.name, "bob")
	set(&o.realm, "HOME")
	set(&o.service, "zookeeper/zk1.example.org")
	if o.etype == 0 {
		o.etype = etypeID.AES256_CTS_HMAC_SHA1_96
	}
	name := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, o.name)
	made := time.Now().UTC().Add(-o.age)
	tkt, key, err := messages.NewTicket(name, o.realm, types.NewPrincipalName(nametype.KRB_NT_SRV_INST, o.service), "HOME",
		types.NewKrbFlags(), k.keys, o.etype, 1, made, made, made.Add(10*time.Hour), made.Add(10*time.Hour))
	if err != nil {
		k.t.Fatal(err)
	}
	return ticket{tkt, key, name, o.realm, made.Add(10 * time.Hour)}
}

func (k *kdc) acceptor() *Acceptor {
	k.t.Helper()
	a, err := NewAcceptor(servicePrincipal, k.path)
	if err != nil {
		k.t.Fatal(err)
	}
	return a
}

func initiate(t testing.TB, tkt ticket, mutual bool) *initiation {
	t.Helper()
	c, err := newInitiation(tkt, mutual)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dance runs the two sides against each other; tokens, if not nil, takes the client's.
func dance(c sasl.Client, s sasl.Conversation, tokens *[][]byte) (string, error) {
	var challenge []byte
	for {
		token, clientDone, err := c.Step(challenge)
		if err != nil {
			return "", fmt.Errorf("client: %w", err)
		}
		if tokens != nil {
			*tokens = append(*tokens, token)
		}
		var done bool
		if challenge, done, err = s.Step(token); err != nil {
			return "", fmt.Errorf("server: %w", err)
		}
		if done != clientDone {
			return "", fmt.Errorf("done: client %v, server %v", clientDone, done)
		}
		if done {
			return s.User(), nil
		}
	}
}

func TestLogin(t *testing.T) {
	k := newKDC(t)
	a := k.acceptor()
	for _, c := range []struct {
		order order
		want  string
	}{
		{order{}, "bob@HOME"},
		{order{etype: etypeID.AES128_CTS_HMAC_SHA256_128}, "bob@HOME"},
		{order{name: "zk/h1"}, "zk/h1@HOME"},
		{order{realm: "AWAY"}, "bob@AWAY"},
		{order{age: 9 * time.Hour}, "bob@HOME"},
		{order{age: 11 * time.Hour}, "server: AP-REQ: "},
		{order{age: -time.Hour}, "server: AP-REQ: "},
		{order{service: "zookeeper/zk2.example.org"}, "server: the ticket is for zookeeper/zk2.example.org@HOME, and this is " + servicePrincipal},
		{order{realm: "HO@ME"}, "server: the client's principal has"},
		{order{name: `a\b`}, "server: the client's principal has"},
	} {
		for _, mutual := range []bool{true, false} {
			got, err := dance(initiate(t, k.ticket(c.order), mutual), a.Begin(), nil)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && !(err != nil && strings.HasPrefix(got, c.want)) {
				t.Errorf("%+v, mutual %v: %s, want %s", c.order, mutual, got, c.want)
			}
		}
	}
}

// TestRealmOfAuthenticator: the KDC of one realm must not speak for another. What the client says of
// itself is checked against the ticket.
func TestRealmOfAuthenticator(t *testing.T) {
	k := newKDC(t)
	tkt := k.ticket(order{realm: "AWAY"})
	tkt.realm = "HOME"
	if user, err := dance(initiate(t, tkt, true), k.acceptor().Begin(), nil); err == nil || !strings.Contains(err.Error(), "another realm") {
		t.Errorf("%q, %v", user, err)
	}
	tkt = k.ticket(order{})
	tkt.name = types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "root")
	if user, err := dance(initiate(t, tkt, true), k.acceptor().Begin(), nil); err == nil {
		t.Errorf("bob is %q", user)
	}
}

// TestAuthorize: who has a good ticket is let in if Acceptor.Authorize says so.
func TestAuthorize(t *testing.T) {
	k, no := newKDC(t), errors.New("no")
	for _, answer := range []error{nil, no} {
		a := k.acceptor()
		var got string
		a.Authorize = func(principal, as string) error { got = principal + " as " + as; return answer }
		_, err := dance(initiate(t, k.ticket(order{name: "zk/h"}), true), a.Begin(), nil)
		if want := "zk/h@HOME as zk/h@HOME"; (err == nil) != (answer == nil) || got != want {
			t.Errorf("%v, asked for %q, want %q", err, got, want)
		}
	}
}

func TestReplay(t *testing.T) {
	k := newKDC(t)
	a := k.acceptor()
	for _, mutual := range []bool{true, false} {
		var tokens [][]byte
		if _, err := dance(initiate(t, k.ticket(order{}), mutual), a.Begin(), &tokens); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Begin().Step(tokens[0]); err == nil || !strings.Contains(err.Error(), "used before") {
			t.Errorf("mutual %v: %v", mutual, err)
		}
		// At a server that did not see it the whole recording is of use without mutual authentication
		// only: with it, the last token is sealed with a key of that server's.
		conv := k.acceptor().Begin()
		var err error
		for _, token := range tokens {
			_, _, err = conv.Step(token)
		}
		if (err != nil) != mutual {
			t.Errorf("mutual %v: at another server: %v", mutual, err)
		}
	}
}

func TestReplayCache(t *testing.T) {
	var c replayCache
	now := time.Unix(1000, 0)
	if !c.add([]byte("a"), now) || c.add([]byte("a"), now.Add(skewMax)) || !c.add([]byte("b"), now) {
		t.Error("it forgets, or sees what was not")
	}
	if !c.add([]byte("a"), now.Add(2*skewMax+1)) || len(c.order) != 1 {
		t.Errorf("it remembers %d for ever", len(c.order))
	}
	for i := range replaysMax + 10 {
		c.add(fmt.Append(nil, i), now.Add(time.Hour))
	}
	if len(c.order) != replaysMax || len(c.seen) != replaysMax {
		t.Errorf("%d, %d remembered", len(c.order), len(c.seen))
	}
}

// TestTokensOutOfPlace: each of these ends the conversation, and after it nothing goes.
func TestTokensOutOfPlace(t *testing.T) {
	k := newKDC(t)
	a := k.acceptor()
	good := initiate(t, k.ticket(order{}), true)
	request, _, err := good.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	conv := a.Begin()
	reply, _, err := conv.Step(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := good.Step(reply); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conv.Step([]byte("x")); err == nil || !strings.Contains(err.Error(), "empty token") {
		t.Errorf("more than an empty token: %v", err)
	}
	if _, _, err := conv.Step(nil); !errors.Is(err, sasl.ErrOver) {
		t.Errorf("after it: %v", err)
	}
	for name, token := range map[string][]byte{
		"empty": nil, "noise": []byte("hello"), "an AP-REP": reply, "cut": request[:len(request)-1], "longer": append(bytes.Clone(request), 0),
		"the header alone": {0x60, 0x00}, "a long length": {0x60, 0x84, 0xff, 0xff, 0xff, 0xff},
	} {
		conv := a.Begin()
		if _, _, err := conv.Step(token); err == nil {
			t.Errorf("%s is taken", name)
		}
		if _, _, err := conv.Step(request); !errors.Is(err, sasl.ErrOver) {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// TestLayers: of what the client may choose after a good ticket only "none" is taken.
func TestLayers(t *testing.T) {
	k := newKDC(t)
	a := k.acceptor()
	for name, last := range map[string]func(*sealing) ([]byte, error){
		"integrity":   func(s *sealing) ([]byte, error) { return s.wrap([]byte{2, 0, 16, 0}) },
		"short":       func(s *sealing) ([]byte, error) { return s.wrap([]byte{1}) },
		"bare":        func(s *sealing) ([]byte, error) { return []byte{1, 0, 0, 0}, nil },
		"reflected":   func(s *sealing) ([]byte, error) { s.acceptor = true; return s.wrap([]byte{1, 0, 0, 0}) },
		"without key": func(s *sealing) ([]byte, error) { s.subkey = false; return s.wrap([]byte{1, 0, 0, 0}) },
		"another key": func(s *sealing) ([]byte, error) { s.key = k.ticket(order{}).key; return s.wrap([]byte{1, 0, 0, 0}) },
		"flag sealed": func(s *sealing) ([]byte, error) {
			b, err := s.wrap([]byte{1, 0, 0, 0})
			b[2] |= flagSealed
			return b, err
		},
		"changed":       func(s *sealing) ([]byte, error) { b, err := s.wrap([]byte{2, 0, 0, 0}); b[16] = 1; return b, err },
		"long checksum": func(s *sealing) ([]byte, error) { b, err := s.wrap([]byte{1, 0, 0, 0}); b[4] = 0xff; return b, err },
	} {
		c, conv := initiate(t, k.ticket(order{}), true), a.Begin()
		var challenge []byte
		for range 2 {
			token, _, err := c.Step(challenge)
			if err != nil {
				t.Fatal(err)
			}
			if challenge, _, err = conv.Step(token); err != nil {
				t.Fatal(err)
			}
		}
		token, err := last(&c.sealing)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := conv.Step(token); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestRotated: Windows moves the checksum to the front.
func TestRotated(t *testing.T) {
	key := newKDC(t).ticket(order{}).key
	from, to := sealing{key: key}, sealing{key: key, acceptor: true}
	token, err := from.wrap([]byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	body := token[16:]
	n := 12
	rotated := append(bytes.Clone(token[:16]), append(bytes.Clone(body[len(body)-n:]), body[:len(body)-n]...)...)
	rotated[7] = byte(n)
	if got, err := to.unwrap(rotated); err != nil || string(got) != "payload" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWeakKeys(t *testing.T) {
	if _, err := newInitiation(newKDC(t).ticket(order{etype: etypeID.RC4_HMAC}), true); err == nil {
		t.Error("a key of RC4 is taken")
	}
}

func TestKeytab(t *testing.T) {
	k := newKDC(t)
	for principal, want := range map[string]string{
		"zookeeper": "not of the form", "zookeeper/h": "not of the form", "zookeeper@R": "not of the form",
		"zookeeper/h@HOME": "no key of zookeeper/h@HOME",
	} {
		if _, err := NewAcceptor(principal, k.path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", principal, err, want)
		}
	}
	if _, err := NewAcceptor(servicePrincipal, k.path+"x"); err == nil {
		t.Error("a keytab that there is not")
	}
	if err := os.WriteFile(k.path+"x", []byte("\x05\x02\x7f\xff\xff\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewAcceptor(servicePrincipal, k.path+"x"); err == nil {
		t.Error("a keytab that is none")
	}
	// Another key comes while the server runs.
	a := k.acceptor()
	if err := k.keys.AddEntry("zookeeper/zk1.example.org", "HOME", "other", time.Unix(2, 0), 2, etypeID.AES128_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	tkt := func() ticket {
		name := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "bob")
		tkt, key, err := messages.NewTicket(name, "HOME", types.NewPrincipalName(nametype.KRB_NT_SRV_INST, "zookeeper/zk1.example.org"), "HOME",
			types.NewKrbFlags(), k.keys, etypeID.AES128_CTS_HMAC_SHA1_96, 2, time.Now().UTC(), time.Now().UTC(), time.Now().UTC().Add(time.Hour), time.Now().UTC())
		if err != nil {
			t.Fatal(err)
		}
		return ticket{tkt, key, name, "HOME", time.Now().Add(time.Hour)}
	}
	if _, err := dance(initiate(t, tkt(), true), a.Begin(), nil); err == nil {
		t.Fatal("a key that is not in the keytab is taken")
	}
	k.write()
	if _, err := dance(initiate(t, tkt(), true), a.Begin(), nil); err != nil {
		t.Errorf("after the keytab changed: %v", err)
	}
	if err := os.Remove(k.path); err != nil {
		t.Fatal(err)
	}
	if _, err := dance(initiate(t, tkt(), true), a.Begin(), nil); err != nil {
		t.Errorf("after the keytab went: %v", err)
	}
}

// FuzzAcceptor: no token panics, and none that was changed gets in.
func FuzzAcceptor(f *testing.F) {
	k := newKDC(f)
	a := k.acceptor()
	c := initiate(f, k.ticket(order{}), false)
	request, _, err := c.Step(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request, []byte{5, 4, 0, 0xff, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})
	f.Add([]byte("`\x80"), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		conv := a.Begin()
		if _, done, err := conv.Step(first); done || err != nil {
			if done {
				t.Error("done by one token")
			}
			return
		}
		if _, done, err := conv.Step(second); done || err == nil {
			t.Errorf("%x lets somebody in", second)
		}
	})
}

// FuzzAPReq puts noise where gokrb5 decrypts, with a key that fits.
func FuzzAPReq(f *testing.F) {
	k := newKDC(f)
	a := k.acceptor()
	f.Add([]byte{}, []byte{})
	f.Add([]byte("0123456789abcdef0123456789abcdef"), []byte("x"))
	made := k.ticket(order{})
	f.Fuzz(func(t *testing.T, sealedTicket, authenticator []byte) {
		tkt := made
		if len(sealedTicket) > 0 {
			tkt.ticket.EncPart.Cipher = sealedTicket
		}
		req, err := messages.NewAPReq(tkt.ticket, tkt.key, types.Authenticator{})
		if err != nil {
			t.Skip()
		}
		req.EncryptedAuthenticator.Cipher = authenticator
		if sealed, err := crypto.GetEncryptedData(authenticator, tkt.key, 11, 0); err == nil && len(authenticator)%2 == 0 {
			req.EncryptedAuthenticator = sealed
		}
		b, err := req.Marshal()
		if err != nil {
			t.Skip()
		}
		token, err := frame(tokenAPReq, b)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := a.Begin().Step(token); done || err == nil {
			t.Error("noise is taken")
		}
	})
}

func TestDefaultRealm(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"[libdefaults]\n\tdefault_realm = HOME\n":                                           "HOME",
		"# c\n[realms]\nAWAY = {\n default_realm = X\n}\n[libdefaults]\ndefault_realm=HOME": "HOME",
		"default_realm=HOME":                   "",
		"[libdefaults]\n#default_realm = HOME": "",
	} {
		if got := DefaultRealm(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
