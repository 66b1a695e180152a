package sasl

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"unicode/utf8"
)

// DigestMD5 is the name of the mechanism.
const DigestMD5 = "DIGEST-MD5"

// Digest are the two names of DIGEST-MD5 that client and server have agreed upon before.
type Digest struct {
	Service string // the type of service, as zookeeper
	Host    string // the server's name, which is its realm too, as zk-sasl-md5
}

func (d Digest) uri() string { return d.Service + "/" + d.Host }

// proof is what the response is a hash of.
type proof struct {
	user, realm, password string
	nonce, cnonce, uri    string
	authzid               string
	hasAuthzid            bool
}

// response is the hash that shows that its maker knows the password: the client's with method
// AUTHENTICATE, the server's with none.
func (p *proof) response(method string) string {
	secret := md5.Sum([]byte(latin1(p.user) + ":" + latin1(p.realm) + ":" + latin1(p.password)))
	a1 := string(secret[:]) + ":" + p.nonce + ":" + p.cnonce
	if p.hasAuthzid {
		a1 += ":" + p.authzid
	}
	return hexMD5(hexMD5(a1) + ":" + p.nonce + ":" + firstUse + ":" + p.cnonce + ":auth:" + hexMD5(method+":"+p.uri))
}

// firstUse counts the uses of a nonce: there is only ever one.
const firstUse = "00000001"

func hexMD5(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

// latin1 turns UTF-8 into ISO 8859-1 if that can say it all, which the RFC asks for before
// anything is hashed.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff || r == utf8.RuneError {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

func newNonce() string {
	b := make([]byte, 30)
	rand.Read(b) // crypto/rand never fails
	return base64.StdEncoding.EncodeToString(b)
}
