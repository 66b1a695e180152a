package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/secure/securetest"
	"holt/wire"
)

// loginOf is that of a member with a password, of an ensemble whose password is "secret".
func loginOf(password string, logsIn, required bool) *PeerLogin {
	return &PeerLogin{User: "zk", Password: password, Users: map[string]string{"zk": "secret"}, LogsIn: logsIn, Required: required}
}

// TestSwitchToLogins takes an ensemble from no logins to required ones, restarting one member after the other, three
// times around, and back again; every write in between succeeds.
func TestSwitchToLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps := []*PeerLogin{nil, loginOf("secret", false, false), loginOf("secret", true, false), loginOf("secret", true, true),
			loginOf("secret", true, false), loginOf("secret", false, false), nil}
		step := make(map[uint64]int)
		e := newTestEnsembleOf(t, func(id uint64, cfg *Config) { cfg.PeerLogin = steps[step[id]] })
		e.switchOver(len(steps), step)
	})
}

// TestLoginsOverTLS has the login within TLS.
func TestLoginsOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := securetest.New(t, "ours")
		e := newTestEnsembleOf(t, func(id uint64, cfg *Config) {
			cfg.TLS, cfg.PeerLogin = memberTLS(t, ca, fmt.Sprintf("m%d", id)), loginOf("secret", true, true)
		})
		e.leader(1, 2, 3)
		for id := uint64(1); id <= 3; id++ {
			e.writes(id, fmt.Sprintf("from%d", id), 20)
		}
	})
}

// TestMembersThatDoNotLogInAreRefused has a third member come with a wrong password, or with none, by TLS or without.
// The others serve, and say why, once a minute.
func TestMembersThatDoNotLogInAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		third *PeerLogin
		cause string
	}{
		{"wrong password", loginOf("guess", true, true), `user "zk": wrong user or password`},
		{"no login", nil, "it does not log in"},
		{"none yet", loginOf("secret", false, false), "it does not log in"},
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %t", tt.name, secured), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ca := securetest.New(t, "ours")
					core, logs := observer.New(zapcore.WarnLevel)
					e := newTestEnsembleHalf(t, func(id uint64, cfg *Config) {
						if secured {
							cfg.TLS = memberTLS(t, ca, fmt.Sprintf("m%d", id))
						}
						if cfg.PeerLogin = tt.third; id != 3 {
							cfg.PeerLogin, cfg.Logger = loginOf("secret", true, true), zap.New(core)
						}
					})
					e.leader(1, 2)
					time.Sleep(30 * time.Second)
					e.writes(1, "a", 3)
					select {
					case <-e.servers[3].Ready(): // it may hear the others, who log in at it
						t.Error("the third member serves")
					default:
					}
					refused := logs.FilterMessage("peer refused: login by SASL").All()
					for _, entry := range refused {
						if m := entry.ContextMap(); !strings.Contains(fmt.Sprint(m["cause"]), tt.cause) || m["remedy"] == "" {
							t.Errorf("it says %v", m)
						}
					}
					if len(refused) == 0 || len(refused) > 2 {
						t.Errorf("%d lines within 30 s", len(refused))
					}
				})
			})
		}
	}
}

func TestPeerLoginValidated(t *testing.T) {
	for _, tt := range []struct {
		login *PeerLogin
		wrong string
	}{
		{loginOf("secret", true, true), ""},
		{loginOf("secret", false, true), "learnerRequireSasl"},
		{&PeerLogin{LogsIn: true}, "nobody says as whom"},
	} {
		cfg := Config{DataDir: "/d", PeerLogin: tt.login}
		if err := cfg.Validate(); (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%v: %v", tt.login, err)
		}
	}
}

// TestPeerHosts: who may log in as a member by Kerberos changes with the ensemble.
func TestPeerHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, reconfigurable)
		e.leader(1, 2, 3)
		c := connect(t, e.servers[1], wire.ConnectRequest{})
		for _, step := range []struct {
			req  wire.ReconfigRequest
			want []string
		}{
			{wire.ReconfigRequest{LeavingServers: text("99"), CurConfigID: -1}, []string{"m1", "m2", "m3"}},
			{wire.ReconfigRequest{JoiningServers: text("server.4=m4:1:2:observer;m4:3"), CurConfigID: -1}, []string{"m1", "m2", "m3", "m4"}},
			{wire.ReconfigRequest{LeavingServers: text("4"), CurConfigID: -1}, []string{"m1", "m2", "m3"}},
		} {
			if h, _ := c.reconfig(step.req); h.Err != wire.OK {
				t.Fatal(h.Err)
			}
			time.Sleep(time.Second)
			for id, s := range e.servers {
				if got := s.peerHosts(); !slices.Equal(got, step.want) {
					t.Errorf("member %d: %v, want %v", id, got, step.want)
				}
			}
		}
	})
	// Before there is a log, as a member that starts.
	s := &Server{cfg: Config{Members: []Member{{ID: 1, PeerAddr: "m1:1"}, {ID: 2, PeerAddr: "[::1]:1"}}}}
	if got := s.peerHosts(); !slices.Equal(got, []string{"m1", "::1"}) {
		t.Error(got)
	}
}
