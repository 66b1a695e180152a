package auth

import (
	"errors"

	"holt/sasl"
)

// SCRAM is one of the SCRAM mechanisms with Kafka's words for clients that fail.
type SCRAM struct{ mechanism *sasl.SCRAM }

// NewSCRAM makes a mechanism by its name. lookup finds a user's credential; it is called
// from any goroutine.
func NewSCRAM(mechanism string, lookup func(user string) (sasl.SCRAMCredential, bool)) (*SCRAM, error) {
	m, err := sasl.NewSCRAM(mechanism, lookup)
	if err != nil {
		return nil, err
	}
	return &SCRAM{m}, nil
}

// Name is SCRAM-SHA-256 or SCRAM-SHA-512.
func (s *SCRAM) Name() string { return s.mechanism.Name() }

// Begin starts a conversation of two steps.
func (s *SCRAM) Begin() Conversation {
	return &scramConversation{name: s.mechanism.Name(), conv: s.mechanism.Begin()}
}

type scramConversation struct {
	name string
	conv sasl.Conversation
}

func (c *scramConversation) Step(token []byte) ([]byte, bool, error) {
	answer, done, err := c.conv.Step(token)
	switch {
	case errors.Is(err, sasl.ErrAuthorizationID):
		return nil, false, Refusal("Authentication failed: Client requested an authorization id that is different from username")
	case err != nil:
		return nil, false, Refusal("Authentication failed during authentication due to invalid credentials with SASL mechanism " + c.name)
	}
	return answer, done, nil
}

func (c *scramConversation) Principal() Principal { return User(c.conv.User()) }
