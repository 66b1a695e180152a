package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holt/quorum/simnet"
)

// toy is a mechanism of two steps: the server draws a challenge, each side answers it with the password.
type toy struct {
	password string
	server   bool
	step     int
}

var errToy = errors.New("wrong password")

func (s *toy) Step(token []byte) ([]byte, bool, error) {
	s.step++
	switch {
	case s.server && s.step == 1:
		return []byte("who"), false, nil
	case s.server && s.step == 2:
		if string(token) != "client "+s.password {
			return nil, false, errToy
		}
		return []byte("server " + s.password), true, nil
	case !s.server && s.step == 1:
		return []byte{}, false, nil
	case !s.server && s.step == 2:
		return []byte("client " + s.password), false, nil
	case !s.server && s.step == 3:
		if string(token) != "server "+s.password {
			return nil, false, errToy
		}
		return nil, true, nil
	}
	return nil, false, errors.New("over")
}

// loginMode is a column of the table in doc.go.
type loginMode int

const (
	loginOff loginMode = iota
	loginAccepted
	loginBoth
	loginRequired
)

func (m loginMode) String() string { return [...]string{"off", "accept", "dial", "require"}[m] }

// doorbook is what a Login refused.
type doorbook struct {
	mu   sync.Mutex
	errs []error
}

func (d *doorbook) all() []error { d.mu.Lock(); defer d.mu.Unlock(); return d.errs }

func (m loginMode) login(password string) (*Login, *doorbook) {
	d := &doorbook{}
	if m == loginOff {
		return nil, d
	}
	l := &Login{
		Accept:   func() LoginSide { return &toy{password: password, server: true} },
		Required: m == loginRequired,
		Refused:  func(_ net.Addr, err error) { d.mu.Lock(); d.errs = append(d.errs, err); d.mu.Unlock() },
	}
	if m >= loginBoth {
		l.Begin = func(context.Context, string) (LoginSide, error) { return &toy{password: password}, nil }
	}
	return l, d
}

// connected says whether the payloads of a reach b.
func connected(a, b *end, text string) bool {
	_ = a.Send(b.id, []byte(text)) // lost where there is no connection
	time.Sleep(100 * time.Millisecond)
	for _, p := range b.look().payloads {
		if p == text {
			return true
		}
	}
	return false
}

// TestLoginModes has a member in each mode connect to one in each mode: neighbours in the order of the modes, which
// are what a rolling activation meets, understand each other in both directions.
func TestLoginModes(t *testing.T) {
	for from := loginOff; from <= loginRequired; from++ {
		for to := loginOff; to <= loginRequired; to++ {
			want := to == loginOff && from < loginBoth || to == loginAccepted || to == loginBoth || to == loginRequired && from >= loginBoth
			if max(from, to)-min(from, to) < 2 && !want {
				t.Errorf("%v and %v are met together when an ensemble is switched over", from, to)
			}
			t.Run(fmt.Sprintf("%v to %v", from, to), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, _ := pairLogin(t, from, "secret", to, "secret")
					defer closeAll(t, a, b)
					if got := connected(a, b, "x"); got != want {
						t.Errorf("connected: %t", got)
					}
					_, err := a.Ask(t.Context(), 2, "m2:1", []byte("?"))
					if (err == nil) != want {
						t.Errorf("ask: %v", err)
					}
					if lines := a.logs.Len(); (lines == 1) == want || lines > 1 {
						t.Errorf("%d lines at the one who dials: %v", lines, a.logs.All())
					}
				})
			})
		}
	}
}

func pairLogin(t *testing.T, from loginMode, pa string, to loginMode, pb string) (a, b *end, refused *doorbook) {
	t.Helper()
	n := simnet.New(1)
	n.SetAll(simnet.Link{Delay: time.Millisecond})
	la, _ := from.login(pa)
	lb, refused := to.login(pb)
	a, b = newEndLogin(t, n, 1, la), newEndLogin(t, n, 2, lb)
	a.SetPeers(map[uint64]string{2: "m2:1"})
	time.Sleep(100 * time.Millisecond)
	return a, b, refused
}

