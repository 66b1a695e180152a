package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
)

// Plain is the mechanism PLAIN (RFC 4616): name and password as they are, so on
// TLS only. Users maps names to passwords and must not change.
type Plain struct{ Users map[string]string }

// Name is PLAIN.
func (p *Plain) Name() string { return "PLAIN" }

// Begin starts a conversation of one step.
func (p *Plain) Begin() Conversation { return &plainConversation{users: p.Users} }

type plainConversation struct {
	users map[string]string
	name  string
}

func (c *plainConversation) Step(token []byte) ([]byte, bool, error) {
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 {
		return nil, false, Refusal("Authentication failed: the PLAIN token is not authorization id, name and password")
	}
	authzid, name, password := string(parts[0]), string(parts[1]), parts[2]
	switch {
	case name == "":
		return nil, false, Refusal("Authentication failed: username not specified")
	case len(password) == 0:
		return nil, false, Refusal("Authentication failed: password not specified")
	}
	want, known := c.users[name]
	// Both are hashed so that the time says neither whether the name is known nor
	// how long the password is.
	got, expected := sha256.Sum256(password), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(got[:], expected[:]) != 1 || !known {
		return nil, false, Refusal("Authentication failed: Invalid username or password")
	}
	if authzid != "" && authzid != name {
		return nil, false, Refusal("Authentication failed: Client requested an authorization id that is different from username")
	}
	c.name = name
	return []byte{}, true, nil
}

func (c *plainConversation) Principal() Principal { return User(c.name) }
