package quorumtest

import (
	"testing"
	"testing/cryptotest"
	"time"
)

// TestStarvation: members that get no CPU for 300 ms, one of them, some or all
// at once, do not lose their leader.
func TestStarvation(t *testing.T) {
	for seed := range uint64(20) {
		cryptotest.SetGlobalRandom(t, seed)
		s := newSim(seed, Options{})
		s.check.fail = func(format string, args ...any) { t.Errorf(format, args...) }
		for _, n := range s.nodes[:3] {
			s.start(n)
		}
		s.propose()
		s.until(2*time.Second, func() bool { return false })
		l := s.leader()
		if l == nil {
			t.Fatalf("seed %d: no leader", seed)
		}
		term := l.core.Leadership().Term
		for range 20 {
			for _, n := range s.nodes[:3] {
				if s.chance(2) {
					n.frozen = s.now + 300*time.Millisecond
				}
			}
			s.until(s.now+s.between(400*time.Millisecond, time.Second), func() bool { return false })
		}
		if now := s.leader(); now != l || now.core.Leadership().Term != term {
			t.Errorf("seed %d: the leader has changed", seed)
		}
		s.closeAll()
	}
}
