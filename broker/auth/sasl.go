package auth

import "errors"

// Mechanism is a way to authenticate. Any number of conversations may go on at once.
type Mechanism interface {
	// Name is that of SASL, as SCRAM-SHA-256.
	Name() string
	// Begin starts a conversation with one client.
	Begin() Conversation
}

// Conversation is one attempt of a client to authenticate.
type Conversation interface {
	// Step takes what the client said and returns what to say to it. With done the
	// client is authenticated as Principal. After an error the conversation is
	// over; an error that is a Refusal has a text for the client, any other is told as
	// "Authentication failed".
	Step(token []byte) (answer []byte, done bool, err error)
	// Principal is who the client proved to be, once Step said done.
	Principal() Principal
}

// Refusal is why a client was not authenticated, in words that it may see.
type Refusal string

// Error is the text.
func (r Refusal) Error() string { return string(r) }

// RefusalText is what a client is told about a failed Step.
func RefusalText(err error) string {
	var r Refusal
	if errors.As(err, &r) {
		return string(r)
	}
	return "Authentication failed"
}
