package auth

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"holt/sasl"
	"holt/wire"
)

// clients are the client's sides of the mechanisms with passwords.
func clients(t *testing.T, user, password string) map[string]sasl.Client {
	t.Helper()
	scram, err := sasl.NewSCRAMClient(sasl.SCRAMSHA256, user, password)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]sasl.Client{
		sasl.DigestMD5:   sasl.NewDigestClient(sasl.Digest{Service: saslService, Host: saslHost}, user, password),
		sasl.SCRAMSHA256: scram,
	}
}

// login goes through with a login.
func login(t *testing.T, cfg Config, c sasl.Client) ([]wire.Identity, error) {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x := r.BeginSASL()
	var challenge []byte
	for range 4 {
		token, done, err := c.Step(challenge)
		if err != nil || done {
			t.Fatalf("client: done %v, %v", done, err)
		}
		var ids []wire.Identity
		if challenge, ids, err = x.Step(token); err != nil || ids != nil {
			if _, _, again := x.Step(token); !errors.Is(again, sasl.ErrOver) {
				t.Errorf("after the end: %v", again)
			}
			return ids, err
		}
	}
	t.Fatal("no end")
	return nil, nil
}

func TestSASLLogin(t *testing.T) {
	users := map[string]string{"bob": "builder", "super": "duper", "eve@HOME": "x", "a@b@c": "x"}
	for _, c := range []struct {
		cfg            SASLConfig
		user, password string
		want           string
	}{
		{SASLConfig{}, "bob", "builder", "[{sasl bob}]"},
		{SASLConfig{}, "bob", "duper", `user "bob": wrong user or password`},
		{SASLConfig{}, "super", "duper", "[{sasl super}]"},
		{SASLConfig{SuperPassword: "other"}, "super", "other", "[{sasl super}]"},
		{SASLConfig{SuperPassword: "other"}, "super", "duper", `user "super": wrong user or password`},
		{SASLConfig{SuperPassword: "other"}, "bob", "builder", "[{sasl bob}]"},
		{SASLConfig{SuperUsers: []string{"alice", "bob"}}, "bob", "builder", "[{sasl bob} {super }]"},
		{SASLConfig{SuperUsers: []string{"bob"}}, "super", "duper", "[{sasl super}]"},
		{SASLConfig{RemoveRealm: true, DefaultRealm: "HOME", SuperUsers: []string{"eve"}}, "eve@HOME", "x", "[{sasl eve} {super }]"},
		{SASLConfig{}, "a@b@c", "x", `principal "a@b@c": not of the form name, name@REALM or name/host@REALM`},
	} {
		c.cfg.Users = users
		for mechanism, client := range clients(t, c.user, c.password) {
			ids, err := login(t, Config{SASL: &c.cfg}, client)
			got := fmt.Sprint(ids)
			if err != nil {
				got = strings.TrimPrefix(err.Error(), sasl.SCRAMSHA256+" of ")
			}
			if got != c.want {
				t.Errorf("%s, %+v: %s %s: %s, want %s", mechanism, c.cfg, c.user, c.password, got, c.want)
			}
		}
	}
}

func TestSASLMechanisms(t *testing.T) {
	for _, allowed := range SASLMechanisms() {
		for mechanism, client := range clients(t, "bob", "builder") {
			_, err := login(t, Config{SASL: &SASLConfig{Users: map[string]string{"bob": "builder"}, Mechanisms: []string{allowed}}}, client)
			if (err == nil) != (mechanism == allowed) || (err != nil && !strings.Contains(err.Error(), "the client uses "+mechanism)) {
				t.Errorf("%s where only %s is allowed: %v", mechanism, allowed, err)
			}
		}
	}
}

func TestSASLBounds(t *testing.T) {
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if r.BeginSASL() != nil {
		t.Error("an exchange without SASL")
	}
	if r, err = New(Config{SASL: &SASLConfig{}}); err != nil {
		t.Fatal(err)
	}
	x := r.BeginSASL()
	if _, _, err := x.Step(bytes.Repeat([]byte("x"), saslTokenMax+1)); err == nil {
		t.Error("a token of any size is taken")
	}
	if _, _, err := x.Step(nil); !errors.Is(err, sasl.ErrOver) {
		t.Errorf("after it: %v", err)
	}
	if _, err := New(Config{SASL: &SASLConfig{Rules: "x"}}); err == nil {
		t.Error("rules that are none are taken")
	}
}

func TestEnsembleScheme(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		name string
		want wire.ErrCode
	}{
		{Config{}, "blue", wire.ErrAuthFailed},
		{Config{EnsembleScheme: true}, "blue", wire.OK},
		{Config{EnsembleScheme: true, EnsembleNames: []string{"red", "blue"}}, "blue", wire.OK},
		{Config{EnsembleScheme: true, EnsembleNames: []string{"red", "blue"}}, "", wire.OK},
		{Config{EnsembleScheme: true, EnsembleNames: []string{"red"}}, "blue", wire.ErrBadArguments},
	} {
		r, err := New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if ids, code := r.Authenticate("ensemble", []byte(c.name)); code != c.want || ids != nil {
			t.Errorf("%+v: %q: %v, %v, want %v", c.cfg, c.name, ids, code, c.want)
		}
	}
}

func TestClientInfosOfSASL(t *testing.T) {
	ids := []wire.Identity{{Scheme: "sasl", ID: "bob"}}
	for _, scheme := range []bool{false, true} {
		r, err := New(Config{SASLScheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ClientInfos(ids)[0].User; (got == "bob") != scheme {
			t.Errorf("scheme %v: %q", scheme, got)
		}
	}
}
