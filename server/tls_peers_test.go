package server

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/admin"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire"
)

// memberTemplate is a certificate for the host of one member.
func memberTemplate(host string) *x509.Certificate {
	c := securetest.Template(host)
	c.DNSNames, c.IPAddresses = []string{host}, nil
	return c
}

// memberTLS is what a member of testEnsemble needs.
func memberTLS(t *testing.T, ca *securetest.Authority, host string) TLS {
	t.Helper()
	return TLS{PeersOn: true, Peers: secure.Settings{
		KeyStore:        secure.Store{Location: ca.KeyStore(t, memberTemplate(host))},
		TrustStore:      secure.Store{Location: ca.TrustStore(t)},
		CheckClientName: true,
	}}
}

// writes makes n nodes by a session of its own.
func (e *testEnsemble) writes(id uint64, name string, n int) {
	e.t.Helper()
	c := connect(e.t, e.servers[id], wire.ConnectRequest{})
	for i := range n {
		if h := c.call(wire.OpCreate, create(fmt.Sprintf("/%s-%d", name, i), "", 0), nil); h.Err != wire.OK {
			e.t.Fatalf("write %d over member %d: %v", i, id, h.Err)
		}
	}
}

func TestMembersOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := securetest.New(t, "ours")
		e := newTestEnsembleOf(t, func(id uint64, cfg *Config) { cfg.TLS = memberTLS(t, ca, fmt.Sprintf("m%d", id)) })
		e.leader(1, 2, 3)
		for id := uint64(1); id <= 3; id++ {
			e.writes(id, fmt.Sprintf("from%d", id), 20)
		}
	})
}

// TestSwitchToTLS takes an ensemble from plaintext to TLS, restarting one member
// after the other, three times around; every write in between succeeds.
func TestSwitchToTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := securetest.New(t, "ours")
		steps := []struct{ on, either bool }{{false, false}, {false, true}, {true, true}, {true, false}}
		step := make(map[uint64]int)
		e := newTestEnsembleOf(t, func(id uint64, cfg *Config) {
			cfg.TLS = memberTLS(t, ca, fmt.Sprintf("m%d", id))
			cfg.TLS.PeersOn, cfg.TLS.PeersEither = steps[step[id]].on, steps[step[id]].either
		})
		e.switchOver(len(steps), step)
	})
}

// switchOver takes the members through the steps of a configuration, each of which restarts one after the other; step, by
// member, is what their configuration goes by. Every write in between succeeds.
func (e *testEnsemble) switchOver(steps int, step map[uint64]int) {
	for s := range steps {
		for id := uint64(1); id <= 3; id++ {
			e.stop(id)
			step[id] = s
			e.start(id)
			<-e.servers[id].Ready()
			e.leader(1, 2, 3)
			e.writes(id, fmt.Sprintf("step%d-%d", s, id), 3)
		}
	}
}

// TestWrongMembersAreRefused has a third member come with a certificate that does not
// stand, or none. The others serve, and both sides say why, once a minute.
func TestWrongMembersAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		third func(t *testing.T, ours *securetest.Authority) TLS
		cause string // at the members that refuse
	}{
		{"foreign authority", func(t *testing.T, _ *securetest.Authority) TLS {
			return memberTLS(t, securetest.New(t, "theirs"), "m3")
		}, "is signed by nobody in the trust store"},
		{"no member's name", func(t *testing.T, ours *securetest.Authority) TLS {
			return memberTLS(t, ours, "elsewhere")
		}, "does not name m3"},
		{"expired", func(t *testing.T, ours *securetest.Authority) TLS {
			c := memberTLS(t, ours, "m3")
			old := memberTemplate("m3")
			old.NotBefore, old.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			c.Peers.KeyStore.Location = ours.KeyStore(t, old)
			return c
		}, "which is not now"},
		{"plaintext", func(*testing.T, *securetest.Authority) TLS { return TLS{} }, "does not use TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := securetest.New(t, "ours")
				core, logs := observer.New(zapcore.WarnLevel)
				third := tt.third(t, ca)
				e := newTestEnsembleHalf(t, func(id uint64, cfg *Config) {
					cfg.TLS = memberTLS(t, ca, fmt.Sprintf("m%d", id))
					if id == 3 {
						cfg.TLS = third
						return
					}
					cfg.Logger = zap.New(core)
				})
				e.leader(1, 2)
				time.Sleep(30 * time.Second)
				e.writes(1, "a", 3)
				if l := e.servers[3].leadership.Load().leader; l != 0 {
					t.Errorf("the third member has leader %d", l)
				}
				var causes []string
				for _, entry := range logs.All() {
					m := entry.ContextMap()
					causes = append(causes, fmt.Sprintf("%s: %s; %s", entry.Message, m["cause"], m["remedy"]))
				}
				told := strings.Join(causes, "\n")
				if !strings.Contains(told, tt.cause) {
					t.Errorf("nobody says that it %s:\n%s", tt.cause, told)
				}
				if len(causes) > 8 { // two members, two directions, and the first attempts
					t.Errorf("%d lines within 30 s:\n%s", len(causes), told)
				}
			})
		})
	}
}

// newTestEnsembleHalf is newTestEnsembleOf where only the first two members can
// be waited for.
func newTestEnsembleHalf(t *testing.T, configure func(id uint64, cfg *Config)) *testEnsemble {
	t.Helper()
	e := newTestEnsembleUnready(t, configure)
	for id := uint64(1); id <= 2; id++ {
		<-e.servers[id].Ready()
	}
	return e
}

// TestSnapshotOverTLS has a member come back after so many writes that it gets a
// snapshot, which has a connection of its own.
func TestSnapshotOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := securetest.New(t, "ours")
		e := newTestEnsembleOf(t, func(id uint64, cfg *Config) { cfg.TLS = memberTLS(t, ca, fmt.Sprintf("m%d", id)) })
		away := others(e.leader(1, 2, 3))[0]
		last := e.servers[away].peers.Status().Last
		e.stop(away)
		at := others(away)
		leader := e.leader(at...)
		c := connect(t, e.servers[at[0]], wire.ConnectRequest{})
		if h := c.call(wire.OpCreate, create("/n", "", 0), nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		big := strings.Repeat("x", 900<<10)
		for n := 0; n < 400 && e.servers[leader].peers.Status().First <= last+1; n++ {
			if h := c.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte(big), Version: -1}, nil); h.Err != wire.OK {
				t.Fatal(h.Err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		e.start(away)
		<-e.servers[away].Ready()
		status := e.servers[leader].peers.Status()
		for e.servers[away].peers.Status().Applied < status.Commit {
			time.Sleep(50 * time.Millisecond)
		}
		installed := 0.0
		e.servers[away].Metrics(func(m *admin.Metric) {
			if m.Name == "holt_snapshots_installed" {
				installed = m.Value
			}
		})
		if installed != 1 {
			t.Errorf("%v snapshots installed, want 1; the log ended at %d, the leader's begins at %d: %+v", installed, last, status.First, status)
		}
	})
}
