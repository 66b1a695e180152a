package sasl

import (
	"errors"
	"strings"
	"testing"
)

func TestSCRAMLogin(t *testing.T) {
	for _, mechanism := range []string{SCRAMSHA256, SCRAMSHA512} {
		credential, err := SCRAMFromPassword(mechanism, "builder", SCRAMIterationsMin)
		if err != nil {
			t.Fatal(err)
		}
		server, err := NewSCRAM(mechanism, func(user string) (SCRAMCredential, bool) { return credential, user == "bob" || user == "a,b=c" })
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			user, password string
			want           error
		}{{"bob", "builder", nil}, {"a,b=c", "builder", nil}, {"bob", "wrong", ErrCredentials}, {"eve", "builder", ErrCredentials}} {
			client, err := NewSCRAMClient(mechanism, c.user, c.password)
			if err != nil {
				t.Fatal(err)
			}
			conv := server.Begin()
			user, err := dance(client, conv)
			if !errors.Is(err, c.want) || (err == nil && user != c.user) {
				t.Errorf("%s: %q, %q: %q, %v, want %v", mechanism, c.user, c.password, user, err, c.want)
			}
			if _, _, err := conv.Step(nil); !errors.Is(err, ErrOver) {
				t.Errorf("after the end: %v", err)
			}
		}
	}
	for _, name := range []string{"SCRAM-SHA-1", ""} {
		if _, err := NewSCRAM(name, nil); err == nil {
			t.Errorf("%q is a mechanism", name)
		}
		if _, err := NewSCRAMClient(name, "", ""); err == nil {
			t.Errorf("%q is a client's mechanism", name)
		}
	}
}

func TestSCRAMCredential(t *testing.T) {
	c, err := SCRAMFromPassword(SCRAMSHA256, "x", SCRAMIterationsMin)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseSCRAM(c.String()); err != nil || back.String() != c.String() {
		t.Errorf("%v, %v", back, err)
	}
	for _, s := range []string{"", "salt=AA==", c.String() + ",salt=AA==", c.String() + ",x=1", strings.Replace(c.String(), "iterations=", "iterations=x", 1)} {
		if _, err := ParseSCRAM(s); err == nil {
			t.Errorf("%q is one", s)
		}
	}
}

func TestSCRAMInitial(t *testing.T) {
	for token, want := range map[string]bool{"n,,n=u,r=x": true, "y,,": true, "p=tls-unique,,": true, "": false, "n": false, "name=x": false, "realm=x": false, "`": false} {
		if got := SCRAMInitial([]byte(token)); got != want {
			t.Errorf("%q: %v", token, got)
		}
	}
}

func FuzzSCRAMServer(f *testing.F) {
	credential, err := SCRAMFromPassword(SCRAMSHA256, "x", SCRAMIterationsMin)
	if err != nil {
		f.Fatal(err)
	}
	server, err := NewSCRAM(SCRAMSHA256, func(string) (SCRAMCredential, bool) { return credential, true })
	if err != nil {
		f.Fatal(err)
	}
	f.Add("n,,n=u,r=abc", "c=biws,r=abc,p=AAAA")
	f.Add("n,a=v,n=u,r=abc", "p=")
	f.Fuzz(func(t *testing.T, first, second string) {
		conv := server.Begin()
		if _, done, err := conv.Step([]byte(first)); done || err != nil {
			if done {
				t.Error("done by one token")
			}
			return
		}
		if _, done, err := conv.Step([]byte(second)); done || err == nil {
			t.Errorf("%q lets somebody in", second)
		}
	})
}
