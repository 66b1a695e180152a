package network

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/xdg-go/scram"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/sasl"
)

// saslListener knows alice with the password wonder, by PLAIN and both SCRAMs.
func saslListener(t testing.TB) Listener {
	t.Helper()
	mechanisms := []auth.Mechanism{&auth.Plain{Users: map[string]string{"alice": "wonder", "bob": "build"}}}
	for _, name := range []string{sasl.SCRAMSHA256, sasl.SCRAMSHA512} {
		credential, err := sasl.SCRAMFromPassword(name, "wonder", sasl.SCRAMIterationsMin)
		if err != nil {
			t.Fatal(err)
		}
		m, err := auth.NewSCRAM(name, func(user string) (sasl.SCRAMCredential, bool) { return credential, user == "alice" })
		if err != nil {
			t.Fatal(err)
		}
		mechanisms = append(mechanisms, m)
	}
	return Listener{Name: "SASL", Protocol: SASLPlaintext, Address: "127.0.0.1:0", Mechanisms: mechanisms}
}

func handshake(version int16, mechanism string) *kmsg.SASLHandshakeRequest {
	req := kmsg.NewPtrSASLHandshakeRequest()
	req.Version, req.Mechanism = version, mechanism
	return req
}

func token(version int16, b string) *kmsg.SASLAuthenticateRequest {
	req := kmsg.NewPtrSASLAuthenticateRequest()
	req.Version, req.SASLAuthBytes = version, []byte(b)
	return req
}

func (c *client) mustHandshake(version int16, mechanism string) {
	c.t.Helper()
	if resp := c.ask(handshake(version, mechanism)).(*kmsg.SASLHandshakeResponse); resp.ErrorCode != 0 || len(resp.SupportedMechanisms) != 3 {
		c.t.Fatalf("handshake: %+v", resp)
	}
}

func (c *client) authenticate(version int16, b string) *kmsg.SASLAuthenticateResponse {
	c.t.Helper()
	return c.ask(token(version, b)).(*kmsg.SASLAuthenticateResponse)
}

// raw sends a token as a frame of its own and returns the answer.
func (c *client) raw(b string) (string, error) {
	c.t.Helper()
	c.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	answer, err := c.frame()
	return string(answer), err
}

func startSASL(t *testing.T, who chan string) *Server {
	return startToy(t, Config{Listeners: []Listener{saslListener(t)}, FailedAuthDelayMillis: -1}, whoAmI(who))
}

func TestPlain(t *testing.T) {
	who := make(chan string, 1)
	s := startSASL(t, who)
	for version := int16(0); version <= 2; version++ {
		c := dial(t, s)
		c.ask(kmsg.NewPtrApiVersionsRequest()) // may come first
		c.mustHandshake(1, "PLAIN")
		if resp := c.authenticate(version, "\x00alice\x00wonder"); resp.ErrorCode != 0 || resp.SASLAuthBytes == nil {
			t.Fatalf("version %d: %+v", version, resp)
		}
		c.ask(heartbeat(1))
		if got := <-who; got != "User:alice" {
			t.Errorf("principal %s", got)
		}
	}
	// The old handshake: tokens are frames.
	c := dial(t, s)
	c.mustHandshake(0, "PLAIN")
	if answer, err := c.raw("\x00bob\x00build"); err != nil || answer != "" {
		t.Errorf("raw: %q %v", answer, err)
	}
	c.ask(heartbeat(1))
	if got := <-who; got != "User:bob" {
		t.Errorf("principal %s", got)
	}
	if got := s.Metrics().Authenticated.Load(); got != 4 {
		t.Errorf("%d authentications were counted", got)
	}
}

func TestWrongPasswords(t *testing.T) {
	s := startSASL(t, make(chan string, 1))
	for _, tok := range []string{"\x00alice\x00wrong", "\x00carol\x00wonder", "", "\x00\x00", "alice\x00wonder", "bob\x00alice\x00wonder", "\x00alice\x00wonder\x00"} {
		c := dial(t, s)
		c.mustHandshake(1, "PLAIN")
		resp := c.authenticate(1, tok)
		if kerror.Code(resp.ErrorCode) != kerror.SaslAuthenticationFailed || resp.ErrorMessage == nil {
			t.Errorf("%q: %+v", tok, resp)
		}
		c.closed()
	}
	c := dial(t, s)
	c.mustHandshake(0, "PLAIN")
	if answer, err := c.raw("\x00alice\x00wrong"); err == nil {
		t.Errorf("raw: %q", answer)
	}
	if got := s.Metrics().AuthFailed.Load(); got != 8 {
		t.Errorf("%d failures were counted", got)
	}
}

// converse goes through SCRAM by the client of the library.
func converse(t *testing.T, mechanism, user, password string, step func(string) (string, bool)) bool {
	t.Helper()
	gen := scram.SHA256
	if mechanism == sasl.SCRAMSHA512 {
		gen = scram.SHA512
	}
	cl, err := gen.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	conv, said := cl.NewConversation(), ""
	for !conv.Done() {
		out, err := conv.Step(said)
		if err != nil {
			return false
		}
		if conv.Done() {
			break
		}
		var ok bool
		if said, ok = step(out); !ok {
			return false
		}
	}
	return conv.Valid()
}

