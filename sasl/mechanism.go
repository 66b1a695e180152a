package sasl

import "errors"

// Conversation is the server's side of one attempt of a client.
type Conversation interface {
	// Step takes what the client said and returns what to say to it, which is nil for nothing.
	// With done the client has proved to be User. After an error or done the conversation
	// is over, and Step returns ErrOver.
	Step(token []byte) (answer []byte, done bool, err error)
	// User is the authentication id, once Step said done.
	User() string
}

// Client is the client's side.
type Client interface {
	// Step takes what the server said, nil at first, and returns what to send to it. With done
	// the server has proved to know the client too, or has nothing to prove; a token that is not nil
	// is to be sent still, and whatever the server answers is not for Step.
	Step(challenge []byte) (token []byte, done bool, err error)
}

// ErrOver is what Step returns when a conversation has ended.
var ErrOver = errors.New("the exchange is over")

// ErrCredentials says that the password is wrong or that there is no such user: which
// of them is not told.
var ErrCredentials = errors.New("wrong user or password")

// ErrAuthorizationID says that somebody who proved to be one user wants to act as another.
var ErrAuthorizationID = errors.New("the client wants to act as another user")
