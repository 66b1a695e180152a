package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holt/wire"
)

func TestDigest(t *testing.T) {
	for alg, want := range map[string]string{
		"":         "super:D/InIHSb7yEEbrWz8b9l71RjZJU=", // as ZooKeeper's documentation has it
		"SHA1":     "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
		"sha-1":    "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
		"SHA-256":  "super:wjySwxg860UATFtciuZ1lpzrCHrPeov6SPu/ZD56uig=",
		"SHA-384":  "super:FA/2SgoedA21NnGcUl5C1HBsMwuibAPXlAq/FqXTuUQPExUJgxpf8gWeD4eOupjP",
		"SHA-512":  "super:cMAGk13FCMtJkaVQImGEKhjqoGELCiVjYdIhiD8stB1FnIpdGeFvKwAHh5mf4tUYmBR2ZY9181dZTXEHMlkVhg==",
		"SHA3-256": "super:cRy/KPYuDpW/dtsepniTMpuiuupnWgdU9txltIfv3hA=",
		"SHA3-512": "super:AdTSPtJYC1bEo1Z0UG5z1VXkw2AEUReEjF0RV0jap6VKcDva8ZPEO/WxrOy888alfiJyM5cm5BKhrI4X/YFcTg==",
		"MD5":      "super:yzhcGieXAe2NBWh0Znxa3g==",
	} {
		r, err := New(Config{DigestAlg: alg})
		if err != nil {
			t.Errorf("%q: %v", alg, err)
			continue
		}
		if got := r.Digest("super:test"); got != want {
			t.Errorf("%q: got %s, want %s", alg, got, want)
		}
	}
	if _, err := New(Config{DigestAlg: "CRC32"}); err == nil || !strings.Contains(err.Error(), `"CRC32"`) {
		t.Errorf("an unknown algorithm: %v", err)
	}
}

func TestAuthenticate(t *testing.T) {
	digest := func(id string) []wire.Identity { return []wire.Identity{{Scheme: "digest", ID: id}} }
	plain := Config{}
	super := Config{SuperDigest: "super:D/InIHSb7yEEbrWz8b9l71RjZJU="}
	for _, c := range []struct {
		cfg         Config
		scheme      string
		credentials []byte
		want        []wire.Identity
		code        wire.ErrCode
	}{
		{plain, "digest", []byte("u:p"), digest("u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="), wire.OK},
		{plain, "digest", []byte("u:p:q"), digest("u:VIgTKUjc2iscZoJn2UUrdGNNgW4="), wire.OK},
		{plain, "digest", []byte("nocolon"), digest("nocolon:Ra+cHr2ZoHvBjtNArFGNGlVie4g="), wire.OK},
		{plain, "digest", []byte{}, digest(":2jmj7l5rSw0yVb/vlWAYkK/YBwk="), wire.OK},
		{plain, "digest", []byte("u:\xff"), digest("u:6t6HCFXSj7NPCc6UaTGIkuZOxU8="), wire.OK},
		{plain, "digest", nil, nil, wire.ErrAuthFailed},
		{plain, "digest", []byte("super:test"), digest("super:D/InIHSb7yEEbrWz8b9l71RjZJU="), wire.OK},
		{super, "digest", []byte("super:test"), append([]wire.Identity{{Scheme: "super"}}, digest("super:D/InIHSb7yEEbrWz8b9l71RjZJU=")...), wire.OK},
		{super, "digest", []byte("super:wrong"), digest("super:" + hashOf(t, "super:wrong")), wire.OK},
		{Config{DigestDisabled: true, SuperDigest: super.SuperDigest}, "digest", []byte("super:test"), nil, wire.ErrAuthFailed},
		{plain, "ip", []byte("1.2.3.4"), nil, wire.OK},
		{plain, "ip", nil, nil, wire.OK},
		{plain, "world", []byte("anyone"), nil, wire.ErrAuthFailed},
		{plain, "super", nil, nil, wire.ErrAuthFailed},
		{plain, "auth", nil, nil, wire.ErrAuthFailed},
		{plain, "sasl", []byte("bob"), nil, wire.ErrAuthFailed},
		{plain, "x509", nil, nil, wire.ErrAuthFailed},
		{plain, "", nil, nil, wire.ErrAuthFailed},
		{plain, "DIGEST", []byte("u:p"), nil, wire.ErrAuthFailed},
	} {
		r, err := New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		got, code := r.Authenticate(c.scheme, c.credentials)
		if !slices.Equal(got, c.want) || code != c.code {
			t.Errorf("%+v: %s %q: got %v, %v, want %v, %v", c.cfg, c.scheme, c.credentials, got, code, c.want, c.code)
		}
	}
}

