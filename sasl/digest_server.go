package sasl

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// digestResponseMax is Java's bound on the tokens of DIGEST-MD5, in bytes.
const digestResponseMax = 4096

// DigestServer makes the server's side of DIGEST-MD5. password finds a user's; it is called
// from any goroutine.
//
// The challenge is that of Java's server without properties: realm, nonce, charset, algorithm, and
// no qop, which means auth.
type DigestServer struct {
	Digest
	Password func(user string) (string, bool)
}

// Begin starts a conversation of two steps. Whatever the client says first is passed over, as
// Java does: there is no second login by an old nonce.
func (s *DigestServer) Begin() Conversation { return &digestConversation{server: s, nonce: newNonce()} }

type digestConversation struct {
	server *DigestServer
	nonce  string
	step   int
	user   string
}

func (c *digestConversation) User() string { return c.user }

func (c *digestConversation) Step(token []byte) ([]byte, bool, error) {
	c.step++
	if len(token) > digestResponseMax {
		c.step = 2
		return nil, false, fmt.Errorf("a token of %d bytes, the most is %d", len(token), digestResponseMax)
	}
	switch c.step {
	case 1:
		return []byte("realm=" + quote(c.server.Host) + ",nonce=" + quote(c.nonce) + ",charset=utf-8,algorithm=md5-sess"), false, nil
	case 2:
		answer, err := c.verify(token)
		return answer, err == nil, err
	}
	c.step = 2
	return nil, false, ErrOver
}

// verify judges the client's response. The user's name is said in errors, the rest is not.
func (c *digestConversation) verify(token []byte) ([]byte, error) {
	d, err := parseDirectives(token)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	p := proof{user: d["username"], realm: d["realm"], nonce: d["nonce"], cnonce: d["cnonce"], uri: d["digest-uri"]}
	p.authzid, p.hasAuthzid = d["authzid"]
	if err := c.check(d); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	var known bool
	p.password, known = c.server.Password(p.user)
	if !known {
		p.password = newNonce() // nobody knows it, and the hash takes as long
	}
	want := p.response("AUTHENTICATE")
	if subtle.ConstantTimeCompare([]byte(d["response"]), []byte(want)) != 1 || !known {
		return nil, fmt.Errorf("user %.60q: %w", p.user, ErrCredentials)
	}
	c.user = p.user
	return []byte("rspauth=" + p.response("")), nil
}

// check looks at all but the proof itself.
func (c *digestConversation) check(d map[string]string) error {
	if charset, ok := d["charset"]; ok && charset != "utf-8" {
		return errors.New("the charset is not utf-8")
	}
	if _, ok := d["username"]; !ok {
		return errors.New("no username")
	}
	if d["realm"] != c.server.Host {
		return fmt.Errorf("the realm is %.60q, not %q", d["realm"], c.server.Host)
	}
	if d["nonce"] != c.nonce {
		return errors.New("the nonce is another one")
	}
	if _, ok := d["cnonce"]; !ok {
		return errors.New("no cnonce")
	}
	if qop, ok := d["qop"]; ok && qop != "auth" {
		return fmt.Errorf("the quality of protection is %.60q, not auth", qop)
	}
	if !strings.EqualFold(d["digest-uri"], c.server.uri()) {
		return fmt.Errorf("the digest-uri is %.60q, not %q", d["digest-uri"], c.server.uri())
	}
	return nil
}
