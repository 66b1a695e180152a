package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// NewDigestClient makes the client's side of DIGEST-MD5.
func NewDigestClient(d Digest, user, password string) Client {
	return &digestClient{digest: d, user: user, password: password, cnonce: newNonce()}
}

type digestClient struct {
	digest         Digest
	user, password string
	cnonce         string
	proof          proof
	step           int
}

func (c *digestClient) Step(challenge []byte) ([]byte, bool, error) {
	c.step++
	switch c.step {
	case 1:
		return []byte{}, false, nil
	case 2:
		token, err := c.respond(challenge)
		return token, false, err
	case 3:
		err := c.verify(challenge)
		return nil, err == nil, err
	}
	return nil, false, ErrOver
}

func (c *digestClient) respond(challenge []byte) ([]byte, error) {
	d, err := parseDirectives(challenge)
	if err != nil {
		return nil, fmt.Errorf("challenge of %s: %w", DigestMD5, err)
	}
	if d["nonce"] == "" || d["algorithm"] != "md5-sess" {
		return nil, errors.New("challenge of " + DigestMD5 + ": no nonce, or the algorithm is not md5-sess")
	}
	if qop, ok := d["qop"]; ok && !offersAuth(qop) {
		return nil, fmt.Errorf("challenge of %s: the server asks for %s, and only auth is there", DigestMD5, qop)
	}
	realm, ok := d["realm"]
	if !ok {
		realm = c.digest.Host
	}
	c.proof = proof{user: c.user, realm: realm, password: c.password, nonce: d["nonce"], cnonce: c.cnonce, uri: c.digest.uri()}
	response := "charset=utf-8,username=" + quote(c.user) + ",realm=" + quote(realm) + ",nonce=" + quote(d["nonce"]) +
		",nc=" + firstUse + ",cnonce=" + quote(c.cnonce) + ",digest-uri=" + quote(c.digest.uri()) +
		",response=" + c.proof.response("AUTHENTICATE") + ",qop=auth"
	return []byte(response), nil
}

func offersAuth(qops string) bool {
	for qop := range strings.SplitSeq(qops, ",") {
		if strings.TrimSpace(qop) == "auth" {
			return true
		}
	}
	return false
}

// verify sees that the server knows the password too.
func (c *digestClient) verify(challenge []byte) error {
	d, err := parseDirectives(challenge)
	if err != nil {
		return fmt.Errorf("last challenge of %s: %w", DigestMD5, err)
	}
	if d["rspauth"] != c.proof.response("") {
		return errors.New("the server does not know the password")
	}
	return nil
}