func TestLoginWrongPassword(t *testing.T) {
	for mode := loginAccepted; mode <= loginRequired; mode++ {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, refused := pairLogin(t, loginRequired, "guess", mode, "secret")
				defer closeAll(t, a, b)
				if connected(a, b, "x") {
					t.Error("connected")
				}
				time.Sleep(10 * time.Second)
				if errs := refused.all(); len(errs) == 0 || !errors.Is(errs[0], errToy) {
					t.Errorf("refused: %v", errs)
				}
				lines := a.logs.All()
				if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0].ContextMap()["error"]), "login at member 2: wrong credentials") {
					t.Errorf("log of the refused: %v", lines)
				}
			})
		})
	}
}

// TestLoginNothingToLogInWith: a member that has nothing to log in with does not dial, says so once, and takes nothing
// that it hears on the way to it for a word about the peer.
func TestLoginNothingToLogInWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		n.SetAll(simnet.Link{Delay: time.Millisecond})
		var away atomic.Bool
		away.Store(true)
		la, _ := loginRequired.login("secret")
		begin := la.Begin
		la.Begin = func(ctx context.Context, addr string) (LoginSide, error) {
			if away.Load() {
				return nil, fmt.Errorf("no ticket: %w", syscall.ECONNREFUSED)
			}
			return begin(ctx, addr)
		}
		lb, _ := loginRequired.login("another")
		a, b := newEndLogin(t, n, 1, la), newEndLogin(t, n, 2, lb)
		defer closeAll(t, a, b)
		a.SetPeers(map[uint64]string{2: "m2:1"})
		time.Sleep(10 * time.Second)
		if lines := a.logs.FilterMessage("cannot log in at peer"); a.logs.Len() != 1 || lines.Len() != 1 || !strings.Contains(fmt.Sprint(lines.All()[0].ContextMap()["error"]), "no ticket") {
			t.Errorf("it says %v", a.logs.All())
		}
		if gone := a.look().gone; gone != 0 {
			t.Errorf("the peer is gone %d times", gone)
		}
		away.Store(false) // and the peer refuses it, which it says too
		time.Sleep(time.Second)
		if lines := a.logs.FilterMessage("connection refused by peer"); a.logs.Len() != 2 || lines.Len() != 1 {
			t.Errorf("then it says %v", a.logs.All())
		}
	})
}

// bystander is told that a login was refused.
type bystander struct {
	LoginSide
	refused *atomic.Int32
}

func (b bystander) Refused() { b.refused.Add(1) }

func TestLoginTellsTheRefused(t *testing.T) {
	for password, want := range map[string]bool{"secret": false, "guess": true} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			var refused atomic.Int32
			la, _ := loginRequired.login(password)
			begin := la.Begin
			la.Begin = func(ctx context.Context, addr string) (LoginSide, error) {
				side, err := begin(ctx, addr)
				return bystander{side, &refused}, err
			}
			lb, _ := loginRequired.login("secret")
			a, b := newEndLogin(t, n, 1, la), newEndLogin(t, n, 2, lb)
			defer closeAll(t, a, b)
			_, err := a.Ask(t.Context(), 2, "m2:1", []byte("?"))
			if (err != nil) != want || (refused.Load() == 1) != want || (a.logs.Len() == 1) != want {
				t.Errorf("%s: %v, told %d times, logged %v", password, err, refused.Load(), a.logs.All())
			}
		})
	}
}

// TestLoginServerUnproved has a member log in at one that says yes without knowing the password.
func TestLoginServerUnproved(t *testing.T) {
	for _, answer := range [][]byte{nil, []byte("server guess")} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			h := n.Host("m2")
			ln, err := h.Listen("m2:1")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			login, _ := loginRequired.login("secret")
			a := newEndLogin(t, n, 1, login)
			defer closeAll(t, a)
			result := make(chan error, 1)
			go func() { _, err := a.Ask(t.Context(), 2, "m2:1", []byte("?")); result <- err }()
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.ReadFull(conn, make([]byte, len(loginMagic)+1+5)); err != nil {
				t.Fatal(err)
			}
			if answer != nil { // the whole exchange
				if _, err := conn.Write(appendStep(nil, stepOn, []byte("who"))); err != nil {
					t.Fatal(err)
				}
				if _, _, err := readStep(conn); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := conn.Write(appendStep(nil, stepDone, answer)); err != nil {
				t.Fatal(err)
			}
			if err := <-result; !errors.Is(err, errLogin) || a.logs.FilterMessage("connection refused by peer").Len() != 1 {
				t.Errorf("ask: %v", err)
			}
		})
	}
}

