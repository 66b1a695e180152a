package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

// script is a leader stepped by a file of testdata/core. Times are seconds.
//
//	lead self=1 replicas=1,2,3 isr=1,2,3 leo=10 hw=5 min=2 [epoch=1] [recovering]
//	at 3            the time from now on
//	append 12       the log ends there
//	fetch 2 10      broker 2 asks for offset 10, in the life that it is in, or life=n; its log begins at 0, or start=n
//	nearest 10 2+3  which of brokers 2 and 3 a consumer should read offset 10 from
//	broker 2 7      broker 2 lives, with that epoch; 0: it is gone
//	propose [shrink]
//	confirm         the tree stores what was proposed
//	tree isr=1,2 [replicas=...] [recovering]   the tree has something newer
//	state
type script struct {
	t     *testing.T
	core  *core
	now   instant
	lives map[int32]int64
	sent  *change
}

func (s *script) life(id int32) int64 {
	if e, ok := s.lives[id]; ok {
		return e
	}
	return -1
}

func (s *script) run(d *datadriven.TestData) string {
	arg := func(name string) (n int64) {
		if d.HasArg(name) {
			d.ScanArgs(s.t, name, &n)
		}
		return n
	}
	ids := func(name string) (all []int32) {
		for _, a := range d.CmdArgs {
			if a.Key == name {
				for _, v := range a.Vals {
					for _, v := range strings.Split(v, "+") {
						var id int32
						fmt.Sscan(v, &id)
						all = append(all, id)
					}
				}
			}
		}
		return all
	}
	nth := func(i int) (n int64) {
		if _, err := fmt.Sscan(d.CmdArgs[i].Key, &n); err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return n
	}
	switch d.Cmd {
	case "lead":
		s.now, s.sent = 0, nil
		s.lives = map[int32]int64{1: 1, 2: 1, 3: 1, 4: 1}
		s.core = newCore(0, leadership{
			Self: int32(arg("self")), Epoch: int32(max(arg("epoch"), 1)), ISR: ids("isr"), Replicas: ids("replicas"), LEO: arg("leo"), Durable: arg("leo"),
			HW: arg("hw"), MinISR: int(arg("min")), LagMax: 10 * time.Second, Lives: s.life, Recovering: d.HasArg("recovering"),
		})
	case "at":
		s.now = instant(time.Duration(nth(0)) * time.Second)
	case "append":
		s.core.appended(s.now, nth(0), nth(0))
	case "durable":
		s.core.appended(s.now, s.core.leo, nth(0))
	case "fetch":
		life := s.life(int32(nth(0)))
		if d.HasArg("life") {
			life = arg("life")
		}
		if _, code := s.core.fetched(s.now, fetched{From: int32(nth(0)), BrokerEpoch: life, Offset: nth(1), LogStart: arg("start")}); code != kerror.OK {
			return code.String()
		}
	case "nearest":
		near := strings.Split(d.CmdArgs[1].Key, "+")
		return fmt.Sprint(s.core.nearest(nth(0), func(id int32) bool { return slices.Contains(near, fmt.Sprint(id)) }))
	case "broker":
		if nth(1) == 0 {
			delete(s.lives, int32(nth(0)))
		} else {
			s.lives[int32(nth(0))] = nth(1)
		}
		s.core.broker(int32(nth(0)), s.life(int32(nth(0))))
	case "propose":
		ch, ok := s.core.propose(s.now, s.life, d.HasArg("shrink"))
		if !ok {
			return "nothing"
		}
		s.sent = ch
		return fmt.Sprintf("isr %v instead of version %d", ch.isr, ch.version)
	case "confirm":
		s.core.confirmed(s.now, s.sent, s.sent.version+1)
	case "tree":
		replicas := s.core.replicas
		if d.HasArg("replicas") {
			replicas = ids("replicas")
		}
		s.core.updated(s.now, s.core.version+1, ids("isr"), replicas, d.HasArg("recovering"))
	case "state":
	default:
		d.Fatalf(s.t, "no command %s", d.Cmd)
	}
	return s.state()
}

func (s *script) state() string {
	c := s.core
	text := fmt.Sprintf("hw %d of %d, isr %v", c.hw, c.leo, c.isr)
	if c.pending != nil {
		text += fmt.Sprintf(" becoming %v", c.pending.isr)
	}
	if code := c.admits(); code != kerror.OK {
		text += ", " + code.String()
	} else if code := c.acknowledges(); code != kerror.OK {
		text += ", " + code.String()
	}
	if !c.settledIn() {
		text += ", unsettled"
	}
	return text
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/core", func(t *testing.T, path string) {
		s := &script{t: t}
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string { return s.run(d) + "\n" })
	})
}

// TestCommonEnd: where a follower cuts.
func TestCommonEnd(t *testing.T) {
	e := func(epoch int32, end int64) (r protocol.EpochEnd) { r.Epoch, r.EndOffset = epoch, end; return r }
	for _, c := range []struct {
		name          string
		leader, local protocol.EpochEnd
		end, want     int64
	}{
		{"the leader's epoch ended earlier", e(1, 10), e(1, 15), 15, 10},
		{"the own epoch ended earlier", e(1, 20), e(1, 15), 17, 15},
		{"the own log is shorter", e(1, 20), e(1, 12), 12, 12},
		{"an epoch that is not known here: to the end of the one before", e(3, 20), e(2, 15), 30, 15},
		{"no epoch is known here", e(3, 20), e(-1, -1), 30, 20},
	} {
		if got := commonEnd(c.leader, c.local, c.end); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
