package client

import (
	"context"
	"errors"
	"fmt"

	"holt/wire"
)

// Login is the client's side of a SASL mechanism: Step takes what the server said, nil at first, and
// returns what to send to it, nil for nothing. With done no more is expected of the server than that it
// takes the token.
type Login interface {
	Step(challenge []byte) (token []byte, done bool, err error)
}

// LoginError says that a login failed for good: the server refused it, or could not show that it knows
// the client.
type LoginError struct{ Err error }

// Error is the text.
func (e *LoginError) Error() string { return "login by SASL: " + e.Err.Error() }

// Unwrap is the cause.
func (e *LoginError) Unwrap() error { return e.Err }

var errNoSASL = errors.New("the server does not know SASL, or not this mechanism")

// Login logs the session in by SASL. The identity is the connection's, so it has to be done
// again on each. The error is a *LoginError, or that of a lost connection or of ctx.
func (c *Conn) Login(ctx context.Context, l Login) error {
	var challenge []byte
	for {
		token, done, err := l.Step(challenge)
		if err != nil {
			return &LoginError{err}
		}
		if done && token == nil {
			return nil
		}
		challenge, err = c.SASL(ctx, token)
		switch {
		case errors.Is(err, wire.ErrAuthFailed) || errors.Is(err, wire.ErrSessionClosedRequireSaslAuth):
			return &LoginError{fmt.Errorf("the server refused it: %w", err)}
		case err != nil:
			return err
		case done:
			return nil
		case challenge == nil:
			return &LoginError{errNoSASL}
		}
	}
}
