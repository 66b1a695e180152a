package sasl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestRFC2831 is the example of section 4 of the RFC.
func TestRFC2831(t *testing.T) {
	p := proof{user: "chris", realm: "elwood.innosoft.com", password: "secret",
		nonce: "OA6MG9tEQGm2hh", cnonce: "OA6MHXh6VqTrRk", uri: "imap/elwood.innosoft.com"}
	if got, want := p.response("AUTHENTICATE"), "d388dad90d4bbd760a152321f2143af7"; got != want {
		t.Errorf("response = %s, want %s", got, want)
	}
	if got, want := p.response(""), "ea40f60335c427b5527b84dbabcdfffd"; got != want {
		t.Errorf("rspauth = %s, want %s", got, want)
	}
}

func TestLatin1(t *testing.T) {
	for in, want := range map[string]string{"bob": "bob", "bärbel": "b\xe4rbel", "ÿ": "\xff", "Ā": "Ā", "ж": "ж", "\xff": "\xff", "": ""} {
		if got := latin1(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func zookeeper() Digest { return Digest{Service: "zookeeper", Host: "zk-sasl-md5"} }

func users(all map[string]string) func(string) (string, bool) {
	return func(user string) (string, bool) { p, ok := all[user]; return p, ok }
}

// dance runs client and server against each other and returns who the server thinks it is.
func dance(c Client, s Conversation) (user string, err error) {
	var challenge []byte
	for serverDone := false; ; {
		token, done, err := c.Step(challenge)
		if err != nil {
			return "", fmt.Errorf("client: %w", err)
		}
		if done && token == nil {
			if !serverDone {
				return "", errors.New("the client is done before the server")
			}
			return s.User(), nil
		}
		if challenge, serverDone, err = s.Step(token); err != nil {
			return "", fmt.Errorf("server: %w", err)
		}
		if done {
			return s.User(), nil
		}
	}
}

func TestDigestLogin(t *testing.T) {
	server := &DigestServer{zookeeper(), users(map[string]string{"bob": "builder", "": "empty", `a"b\c`: `d"e\f`, "bärbel": "gänse", "жук": "жж", "none": ""})}
	for _, c := range []struct {
		user, password string
		want           error
	}{
		{"bob", "builder", nil},
		{"bob", "", ErrCredentials},
		{"bob", "builder ", ErrCredentials},
		{"alice", "builder", ErrCredentials},
		{"", "empty", nil},
		{`a"b\c`, `d"e\f`, nil},
		{"bärbel", "gänse", nil},
		{"bärbel", "ganse", ErrCredentials},
		{"жук", "жж", nil},
		{"none", "", nil},
	} {
		user, err := dance(NewDigestClient(zookeeper(), c.user, c.password), server.Begin())
		if !errors.Is(err, c.want) || (err == nil && user != c.user) {
			t.Errorf("%q, %q: %q, %v, want %v", c.user, c.password, user, err, c.want)
		}
	}
	if _, err := dance(NewDigestClient(Digest{"kafka", "zk-sasl-md5"}, "bob", "builder"), server.Begin()); err == nil || !strings.Contains(err.Error(), "digest-uri") {
		t.Errorf("another service: %v", err)
	}
}

// TestDigestServer runs testdata/digest_server.txt. Its commands:
//
//	begin      a conversation with the users bob:builder and super:duper, nonce N
//	step       the input is a token; @R in it stands for bob's right response, with authzid if
//	           the token has one, @X for a token of 4097 bytes
func TestDigestServer(t *testing.T) {
	var c *digestConversation
	datadriven.RunTest(t, "testdata/digest_server.txt", func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "begin":
			server := &DigestServer{zookeeper(), users(map[string]string{"bob": "builder", "super": "duper"})}
			c = server.Begin().(*digestConversation)
			c.nonce = "N"
			return ""
		case "step":
			token := strings.ReplaceAll(strings.ReplaceAll(d.Input, "\n", ","), "@X", strings.Repeat("x", 4097))
			if strings.Contains(token, "@R") {
				p := proof{user: "bob", realm: "zk-sasl-md5", password: "builder", nonce: "N", cnonce: "C", uri: "zookeeper/zk-sasl-md5"}
				if found, err := parseDirectives([]byte(token)); err == nil {
					p.authzid, p.hasAuthzid = found["authzid"]
					p.uri = found["digest-uri"]
				}
				token = strings.ReplaceAll(token, "@R", p.response("AUTHENTICATE"))
			}
			answer, done, err := c.Step([]byte(token))
			if err != nil {
				return fmt.Sprintf("error: %v, over: %v\n", err, errors.Is(err, ErrOver))
			}
			return fmt.Sprintf("%s\ndone %v as %q\n", answer, done, c.User())
		}
		d.Fatalf(t, "unknown command")
		return ""
	})
}

// TestUnknownUser: whatever password somebody may think to be that of a user that there is not, it
// is not: neither none nor what the server has told.
func TestUnknownUser(t *testing.T) {
	for _, password := range []string{"", "N"} {
		c := (&DigestServer{zookeeper(), users(nil)}).Begin().(*digestConversation)
		c.nonce = "N"
		if _, _, err := c.Step(nil); err != nil {
			t.Fatal(err)
		}
		p := proof{user: "eve", realm: "zk-sasl-md5", password: password, nonce: "N", cnonce: "C", uri: "zookeeper/zk-sasl-md5"}
		token := `username="eve",realm="zk-sasl-md5",nonce="N",cnonce="C",digest-uri="zookeeper/zk-sasl-md5",response=` + p.response("AUTHENTICATE")
		if _, done, err := c.Step([]byte(token)); done || !errors.Is(err, ErrCredentials) {
			t.Errorf("password %q: done %v, %v", password, done, err)
		}
	}
}

func TestDigestClient(t *testing.T) {
	for _, c := range []struct{ challenge, err string }{
		{`realm="r",nonce="n",algorithm=md5-sess`, ""},
		{`nonce="n",qop="auth-int, auth",algorithm=md5-sess`, ""},
		{`nonce="n",qop="auth-conf,auth-int",algorithm=md5-sess`, "only auth is there"},
		{`nonce="n",algorithm=md5`, "md5-sess"},
		{`realm="r",algorithm=md5-sess`, "no nonce"},
		{`rspauth=1`, "no nonce"},
		{`realm="r`, "not a list"},
		{``, "no nonce"},
	} {
		client := NewDigestClient(zookeeper(), "u", "p")
		if token, done, err := client.Step(nil); len(token) > 0 || token == nil || done || err != nil {
			t.Fatalf("first: %q, %v, %v", token, done, err)
		}
		_, done, err := client.Step([]byte(c.challenge))
		if done || (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: done %v, %v, want %q", c.challenge, done, err, c.err)
		}
		if err == nil {
			if _, _, err := client.Step([]byte("rspauth=00")); err == nil {
				t.Error("a server that does not know the password is believed")
			}
			if _, _, err := client.Step(nil); !errors.Is(err, ErrOver) {
				t.Errorf("after the end: %v", err)
			}
		}
	}
}

func TestParseDirectives(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, "map[]"},
		{` , ,`, "map[]"},
		{`a=b`, "map[a:b]"},
		{`A = b , c="d"`, "map[a:b c:d]"},
		{`a="b,c=d"`, "map[a:b,c=d]"},
		{`a="\"\\b"`, `map[a:"\b]`},
		{`a=`, "map[a:]"},
		{`a=,b=1`, "map[a: b:1]"},
		{`realm=a,realm=b`, "map[realm:a]"},
		{`a=1,a=1`, "a is there twice"},
		{`a`, "not a list"},
		{`=b`, "not a list"},
		{`a="b`, "not a list"},
		{`a="b\`, "not a list"},
		{`a="b"c`, "not a list"},
		{`a=b c`, "not a list"},
		{`"a"=b`, "not a list"},
	} {
		found, err := parseDirectives([]byte(c.in))
		got := fmt.Sprint(found)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzParseDirectives(f *testing.F) {
	f.Add([]byte(`realm="zk-sasl-md5",nonce="x\"y",charset=utf-8,algorithm=md5-sess`))
	f.Add([]byte("a=b c,=,\"\\"))
	f.Fuzz(func(t *testing.T, token []byte) {
		found, err := parseDirectives(token)
		if err != nil {
			return
		}
		var b strings.Builder
		for name, value := range found {
			b.WriteString(name + "=" + quote(value) + ",")
		}
		again, err := parseDirectives([]byte(b.String()))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(found) {
			t.Errorf("%q: %v, %v, not %v", b.String(), again, err, found)
		}
	})
}

func FuzzDigestServer(f *testing.F) {
	f.Add([]byte(`username="bob",realm="zk-sasl-md5",nonce="N",cnonce="C",nc=00000001,digest-uri="zookeeper/zk-sasl-md5",response=0,qop=auth`))
	f.Fuzz(func(t *testing.T, token []byte) {
		c := (&DigestServer{zookeeper(), users(map[string]string{"bob": "builder"})}).Begin()
		if _, _, err := c.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, done, err := c.Step(token); done || err == nil {
			t.Errorf("%q lets somebody in who knew no nonce", token)
		}
	})
}
