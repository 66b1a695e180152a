package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Login is how members prove to each other who they are before the hello; see doc.go. What the tokens say
// is the mechanism's affair.
type Login struct {
	// Begin starts a login at the peer at addr, as Config.Dial takes it, before there is a connection. Nil: this member
	// does not log in at others. While it fails the peer is not dialled. A side that has a method Refused is told by it that
	// the peer did not take the login.
	Begin func(ctx context.Context, addr string) (LoginSide, error)
	// Accept starts the login of a peer that begins one.
	Accept func() LoginSide
	// Required refuses peers that do not log in.
	Required bool
	// Refused is told of each peer whose login failed, and of those that did not log in (ErrNoLogin).
	Refused func(remote net.Addr, err error)
}

// LoginSide is one side of one login.
type LoginSide interface {
	// Step takes the other side's token, nil for the first of the side that dials, and returns what to answer. With
	// done the other side has proved who it is, or has nothing to prove. After an error or done there is no other step.
	Step(token []byte) (answer []byte, done bool, err error)
}

// refusable is a LoginSide that wants to know when the other side refuses it.
type refusable interface{ Refused() }

// ErrNoLogin is Login.Refused's for a peer that did not log in where that is required.
var ErrNoLogin = errors.New("it does not log in, which quorum.auth.serverRequireSasl wants")

// errLogin: this member's login at a peer failed, and comes to nothing however often it is tried.
var errLogin = errors.New("login at peer")

// errBegin: there is nothing to log in with. It wraps nothing: whether whoever has it cannot be reached says nothing of the peer.
var errBegin = errors.New("nothing to log in with")

const (
	loginMagic   = "SASL" // where a hello has helloMagic
	loginVersion = 1
	// loginTokenMax bounds a token, in bytes: a Kerberos ticket with all the groups that a domain controller puts
	// in has 48 KiB.
	loginTokenMax = 64 << 10
	// loginStepsMax bounds the steps of one side; no mechanism has more than three.
	loginStepsMax = 8
)

// What a step says besides its token.
const (
	stepOn      byte = iota // the other side's turn
	stepDone                // of the side that accepted: the peer is logged in
	stepRefused             // of the side that accepted: it is not, the token is a text
)

func appendStep(b []byte, status byte, token []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, status), uint32(len(token)))
	return append(b, token...)
}

func readStep(r io.Reader) (status byte, token []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > loginTokenMax {
		return 0, nil, fmt.Errorf("a token of %d bytes, the most is %d: %w", n, loginTokenMax, errMalformed)
	}
	if head[0] > stepRefused {
		return 0, nil, fmt.Errorf("step %d of a login: %w", head[0], errMalformed)
	}
	token, err = readGrowing(r, int(n))
	return head[0], token, err
}

// logIn proves to the peer at the other end who this member is, and has it prove that it knows. The caller has the
// connection closed when it takes too long.
func logIn(conn net.Conn, side LoginSide) error {
	out := append([]byte(loginMagic), loginVersion)
	var challenge []byte
	for n := range loginStepsMax {
		token, done, err := side.Step(challenge)
		if err != nil {
			return fmt.Errorf("%w: %w", errLogin, err)
		}
		if _, err := conn.Write(appendStep(out, stepOn, token)); err != nil {
			return err
		}
		out = nil
		status, answer, err := readStep(conn)
		switch {
		case n == 0 && errors.Is(err, io.EOF):
			return fmt.Errorf("%w: it hung up: set quorum.auth.enableSasl=true there first, with a version of Holt that knows it", errLogin)
		case err != nil:
			return err
		case status == stepRefused:
			if side, ok := side.(refusable); ok {
				side.Refused()
			}
			return fmt.Errorf("%w: %.1000s", errRefused, answer)
		case status == stepDone:
			return endLogin(side, done, answer)
		case done:
			return fmt.Errorf("%w: it asks for more than the mechanism has", errLogin)
		}
		challenge = answer
	}
	return fmt.Errorf("%w: it does not come to an end", errLogin)
}

// endLogin sees that the peer that took the login has proved itself too.
func endLogin(side LoginSide, done bool, answer []byte) error {
	if done && len(answer) == 0 {
		return nil
	}
	if done {
		return fmt.Errorf("%w: %w", errLogin, errMalformed)
	}
	switch token, done, err := side.Step(answer); {
	case err != nil:
		return fmt.Errorf("%w: %w", errLogin, err)
	case !done || len(token) > 0:
		return fmt.Errorf("%w: it ends before it has proved itself", errLogin)
	}
	return nil
}

// introduction reads what a peer says of itself: the login, if it begins one, and the hello. noLogin is the answer to
// the hello of a peer that should have logged in. The caller has set a deadline.
func (t *Transport) introduction(conn net.Conn) (h hello, noLogin, err error) {
	var first [len(loginMagic)]byte
	if _, err := io.ReadFull(conn, first[:]); err != nil {
		return hello{}, nil, err
	}
	if string(first[:]) == loginMagic {
		if err := t.takeLogin(conn); err != nil {
			return hello{}, nil, err
		}
		h, err = readHello(conn)
		return h, nil, err
	}
	h, err = readHello(io.MultiReader(bytes.NewReader(first[:]), conn))
	if l := t.cfg.Login; err == nil && l != nil && l.Required {
		t.tellRefused(conn, ErrNoLogin)
		noLogin = fmt.Errorf("member %d wants a login: set quorum.auth.enableSasl=true and quorum.auth.learnerRequireSasl=true on this one too", t.cfg.ID)
	}
	return h, noLogin, err
}

func (t *Transport) tellRefused(conn net.Conn, err error) {
	if t.cfg.Login.Refused != nil {
		t.cfg.Login.Refused(conn.RemoteAddr(), err)
	}
}

// takeLogin has a peer log in. Where a login fails the connection ends, whether logins are required or not: the peer
// does not go on either.
func (t *Transport) takeLogin(conn net.Conn) error {
	var version [1]byte
	if _, err := io.ReadFull(conn, version[:]); err != nil {
		return err
	}
	var side LoginSide
	if t.cfg.Login != nil {
		side = t.cfg.Login.Accept()
	}
	for range loginStepsMax {
		_, token, err := readStep(conn)
		switch {
		case errors.Is(err, errMalformed):
			if side != nil {
				t.tellRefused(conn, err)
			}
			return t.refuseLogin(conn, "malformed", err)
		case err != nil:
			return err
		case version[0] != loginVersion:
			return t.refuseLogin(conn, fmt.Sprintf("this member knows version %d", loginVersion), errMalformed)
		case side == nil:
			return t.refuseLogin(conn, "it takes none yet: set quorum.auth.enableSasl=true there first", errors.New("no logins here"))
		}
		answer, done, err := side.Step(token)
		if err != nil {
			t.tellRefused(conn, err)
			// The peer is told no more than that: who it is has not been proved.
			return t.refuseLogin(conn, "wrong credentials; its log says more", err)
		}
		status := stepOn
		if done {
			status = stepDone
		}
		if _, err := conn.Write(appendStep(nil, status, answer)); err != nil || done {
			return err
		}
	}
	t.tellRefused(conn, errMalformed)
	return errMalformed
}

func (t *Transport) refuseLogin(conn net.Conn, text string, cause error) error {
	text = fmt.Sprintf("login at member %d: %s", t.cfg.ID, text)
	_, err := conn.Write(appendStep(nil, stepRefused, []byte(text)))
	return errors.Join(cause, err)
}
