package sasl

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// The SCRAM mechanisms.
const (
	SCRAMSHA256 = "SCRAM-SHA-256"
	SCRAMSHA512 = "SCRAM-SHA-512"
)

// Bounds of SCRAM's iterations, as Kafka has them.
const (
	SCRAMIterationsMin = 4096
	SCRAMIterationsMax = 16384
)

// SCRAMCredential is what is kept of a password.
type SCRAMCredential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int
}

func scramHash(mechanism string) (func() hash.Hash, error) {
	switch mechanism {
	case SCRAMSHA256:
		return sha256.New, nil
	case SCRAMSHA512:
		return sha512.New, nil
	}
	return nil, fmt.Errorf("%s is not a SCRAM mechanism", mechanism)
}

// SCRAMFromSalted makes a credential of a salted password, which is what clients send
// to create one.
func SCRAMFromSalted(mechanism string, salt, salted []byte, iterations int) (SCRAMCredential, error) {
	newHash, err := scramHash(mechanism)
	if err != nil {
		return SCRAMCredential{}, err
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(newHash, key)
		h.Write([]byte(text)) // a hash never fails
		return h.Sum(nil)
	}
	stored := newHash()
	stored.Write(mac(salted, "Client Key"))
	return SCRAMCredential{Salt: salt, StoredKey: stored.Sum(nil), ServerKey: mac(salted, "Server Key"), Iterations: iterations}, nil
}

// SCRAMFromPassword makes a credential with a salt of its own.
func SCRAMFromPassword(mechanism, password string, iterations int) (SCRAMCredential, error) {
	newHash, err := scramHash(mechanism)
	if err != nil {
		return SCRAMCredential{}, err
	}
	salt := make([]byte, 24)
	rand.Read(salt) // crypto/rand never fails
	salted, err := pbkdf2.Key(newHash, password, salt, iterations, newHash().Size())
	if err != nil {
		return SCRAMCredential{}, fmt.Errorf("derive key: %w", err)
	}
	return SCRAMFromSalted(mechanism, salt, salted, iterations)
}

// String is the form in which credentials stand in the tree.
func (c SCRAMCredential) String() string {
	enc := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("salt=%s,stored_key=%s,server_key=%s,iterations=%d", enc(c.Salt), enc(c.StoredKey), enc(c.ServerKey), c.Iterations)
}

// ParseSCRAM reads what String writes, the parts in any order.
func ParseSCRAM(s string) (SCRAMCredential, error) {
	var c SCRAMCredential
	seen := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || seen[name] {
			return SCRAMCredential{}, errors.New("SCRAM credential: not name=value, each once")
		}
		seen[name] = true
		var err error
		switch name {
		case "salt":
			c.Salt, err = base64.StdEncoding.DecodeString(value)
		case "stored_key":
			c.StoredKey, err = base64.StdEncoding.DecodeString(value)
		case "server_key":
			c.ServerKey, err = base64.StdEncoding.DecodeString(value)
		case "iterations":
			c.Iterations, err = strconv.Atoi(value)
		default:
			err = errors.New("not known")
		}
		if err != nil {
			return SCRAMCredential{}, fmt.Errorf("SCRAM credential: %s: %w", name, err)
		}
	}
	if len(seen) != 4 || c.Iterations < 1 || len(c.Salt) == 0 || len(c.StoredKey) == 0 || len(c.ServerKey) == 0 {
		return SCRAMCredential{}, errors.New("SCRAM credential: not all of salt, stored_key, server_key, iterations")
	}
	return c, nil
}

// SCRAM is one of the SCRAM mechanisms (RFC 5802), without channel binding.
type SCRAM struct {
	name   string
	hash   func() hash.Hash
	lookup func(user string) SCRAMCredential
}

// NewSCRAM makes a mechanism by its name. lookup finds a user's credential; it is called
// from any goroutine.
//
// A user that there is not is asked for a password all the same, so that names cannot
// be found out. Differs from Kafka, which says so at once.
func NewSCRAM(mechanism string, lookup func(user string) (SCRAMCredential, bool)) (*SCRAM, error) {
	newHash, err := scramHash(mechanism)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // crypto/rand never fails
	return &SCRAM{mechanism, newHash, func(user string) SCRAMCredential {
		c, ok := lookup(user)
		if !ok {
			c = nobody(secret, user, newHash().Size())
		}
		return c
	}}, nil
}

func scramGenerator(mechanism string) (scram.HashGeneratorFcn, error) {
	switch mechanism {
	case SCRAMSHA256:
		return scram.SHA256, nil
	case SCRAMSHA512:
		return scram.SHA512, nil
	}
	return nil, fmt.Errorf("%s is not a SCRAM mechanism", mechanism)
}

// nobody is the credential of a user that there is not: the same each time it is asked
// for, and no password belongs to it.
func nobody(secret []byte, user string, size int) SCRAMCredential {
	mac := func(what string) []byte {
		h := hmac.New(sha512.New, secret)
		h.Write([]byte(what + "\x00" + user)) // a hash never fails
		return h.Sum(nil)
	}
	return SCRAMCredential{Salt: mac("salt")[:24], StoredKey: mac("stored")[:size], ServerKey: mac("server")[:size], Iterations: SCRAMIterationsMin}
}

// Name is SCRAM-SHA-256 or SCRAM-SHA-512.
func (s *SCRAM) Name() string { return s.name }

// Begin starts a conversation of two steps.
func (s *SCRAM) Begin() Conversation {
	return &scramConversation{name: s.name, server: scramServer{hash: s.hash, lookup: s.lookup, nonce: scramNonce}}
}

type scramConversation struct {
	name   string
	server scramServer
	over   bool
}

func (c *scramConversation) Step(token []byte) ([]byte, bool, error) {
	if c.over {
		return nil, false, ErrOver
	}
	answer, err := c.server.next(string(token))
	if err == nil && c.server.step < 2 {
		return []byte(answer), false, nil
	}
	c.over = true
	if err != nil {
		return nil, false, fmt.Errorf("%s of user %.60q: %w", c.name, c.server.user, ErrCredentials)
	}
	if authzid := c.server.authzid; authzid != "" && authzid != c.server.user {
		return nil, false, fmt.Errorf("%s of user %.60q: %w", c.name, c.server.user, ErrAuthorizationID)
	}
	return []byte(answer), true, nil
}

func (c *scramConversation) User() string { return c.server.user }

// SCRAMInitial reports whether a client's first token is one of SCRAM: it begins with what the client
// says about channel bindings.
func SCRAMInitial(token []byte) bool {
	return len(token) > 1 && (token[0] == 'n' || token[0] == 'y') && token[1] == ',' || bytes.HasPrefix(token, []byte("p="))
}

// NewSCRAMClient makes the client's side.
func NewSCRAMClient(mechanism, user, password string) (Client, error) {
	gen, err := scramGenerator(mechanism)
	if err != nil {
		return nil, err
	}
	c, err := gen.NewClient(user, password, "")
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", mechanism, err)
	}
	return &scramClient{conv: c.NewConversation()}, nil
}

type scramClient struct{ conv *scram.ClientConversation }

func (c *scramClient) Step(challenge []byte) ([]byte, bool, error) {
	if c.conv.Done() {
		return nil, false, ErrOver
	}
	token, err := c.conv.Step(string(challenge))
	switch {
	case err != nil:
		return nil, false, err
	case c.conv.Done():
		return nil, true, nil
	}
	return []byte(token), false, nil
}
