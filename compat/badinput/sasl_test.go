package badinput

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
)

// saslBound bounds the answer to a token: none may cost more than its reading.
const saslBound = 5 * time.Second

// startSASL starts one server that has the user bob.
func startSASL(t *testing.T) (*ensemble.Member, ensemble.Kind) {
	t.Helper()
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	text := "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n    user_bob=\"builder\";\n};\n"
	if err := os.WriteFile(jaas, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := target.Start(t, ensemble.Config{
		Settings:   []string{"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"},
		Properties: []string{"java.security.auth.login.config=" + jaas},
	})
	return e.Members()[0], target.Kind(t)
}

// tokens are those of a login that lie, or are far too large, each sent as the first and as the
// second one.
func tokens() map[string]string {
	const most = 1_000_000 // nearly a frame
	response := `username="bob",realm="zk-sasl-md5",nonce="x",nc=00000001,cnonce="C",digest-uri="zookeeper/zk-sasl-md5",response=0123456789abcdef0123456789abcdef,qop=auth`
	return map[string]string{
		"zeros":                      strings.Repeat("\x00", most),
		"no directives":              strings.Repeat("x", most),
		"a user of a million bytes":  strings.Replace(response, "bob", strings.Repeat("b", most), 1),
		"a million commas":           strings.Repeat(",", most),
		"many directives":            strings.Repeat("a=b,", most/4),
		"the same directive again":   strings.Repeat(`username="bob",`, most/15),
		"quotes that do not end":     strings.Repeat(`username="`, most/10),
		"backslashes":                `username="` + strings.Repeat(`\`, most) + `"`,
		"no UTF-8":                   strings.Replace(response, "bob", "\xff\xfe\x80", 1),
		"a count that is none":       strings.Replace(response, "00000001", "zzzzzzzz", 1),
		"a response of no length":    strings.Replace(response, "0123456789abcdef", "", 2),
		"another nonce":              response,
		"a proof that has no end":    strings.Replace(response, "0123456789abcdef", strings.Repeat("0", most), 1),
		"SCRAM":                      "n,,n=bob,r=" + strings.Repeat("r", most),
		"the beginning of Kerberos'": "\x60\x84\x7f\xff\xff\xff\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
	}
}

// TestBadTokens sends them. Each is answered, or the connection closed, at once, and nobody is
// logged in.
func TestBadTokens(t *testing.T) {
	m, kind := startSASL(t)
	beside := newWitness(t, m)
	check := boundedMemory(t, m, kind)
	sasl := func(xid wire.Xid, token string) []byte {
		return request(xid, wire.OpSASL, (&wire.GetSASLRequest{Token: []byte(token)}).AppendTo(nil))
	}
	for name, token := range tokens() {
		for _, first := range []bool{true, false} {
			when := "second/"
			if first {
				when = "first/"
			}
			t.Run(when+name, func(t *testing.T) {
				r := dialRaw(t, m.Addr())
				r.open()
				if !first {
					r.write(sasl(1, ""))
				}
				began := time.Now()
				r.write(sasl(2, token))
				got := r.reaction()
				if took := time.Since(began); took > saslBound {
					t.Errorf("%q after %v", got, took)
				}
				if !first && !strings.HasSuffix(got, "closed") {
					t.Errorf("reaction %q to a token that proves nothing, want the connection closed", got)
				}
				beside.served(t)
			})
		}
	}
	for name, body := range map[string][]byte{
		"no token": nil, "length -2": i32(-2), "length 2^31-1": i32(1<<31 - 1), "longer than the frame": join(i32(100), []byte("x")),
	} {
		t.Run("lying/"+name, func(t *testing.T) {
			r := dialRaw(t, m.Addr())
			r.open()
			r.write(request(1, wire.OpSASL, body))
			if got := r.reaction(); !strings.HasSuffix(got, "closed") {
				t.Errorf("reaction %q, want the connection closed", got)
			}
			beside.served(t)
		})
	}
	check()
}

// TestEndlessLogin begins a login again and again on one connection.
func TestEndlessLogin(t *testing.T) {
	m, kind := startSASL(t)
	beside := newWitness(t, m)
	check := boundedMemory(t, m, kind)
	r := dialRaw(t, m.Addr())
	r.open()
	empty := request(1, wire.OpSASL, (&wire.GetSASLRequest{Token: []byte{}}).AppendTo(nil))
	for range 10_000 {
		r.extend()
		if _, err := r.conn.Write(empty); err != nil {
			break // closed, as it should be
		}
	}
	beside.served(t)
	check()
}
