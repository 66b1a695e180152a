package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/protocol"
)

// saslStage is how far authentication has come.
//
//	            SaslHandshake 1              SaslAuthenticate …, success
//	saslNeeded ───────────────▶ saslTokens ─────────────────────────────▶ saslDone
//	     │                          ▲                                        │
//	     │ SaslHandshake 0          └────────── SaslHandshake 1 ─────────────┘ re-authentication
//	     ▼
//	  saslRaw: frames are tokens, until success ─▶ saslDone
//
// A failure ends the connection. Listeners without SASL begin at saslDone.
type saslStage uint8

const (
	saslNeeded saslStage = iota
	saslTokens
	saslRaw
	saslDone
)

// reauthLeastMillis is how long a client must wait before it authenticates again.
const reauthLeastMillis = 1000

var (
	errNotAuthenticated = errors.New("request before authentication")
	errSessionExpired   = errors.New("authentication has expired and was not renewed")
)

// saslState is that of one connection, of its serve goroutine.
type saslState struct {
	listener *listener
	stage    saslStage
	again    bool // this is a re-authentication
	mech     auth.Mechanism
	conv     auth.Conversation
	done     int64 // when it succeeded, ms since the server's start
	expires  int64 // 0: never
}

func (s *saslState) begin(l *listener) {
	s.listener = l
	if !l.Protocol.SASL() {
		s.stage = saslDone
	}
}

// admits says why no ordinary request may be made, if it may not.
func (s *saslState) admits(now int64) error {
	switch {
	case s.stage != saslDone:
		return errNotAuthenticated
	case s.expires > 0 && now > s.expires:
		return errSessionExpired
	}
	return nil
}

func (s *saslState) names() []string {
	names := []string{}
	for _, m := range s.listener.Mechanisms {
		names = append(names, m.Name())
	}
	return names
}

// saslHandshake chooses the mechanism. Kafka: SaslServerAuthenticator.handleHandshakeRequest.
func (c *Conn) saslHandshake(r *Request) error {
	decoded, err := r.Decode()
	if err != nil {
		return err
	}
	wanted := decoded.(*kmsg.SASLHandshakeRequest).Mechanism
	resp := kmsg.NewPtrSASLHandshakeResponse()
	s := &c.sasl
	again := s.stage == saslDone
	switch {
	case !c.listener.Protocol.SASL(),
		again && (r.Version == 0 || c.srv.now()-s.done < reauthLeastMillis),
		s.stage == saslTokens:
		resp.ErrorCode = int16(kerror.IllegalSaslState)
		resp.SupportedMechanisms = []string{}
		r.Reply(resp)
		return nil
	}
	resp.SupportedMechanisms = s.names()
	i := slices.IndexFunc(c.listener.Mechanisms, func(m auth.Mechanism) bool { return m.Name() == wanted })
	if i < 0 || again && s.mech.Name() != wanted {
		c.failedAuthentication()
		resp.ErrorCode = int16(kerror.UnsupportedSaslMechanism)
		r.Reply(resp)
		return fmt.Errorf("SASL mechanism %.40q is not one of %s", wanted, strings.Join(s.names(), ", "))
	}
	s.again, s.mech = again, c.listener.Mechanisms[i]
	s.conv = s.mech.Begin()
	s.stage = saslTokens
	if r.Version == 0 {
		s.stage = saslRaw
	}
	r.Reply(resp)
	r.Release()
	return nil
}

// saslAuthenticate takes a token in a request.
func (c *Conn) saslAuthenticate(r *Request) error {
	decoded, err := r.Decode()
	if err != nil {
		return err
	}
	resp := kmsg.NewPtrSASLAuthenticateResponse()
	resp.SASLAuthBytes = []byte{}
	if c.sasl.stage != saslTokens {
		resp.ErrorCode = int16(kerror.IllegalSaslState)
		resp.ErrorMessage = kmsg.StringPtr("SaslAuthenticate request received without, or long after, a SaslHandshake")
		r.Reply(resp)
		return nil
	}
	answer, done, err := c.step(decoded.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
	if err != nil {
		c.failedAuthentication()
		resp.ErrorCode = int16(kerror.SaslAuthenticationFailed)
		resp.ErrorMessage = kmsg.StringPtr(auth.RefusalText(err))
		r.Reply(resp)
		return c.authError(err)
	}
	if len(answer) > 0 {
		resp.SASLAuthBytes = answer
	}
	if done {
		resp.SessionLifetimeMillis = c.authenticated()
	}
	r.Reply(resp)
	r.Release()
	return nil
}

// rawToken takes a token that is a frame by itself, after SaslHandshake 0.
func (c *Conn) rawToken(r *Request, token []byte) error {
	r.Key = protocol.SaslAuthenticate
	c.srv.metrics.arrived(r)
	c.out.push(r)
	answer, done, err := c.step(token)
	if err != nil {
		// This form has no room to say so: the closed connection must do.
		c.failedAuthentication()
		return c.authError(err)
	}
	if done {
		c.authenticated()
	}
	r.raw(func(b []byte) []byte {
		b, mark := protocol.BeginFrame(b)
		return protocol.EndFrame(append(b, answer...), mark, 0)
	})
	r.Release()
	return nil
}

func (c *Conn) step(token []byte) (answer []byte, done bool, err error) {
	answer, done, err = c.sasl.conv.Step(token)
	if err != nil || !done || !c.sasl.again {
		return answer, done, err
	}
	if was, is := c.Principal(), c.sasl.conv.Principal(); was != is {
		return nil, false, auth.Refusal(fmt.Sprintf("Cannot change principals during re-authentication from %s: %s", was, is))
	}
	return answer, true, nil
}

// authenticated notes success, and returns for how long it holds, in ms; 0 is for good.
func (c *Conn) authenticated() int64 {
	s := &c.sasl
	p := s.conv.Principal()
	c.principal.Store(&p)
	s.stage, s.conv, s.done, s.expires = saslDone, nil, c.srv.now(), 0
	c.srv.metrics.Authenticated.Inc()
	lifetime := c.listener.ReauthMillis
	if own, ok := c.listener.ReauthByMechanism[s.mech.Name()]; ok {
		lifetime = own
	}
	if lifetime > 0 {
		s.expires = s.done + lifetime
	}
	return max(lifetime, 0)
}

// failedAuthentication makes a client that guesses passwords wait for the answer.
func (c *Conn) failedAuthentication() {
	c.srv.metrics.AuthFailed.Inc()
	c.out.flush()
	timer := time.NewTimer(millis(max(c.srv.cfg.FailedAuthDelayMillis, 0)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.srv.stop:
	}
}

// authError is what the log says: at Info, for it is of interest who tries.
func (c *Conn) authError(err error) error {
	c.log().Info("authentication failed", zap.String("mechanism", c.sasl.mech.Name()), zap.Error(err))
	return errors.Join(errAuthFailed, err)
}

var errAuthFailed = errors.New("authentication failed")
