package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"holt/quorum"
	"holt/quorum/simnet"
	"holt/server/secure/securetest"
	"holt/wire"
)

// logged are the lines, from warnings upwards, of each member.
type logged map[uint64]*observer.ObservedLogs

// logger is that of a member from now on.
func (l logged) logger(id uint64) *zap.Logger {
	core, logs := observer.New(zapcore.WarnLevel)
	l[id] = logs
	return zap.New(core)
}

// lines are those of a member that contain a text.
func (l logged) lines(id uint64, text string) (found []string) {
	for _, entry := range l[id].All() {
		line := fmt.Sprint(entry.Message, " ", entry.ContextMap())
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestMemberOfAnotherEnsemble: a member comes with the data of another ensemble, under addresses, an id and a
// certificate that are right, or in plaintext. It is refused, and both sides say so in one line each; the
// ensemble goes on, and takes its own member back.
func TestMemberOfAnotherEnsemble(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secured), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := securetest.New(t, "ours")
				logs := logged{}
				configure := func(id uint64, c *Config) {
					c.Logger = logs.logger(id)
					if secured {
						c.TLS = memberTLS(t, ca, fmt.Sprintf("m%d", id))
					}
				}
				theirs := newTestEnsembleOf(t, nil)
				theirs.leader(1, 2, 3)
				theirs.writes(1, "theirs", 200) // more than ours will have: by its log it could lead
				theirs.stop(3)

				e := newTestEnsembleOf(t, configure)
				e.leader(1, 2, 3)
				e.writes(1, "ours", 3)
				e.stop(3)
				own := e.fs[3]
				e.fs[3] = theirs.fs[3]
				e.start(3)
				time.Sleep(time.Minute)
				if l := e.servers[3].leadership.Load().leader; l != 0 {
					t.Fatalf("the foreign member has leader %d", l)
				}
				// Nor does it get anywhere when there is no leader.
				leader := e.leader(1, 2)
				e.stop(leader)
				e.start(leader)
				e.leader(1, 2)
				time.Sleep(30 * time.Second)
				if l := e.servers[3].leadership.Load().leader; l != 0 {
					t.Fatalf("the foreign member has leader %d", l)
				}
				const another = "member 3 comes with another log than it was first seen with: if it belongs to another ensemble, correct its server lines"
				for id := uint64(1); id <= 2; id++ {
					if found := logs.lines(id, another); len(found) != 1 {
						t.Errorf("member %d says %d times: %q", id, len(found), found)
					}
				}
				if found := logs.lines(3, another); len(found) == 0 || len(found) > 4 { // one for each member, and start of one
					t.Errorf("the foreign member says %q", found)
				}
				e.writes(1, "later", 3)
				e.stop(3)
				e.fs[3] = own
				e.start(3)
				<-e.servers[3].Ready()
				c := connect(t, e.servers[3], wire.ConnectRequest{})
				c.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
				for path, want := range map[string]wire.ErrCode{"/ours-2": wire.OK, "/later-2": wire.OK, "/theirs-0": wire.ErrNoNode} {
					if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: path}, nil); h.Err != want {
						t.Errorf("%s: %v", path, h.Err)
					}
				}
			})
		})
	}
}

// TestLeaderOfAnotherEnsemble: an ensemble has the address of a member of ours in the place of one of its own, and ids that
// ours never had. Its leader, of whatever term, moves nobody here, and both sides say so in a line.
func TestLeaderOfAnotherEnsemble(t *testing.T) {
	for elections := range 3 { // of ours: its term is lower than theirs, the same, higher
		t.Run(fmt.Sprint(elections), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { leaderOfAnother(t, elections) })
		})
	}
}

