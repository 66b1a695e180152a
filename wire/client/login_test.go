package client

import (
	"context"
	"errors"
	"testing"

	"holt/wire"
)

// steps is a Login that says what it is told to.
type steps struct {
	tokens []string // "-" is a nil token
	last   int      // the step that is done; −1 fails
	at     int
	heard  []string
}

func (s *steps) Step(challenge []byte) ([]byte, bool, error) {
	s.heard = append(s.heard, string(challenge))
	i := s.at
	s.at++
	if s.last < 0 {
		return nil, false, errors.New("wrong proof")
	}
	if s.tokens[i] == "-" {
		return nil, i == s.last, nil
	}
	return []byte(s.tokens[i]), i == s.last, nil
}

func TestLogin(t *testing.T) {
	for name, c := range map[string]struct {
		login   steps
		answers []wire.SetSASLResponse
		code    wire.ErrCode // of the last answer
		failed  bool
	}{
		"three steps":        {steps{tokens: []string{"", "a", "-"}, last: 2}, []wire.SetSASLResponse{{Token: []byte("x")}, {Token: []byte("y")}}, wire.OK, false},
		"token at the end":   {steps{tokens: []string{"a", "b"}, last: 1}, []wire.SetSASLResponse{{Token: []byte("x")}, {}}, wire.OK, false},
		"refused":            {steps{tokens: []string{"a", "b"}, last: 1}, []wire.SetSASLResponse{{Token: []byte("x")}, {}}, wire.ErrAuthFailed, true},
		"refused, enforced":  {steps{tokens: []string{"a", "b"}, last: 1}, []wire.SetSASLResponse{{}}, wire.ErrSessionClosedRequireSaslAuth, true},
		"no SASL there":      {steps{tokens: []string{"a", "b"}, last: 1}, []wire.SetSASLResponse{{}}, wire.OK, true},
		"server not trusted": {steps{last: -1}, nil, wire.OK, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, server := connect(t, Options{NoPings: true})
			ended := make(chan error, 1)
			go func() { ended <- conn.Login(context.Background(), &c.login) }()
			for i, a := range c.answers {
				r, code := server.expect(wire.OpSASL), wire.OK
				if i == len(c.answers)-1 {
					code = c.code
				}
				server.reply(r.Xid, 0, code, &a)
			}
			err := <-ended
			var failed *LoginError
			if errors.As(err, &failed) != c.failed || (err == nil) == c.failed {
				t.Errorf("%v, failed %v", err, c.failed)
			}
		})
	}
}