// hashOf is the part of a digest identity behind the colon.
func hashOf(t *testing.T, userPassword string) string {
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, h, _ := strings.Cut(r.Digest(userPassword), ":")
	return h
}

func TestMerge(t *testing.T) {
	a, b, c := wire.Identity{Scheme: "ip", ID: "1.1.1.1"}, wire.Identity{Scheme: "digest", ID: "u:h"}, wire.Identity{Scheme: "super"}
	have := []wire.Identity{a, b}
	got, ok := Merge(have, []wire.Identity{b, c, c})
	if want := []wire.Identity{a, b, c}; !ok || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
	if !slices.Equal(have, []wire.Identity{a, b}) {
		t.Errorf("changed its argument: %v", have)
	}
	var ids []wire.Identity
	n := 0
	for ok := true; ok; n++ {
		ids, ok = Merge(ids, []wire.Identity{{Scheme: "digest", ID: fmt.Sprintf("user%06d:%028d", n, 0)}})
	}
	if len(ids) != n-1 || n < 300 || n > 500 {
		t.Errorf("%d identities after %d packets", len(ids), n)
	}
	if _, ok := Merge(ids, ids[:1]); !ok {
		t.Error("one that is there already is one too many")
	}
	if _, ok := Merge(nil, []wire.Identity{{Scheme: "digest", ID: strings.Repeat("x", 1<<20)}}); ok {
		t.Error("a user name of a megabyte is not too much")
	}
}

func TestMaskDigests(t *testing.T) {
	acl := []wire.ACL{
		{Perms: 1, Identity: wire.Identity{Scheme: "digest", ID: "u:hash"}},
		{Perms: 2, Identity: wire.Identity{Scheme: "ip", ID: "1.2.3.4"}},
		{Perms: 3, Identity: wire.Identity{Scheme: "digest", ID: "v:a:b"}},
		{Perms: 4, Identity: wire.Identity{Scheme: "world", ID: "anyone"}},
	}
	kept := slices.Clone(acl)
	want := slices.Clone(acl)
	want[0].ID, want[2].ID = "u:x", "v:x"
	if got := MaskDigests(acl); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if !slices.Equal(acl, kept) {
		t.Error("the shared list was changed")
	}
}

func TestClientInfos(t *testing.T) {
	got := new(Registry).ClientInfos([]wire.Identity{{Scheme: "ip", ID: "1.2.3.4"}, {Scheme: "digest", ID: "u:hash"}, {Scheme: "super"}, {Scheme: "super", ID: "CN=a"}, {Scheme: "x509", ID: "CN=a"}})
	want := []wire.ClientInfo{{AuthScheme: "ip", User: "1.2.3.4"}, {AuthScheme: "digest", User: "u"}, {AuthScheme: "super"}, {AuthScheme: "super"}, {AuthScheme: "x509", User: "CN=a"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCertificate(t *testing.T) {
	id := wire.Identity{Scheme: "x509", ID: "CN=a"}
	for _, c := range []struct {
		cfg     Config
		subject string
		want    []wire.Identity
		code    wire.ErrCode
	}{
		{Config{X509: true}, "CN=a", []wire.Identity{id}, wire.OK},
		{Config{X509: true, X509Super: "CN=b"}, "CN=a", []wire.Identity{id}, wire.OK},
		{Config{X509: true, X509Super: "CN=a"}, "CN=a", []wire.Identity{{Scheme: "super", ID: "CN=a"}, id}, wire.OK},
		{Config{X509: true}, "", nil, wire.ErrAuthFailed},
		{Config{}, "CN=a", nil, wire.ErrAuthFailed},
	} {
		r, err := New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got, code := r.Certificate(c.subject); !slices.Equal(got, c.want) || code != c.code {
			t.Errorf("%+v: %q: got %v, %v, want %v, %v", c.cfg, c.subject, got, code, c.want, c.code)
		}
	}
}