func leaderOfAnother(t *testing.T, elections int) {
	hosts := map[uint64]string{1: "x5", 2: "m2", 3: "x6"} // of their members 5, 2 and 6; m2 is ours, too
	ids := map[uint64]uint64{1: 5, 2: 2, 3: 6}
	ours, others := logged{}, logged{}
	network := simnet.New(2) // theirs, at first
	theirs := newTestEnsembleOf(t, func(id uint64, c *Config) {
		h := network.Host(hosts[id])
		c.MemberID, c.Listen, c.Members = ids[id], h.Listen, nil
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) { return h.Dial(ctx, addr) }
		for k := uint64(1); k <= 3; k++ {
			c.Members = append(c.Members, Member{ID: ids[k], Host: hosts[k], QuorumPort: 1, ElectionPort: 2})
		}
		c.Logger = others.logger(id)
	})
	theirs.writes(1, "theirs", 5)
	for id := uint64(1); id <= 3; id++ {
		theirs.stop(id)
	}
	e := newTestEnsembleOf(t, func(id uint64, c *Config) { c.Logger = ours.logger(id) })
	e.leader(1, 2, 3)
	e.writes(1, "ours", 3)
	for range elections {
		l := e.leader(1, 2, 3)
		e.stop(l)
		e.start(l)
		<-e.servers[l].Ready()
		e.leader(1, 2, 3)
	}
	leader := e.leader(1, 2, 3)
	term := e.servers[leader].leadership.Load().term
	network = e.net
	theirs.start(1)
	theirs.start(3)
	<-theirs.servers[1].Ready()
	theirs.writes(1, "evil", 3)
	time.Sleep(30 * time.Second)
	for id := uint64(1); id <= 3; id++ {
		if l := e.servers[id].leadership.Load(); l.leader != leader || l.term != term {
			t.Errorf("member %d has leader %d of term %d, want %d of term %d", id, l.leader, l.term, leader, term)
		}
		c := connect(t, e.servers[id], wire.ConnectRequest{})
		for path, want := range map[string]wire.ErrCode{"/ours-2": wire.OK, "/evil-0": wire.ErrNoNode} {
			if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: path}, nil); h.Err != want {
				t.Errorf("member %d: %s: %v", id, path, h.Err)
			}
		}
	}
	const cause = "it is in no configuration of this ensemble: if it belongs to another ensemble, correct its server lines"
	for _, id := range []uint64{5, 6} {
		if found := ours.lines(2, fmt.Sprintf("member %d: %s", id, cause)); len(found) != 1 {
			t.Errorf("member 2 says %d times of %d: %q", len(found), id, found)
		}
	}
	for _, id := range []uint64{1, 3} {
		if found := others.lines(id, cause); len(found) != 1 {
			t.Errorf("the foreign member %d says %q", ids[id], found)
		}
	}
}

// TestRemovedMemberComesBack: one that was removed while it was away ends with one line that says what to do; the
// others say once that they refuse it.
func TestRemovedMemberComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := logged{}
		e := newTestEnsembleOf(t, func(id uint64, c *Config) {
			reconfigurable(id, c)
			c.Logger = logs.logger(id)
		})
		stale := others(e.leader(1, 2, 3))[0]
		e.stop(stale)
		rest := others(stale)
		e.leader(rest...)
		c := connect(t, e.servers[rest[0]], wire.ConnectRequest{TimeoutMillis: 40_000})
		if h, _ := c.reconfig(wire.ReconfigRequest{LeavingServers: text(fmt.Sprint(stale)), CurConfigID: -1}); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		for range 2 {
			e.start(stale)
			err := <-e.servers[stale].Failed()
			if !errors.Is(err, quorum.ErrRemoved) || strings.Contains(err.Error(), "\n") ||
				!strings.Contains(err.Error(), "to bring it back, empty its directories, start it and add it by reconfig") {
				t.Errorf("the stale member ends with %v", err)
			}
			e.stop(stale)
			time.Sleep(10 * time.Second)
		}
		for _, id := range rest {
			if found := logs.lines(id, "it was removed by entry"); len(found) > 1 {
				t.Errorf("member %d says %d times: %q", id, len(found), found)
			}
		}
		e.writes(rest[1], "after", 3)
	})
}
