package sasl

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// scramServerOf is one of a user with a password, with a known nonce.
func scramServerOf(t *testing.T, mechanism, user, password, nonce string, salt []byte) *scramServer {
	t.Helper()
	newHash, err := scramHash(mechanism)
	if err != nil {
		t.Fatal(err)
	}
	gen := map[string]scram.HashGeneratorFcn{SCRAMSHA256: scram.SHA256, SCRAMSHA512: scram.SHA512}[mechanism]
	cl, err := gen.NewClientUnprepped(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := cl.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: SCRAMIterationsMin})
	if err != nil {
		t.Fatal(err)
	}
	return &scramServer{hash: newHash, nonce: func() string { return nonce }, lookup: func(name string) SCRAMCredential {
		if name != user {
			t.Errorf("user %q", name)
		}
		return SCRAMCredential{Salt: salt, StoredKey: keys.StoredKey, ServerKey: keys.ServerKey, Iterations: SCRAMIterationsMin}
	}}
}

// TestSCRAMExample is the conversation of RFC 7677.
func TestSCRAMExample(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	s := scramServerOf(t, SCRAMSHA256, "user", "pencil", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", salt)
	for _, step := range [][2]string{
		{"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"},
		{"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	} {
		if got, err := s.next(step[0]); err != nil || got != step[1] {
			t.Errorf("%q, %v, want %q", got, err, step[1])
		}
	}
	if _, err := s.next("more"); err == nil {
		t.Error("a third message is taken")
	}
}

// TestSCRAMNonceTwice: librdkafka before 2.6.1 puts its own nonce before the whole one. Recorded from Debian's 2.0.2.
func TestSCRAMNonceTwice(t *testing.T) {
	m, err := NewSCRAM(SCRAMSHA256, nil)
	if err != nil {
		t.Fatal(err)
	}
	salt, err := base64.StdEncoding.DecodeString("VOowQhemakcr/AbJvqLiCoX8RdVTwxb2")
	if err != nil {
		t.Fatal(err)
	}
	s := scramServerOf(t, m.Name(), "alice", "simple", "AMHYN0nNqCpNi9Tu00YNzsgiPN//LZ/0", salt)
	const nonce = "Bhw_I/qXNysmn3B[hx|Tb[?v7Nc7a5;U"
	if _, err := s.next("n,,n=alice,r=" + nonce); err != nil {
		t.Fatal(err)
	}
	got, err := s.next("c=biws,r=" + nonce + nonce + "AMHYN0nNqCpNi9Tu00YNzsgiPN//LZ/0,p=C6lGiwOzF7wsfvI08PXy4PIbp/AivXGTMaY2aKKy3Vc=")
	if err != nil || !strings.HasPrefix(got, "v=") {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSCRAMLibrary converses with another implementation.
func TestSCRAMLibrary(t *testing.T) {
	for _, mechanism := range []string{SCRAMSHA256, SCRAMSHA512} {
		for _, user := range []string{"alice", "a=b,c", "ältere"} {
			s := scramServerOf(t, mechanism, user, "p,=w", scramNonce(), []byte("salt of some length"))
			gen := map[string]scram.HashGeneratorFcn{SCRAMSHA256: scram.SHA256, SCRAMSHA512: scram.SHA512}[mechanism]
			cl, err := gen.NewClientUnprepped(user, "p,=w", "")
			if err != nil {
				t.Fatal(err)
			}
			conv, from := cl.NewConversation(), ""
			for range 2 {
				to, err := conv.Step(from)
				if err == nil {
					from, err = s.next(to)
				}
				if err != nil {
					t.Fatalf("%s, %s: %v", mechanism, user, err)
				}
			}
			if _, err := conv.Step(from); err != nil || !conv.Valid() {
				t.Errorf("%s, %s: the client is not convinced: %v", mechanism, user, err)
			}
		}
	}
}

// TestSCRAMWrong: nothing but the right messages is taken.
func TestSCRAMWrong(t *testing.T) {
	first, final := "n,,n=alice,r=abc", "c=biws,r=abcdef,p="
	proof := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, messages := range map[string][]string{
		"empty":                 {""},
		"channel binding":       {"p=tls-unique,,n=alice,r=abc"},
		"no header":             {"n=alice,r=abc"},
		"no user":               {"n,,r=abc"},
		"no nonce":              {"n,,n=alice"},
		"empty nonce":           {"n,,n=alice,r="},
		"a name with =":         {"n,,n=ali=ce,r=abc"},
		"no proof":              {first, "c=biws,r=abcdef"},
		"a proof of nothing":    {first, final},
		"a wrong proof":         {first, final + proof},
		"a proof that is short": {first, final + "AAAA"},
		"another nonce":         {first, "c=biws,r=abcxyz,p=" + proof},
		"only the own nonce":    {first, "c=biws,r=abc,p=" + proof},
		"another header":        {first, "c=eSws,r=abcdef,p=" + proof},
	} {
		s := &scramServer{hash: sha256.New, nonce: func() string { return "def" }, lookup: func(user string) SCRAMCredential { return nobody(nil, user, 32) }}
		var err error
		for i, m := range messages {
			if _, err = s.next(m); err != nil && i+1 < len(messages) {
				t.Errorf("%s: message %d: %v", name, i, err)
			}
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