func TestSCRAM(t *testing.T) {
	who := make(chan string, 1)
	s := startSASL(t, who)
	for _, mechanism := range []string{sasl.SCRAMSHA256, sasl.SCRAMSHA512} {
		for _, test := range []struct {
			user, password string
			ok             bool
		}{{"alice", "wonder", true}, {"alice", "wrong", false}, {"carol", "wonder", false}} {
			c := dial(t, s)
			c.mustHandshake(1, mechanism)
			rounds := 0
			ok := converse(t, mechanism, test.user, test.password, func(out string) (string, bool) {
				rounds++
				resp := c.authenticate(1, out)
				return string(resp.SASLAuthBytes), resp.ErrorCode == 0
			})
			if ok != test.ok || rounds != 2 {
				t.Errorf("%s %s %s: %v after %d rounds, want %v after 2", mechanism, test.user, test.password, ok, rounds, test.ok)
			}
			if ok {
				c.ask(heartbeat(1))
				if got := <-who; got != "User:alice" {
					t.Errorf("principal %s", got)
				}
			} else {
				c.closed()
			}
		}
		c := dial(t, s)
		c.mustHandshake(0, mechanism)
		if !converse(t, mechanism, "alice", "wonder", func(out string) (string, bool) {
			answer, err := c.raw(out)
			return answer, err == nil
		}) {
			t.Errorf("%s by raw frames fails", mechanism)
		}
		c.ask(heartbeat(1))
		<-who
	}
}

func TestNothingBeforeAuthentication(t *testing.T) {
	s := startSASL(t, make(chan string, 1))
	c := dial(t, s)
	c.send(heartbeat(1))
	c.closed()

	c = dial(t, s)
	c.mustHandshake(1, "PLAIN")
	c.send(heartbeat(1))
	c.closed()

	c = dial(t, s) // a large frame is not even read
	c.write([]byte{0, 0x10, 0, 0, 0, 0, 0, 7})
	c.closed()
}

func TestIllegalStates(t *testing.T) {
	s := startSASL(t, make(chan string, 1))
	c := dial(t, s)
	if resp := c.authenticate(1, "\x00alice\x00wonder"); kerror.Code(resp.ErrorCode) != kerror.IllegalSaslState {
		t.Errorf("a token without handshake: %+v", resp)
	}
	c.mustHandshake(1, "PLAIN")
	if resp := c.ask(handshake(1, "PLAIN")).(*kmsg.SASLHandshakeResponse); kerror.Code(resp.ErrorCode) != kerror.IllegalSaslState {
		t.Errorf("a second handshake: %+v", resp)
	}
	c = dial(t, s)
	resp := c.ask(handshake(1, "GSSAPI")).(*kmsg.SASLHandshakeResponse)
	if kerror.Code(resp.ErrorCode) != kerror.UnsupportedSaslMechanism || len(resp.SupportedMechanisms) != 3 {
		t.Errorf("GSSAPI: %+v", resp)
	}
	c.closed()

	plain := dial(t, startToy(t, Config{}, echo))
	if resp := plain.ask(handshake(1, "PLAIN")).(*kmsg.SASLHandshakeResponse); kerror.Code(resp.ErrorCode) != kerror.IllegalSaslState {
		t.Errorf("on a listener without SASL: %+v", resp)
	}
	plain.ask(heartbeat(1))
}

func TestFailedAuthenticationIsSlow(t *testing.T) {
	l := saslListener(t)
	bubble(t, Config{Listeners: []Listener{l}, FailedAuthDelayMillis: 700}, echo, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.mustHandshake(1, "PLAIN")
		begin := time.Now()
		c.authenticate(1, "\x00alice\x00wrong")
		c.closed()
		if d := time.Since(begin); d != 700*time.Millisecond {
			t.Errorf("took %s", d)
		}
	})
}

func TestReauthentication(t *testing.T) {
	l := saslListener(t)
	l.ReauthMillis = 60_000
	who := make(chan string, 10)
	bubble(t, Config{Listeners: []Listener{l}}, whoAmI(who), func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.mustHandshake(1, "PLAIN")
		if resp := c.authenticate(1, "\x00alice\x00wonder"); resp.SessionLifetimeMillis != 60_000 {
			t.Errorf("lifetime %d", resp.SessionLifetimeMillis)
		}
		if resp := c.ask(handshake(1, "PLAIN")).(*kmsg.SASLHandshakeResponse); kerror.Code(resp.ErrorCode) != kerror.IllegalSaslState {
			t.Errorf("at once again: %+v", resp)
		}
		for range 5 {
			time.Sleep(50 * time.Second)
			c.ask(heartbeat(1))
			c.mustHandshake(1, "PLAIN")
			if resp := c.authenticate(1, "\x00alice\x00wonder"); resp.ErrorCode != 0 {
				t.Fatalf("again: %+v", resp)
			}
		}
		time.Sleep(61 * time.Second)
		c.send(heartbeat(1)) // too late
		c.closed()

		c = dial()
		c.mustHandshake(1, "PLAIN")
		c.authenticate(1, "\x00alice\x00wonder")
		time.Sleep(2 * time.Second)
		c.mustHandshake(1, "PLAIN")
		resp := c.authenticate(1, "\x00bob\x00build")
		if kerror.Code(resp.ErrorCode) != kerror.SaslAuthenticationFailed {
			t.Errorf("as somebody else: %+v", resp)
		}
		c.closed()

		c = dial()
		c.mustHandshake(1, "PLAIN")
		c.authenticate(1, "\x00alice\x00wonder")
		time.Sleep(2 * time.Second)
		other := c.ask(handshake(1, sasl.SCRAMSHA256)).(*kmsg.SASLHandshakeResponse)
		if kerror.Code(other.ErrorCode) != kerror.UnsupportedSaslMechanism {
			t.Errorf("by another mechanism: %+v", other)
		}
		c.closed()
	})
}

func TestTokenOfAMegabyte(t *testing.T) {
	c := dial(t, startSASL(t, make(chan string, 1)))
	c.mustHandshake(0, "PLAIN")
	c.write([]byte{0, 0x10, 0, 0})
	if _, err := c.frame(); err != io.EOF && err == nil {
		t.Error("was read")
	}
}
