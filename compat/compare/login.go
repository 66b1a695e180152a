package compare

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"holt/wire"
)

// A token of SASL may be made of what the server said last: in one of DIGEST-MD5, @N stands for the
// nonce, and @R(password) for the response to it (RFC 2831) that the rest of the token asks for. What the
// server says is made comparable in turn: its nonce becomes letters N, and its own proof, if it is right,
// letters P.

// challenge is what a client remembers of its login.
type challenge struct {
	nonce string
	proof string // that the server has to give
	// pending: the server has challenged and waits for the response. The turn ends without a
	// ping of the client then.
	pending bool
}

const (
	nonceMark     = "@N"
	challengeMark = `nonce="`
	proofMark     = "rspauth="
)

// token fills in the nonce and the response.
func (c *challenge) token(text string) string {
	text = strings.ReplaceAll(text, nonceMark, c.nonce)
	response := regexp.MustCompile(`@R\(([^)]*)\)`)
	m := response.FindStringSubmatchIndex(text)
	if m == nil {
		return text
	}
	own := response.ReplaceAllString(text, "")
	hash := func(method string) string { return digestResponse(own, text[m[2]:m[3]], method) }
	c.proof = hash("")
	return text[:m[0]] + hash("AUTHENTICATE") + text[m[1]:]
}

// digestResponse is the response of RFC 2831, section 2.1.2.1, with the directives of a token.
func digestResponse(token, password, method string) string {
	get := func(name string) string {
		m := regexp.MustCompile(`(?:^|,)` + name + `="?([^",]*)"?`).FindStringSubmatch(token)
		if m == nil {
			return ""
		}
		return m[1]
	}
	h := func(s string) string { sum := md5.Sum([]byte(s)); return string(sum[:]) }
	h16 := func(s string) string { return hex.EncodeToString([]byte(h(s))) }
	a1 := h(narrow(get("username"))+":"+narrow(get("realm"))+":"+narrow(password)) + ":" + get("nonce") + ":" + get("cnonce")
	if strings.Contains(token, "authzid=") {
		a1 += ":" + get("authzid")
	}
	return h16(h16(a1) + ":" + get("nonce") + ":00000001:" + get("cnonce") + ":auth:" + h16(method+":"+get("digest-uri")))
}

// narrow is ISO 8859-1, if that can say it.
func narrow(s string) string {
	var b []byte
	for _, r := range s {
		if r > 0xff || r == utf8.RuneError {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// hear remembers what a reply says, and makes it comparable.
func (c *challenge) hear(payload []byte) {
	d := wire.NewDecoder(payload[min(len(payload), replyHeaderSize):])
	token := d.Buffer()
	c.pending = false
	if at := bytes.Index(token, []byte(challengeMark)); at >= 0 {
		nonce := token[at+len(challengeMark):]
		nonce = nonce[:max(0, bytes.IndexByte(nonce, '"'))]
		c.nonce, c.pending = string(nonce), true
		copy(nonce, bytes.Repeat([]byte("N"), len(nonce)))
	}
	if proof, ok := bytes.CutPrefix(token, []byte(proofMark)); ok && string(proof) == c.proof {
		copy(proof, bytes.Repeat([]byte("P"), len(proof)))
	}
}

// filled returns the step with its token made of what the server said.
func (c *challenge) filled(s *Step) *Step {
	if s.Code != wire.OpSASL || len(s.Args) != 1 || !strings.Contains(s.Args[0].s, "@") {
		return s
	}
	copied := *s
	copied.Args = []value{{s: c.token(s.Args[0].s)}}
	return &copied
}