// stranger connects to a member in a mode and says text; it returns what the member says until it hangs up, and how
// long that took.
func stranger(t *testing.T, mode loginMode, text []byte) (answer []byte, took time.Duration, refused []error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		login, book := mode.login("secret")
		b := newEndLogin(t, n, 2, login)
		defer closeAll(t, b)
		conn, err := n.Host("m9").Dial(t.Context(), "m2:1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		if _, err := conn.Write(text); err != nil {
			t.Fatal(err)
		}
		answer, _ = io.ReadAll(conn) // that it ends is what counts
		took, refused = time.Since(start), book.all()
	})
	return answer, took, refused
}

func opening(version byte, step []byte) []byte {
	return append(append([]byte(loginMagic), version), step...)
}

func TestLoginStrangers(t *testing.T) {
	huge := binary.BigEndian.AppendUint32([]byte{stepOn}, loginTokenMax+1)
	endless := opening(loginVersion, appendStep(appendStep(nil, stepOn, nil), stepOn, []byte("client guess")))
	for _, tt := range []struct {
		name   string
		mode   loginMode
		text   []byte
		answer string // in what it is told
		silent bool   // until the time is up
		told   bool   // to the operator
	}{
		{"silence", loginRequired, nil, "", true, false},
		{"magic alone", loginRequired, []byte(loginMagic), "", true, false},
		{"half a token", loginRequired, opening(loginVersion, appendStep(nil, stepOn, []byte("abc"))[:7]), "", true, false},
		{"oversized token", loginRequired, opening(loginVersion, huge), "malformed", false, true},
		{"unknown step", loginRequired, opening(loginVersion, []byte{9, 0, 0, 0, 0}), "malformed", false, true},
		{"wrong password", loginAccepted, endless, "wrong credentials", false, true},
		{"another version", loginRequired, opening(2, appendStep(nil, stepOn, nil)), "knows version 1", false, false},
		{"login where there is none", loginOff, opening(loginVersion, appendStep(nil, stepOn, nil)), "enableSasl", false, false},
		{"oversized where there is none", loginOff, opening(loginVersion, huge), "malformed", false, false},
		{"hello without login", loginRequired, hello{lane: laneRaft, from: 1, to: 2}.append(nil), "learnerRequireSasl", false, true},
		{"question without login", loginRequired, hello{lane: laneAsk, from: 1, to: 2}.append(nil), "learnerRequireSasl", false, true},
		{"snapshot without login", loginRequired, hello{lane: laneSnapshot, from: 1, to: 2}.append(nil), "learnerRequireSasl", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer, took, refused := stranger(t, tt.mode, tt.text)
			if !bytes.Contains(answer, []byte(tt.answer)) || tt.answer == "" && len(answer) > 0 {
				t.Errorf("answer %q", answer)
			}
			if tt.silent != (took >= handshakeTimeout) || took > handshakeTimeout+time.Second {
				t.Errorf("it took %v", took)
			}
			if tt.told != (len(refused) == 1) {
				t.Errorf("refused %v", refused)
			}
		})
	}
}

// TestLoginOffBytes pins that a member without logins, or that only takes them, writes what it always wrote.
func TestLoginOffBytes(t *testing.T) {
	for _, mode := range []loginMode{loginOff, loginAccepted} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			ln, err := n.Host("m2").Listen("m2:1")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			login, _ := mode.login("secret")
			a := newEndLogin(t, n, 1, login)
			defer closeAll(t, a)
			go a.Ask(t.Context(), 2, "m2:1", []byte("question")) // what comes of it does not matter
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got := make([]byte, helloBytes)
			if _, err := io.ReadFull(conn, got); err != nil {
				t.Fatal(err)
			}
			if want := (hello{lane: laneAsk, from: 1, to: 2}).append(nil); !bytes.Equal(got, want) {
				t.Errorf("%v dials with %q, not %q", mode, got, want)
			}
		})
		want, mark := beginFrame([]byte{answerAccepted})
		want = append(want, "1 asked 2 ?"...)
		endFrame(want, mark)
		text := hello{lane: laneAsk, from: 1, to: 2}.append(nil)
		text, mark = beginFrame(text)
		text = append(text, '?')
		endFrame(text, mark)
		if answer, _, _ := stranger(t, mode, text); !bytes.Equal(answer, want) {
			t.Errorf("%v answers %q, not %q", mode, answer, want)
		}
	}
}
