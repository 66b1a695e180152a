package compare

import (
	"flag"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

var (
	replies = flag.Int("replies", 100_000, "replies to compare in random scripts")
	seed    = flag.Uint64("seed", 0, "of the random scripts; 0 takes one from the clock")
)

func TestRandom(t *testing.T) {
	kind := target.Kind(t)
	a := startProcess(t, ensemble.ZooKeeper, "original", nil)
	b := startProcess(t, kind, string(kind), nil)
	randomRun(t, a, b, &Generator{Steps: 300})
}

func TestRandomQuotas(t *testing.T) {
	kind := target.Kind(t)
	a := startProcess(t, ensemble.ZooKeeper, "original", []string{"enforceQuota=true"})
	b := startProcess(t, kind, string(kind), []string{"enforceQuota=true"})
	randomRun(t, a, b, &Generator{Steps: 300, Quotas: true})
}

func randomRun(t *testing.T, a, b *Side, g *Generator) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	start, compared := time.Now(), 0
	n := uint64(0)
	for ; compared < *replies; n++ {
		s := g.Random(*seed, n)
		done := make(chan error, 1)
		var ta, tb Transcript
		go func() {
			var err error
			tb, err = b.Run(t.Context(), s)
			done <- err
		}()
		ta, err := a.Run(t.Context(), s)
		if err2 := <-done; err != nil || err2 != nil {
			t.Fatalf("script %d: %v, %v", n, err, err2)
		}
		if d := Compare(ta, tb); d != nil {
			turn := s.turns()[d.Turn]
			for _, tr := range []Transcript{ta, tb} {
				for _, f := range tr {
					if f.Turn == d.Turn {
						t.Log(f.text())
					}
				}
				t.Log("---")
			}
			t.Fatalf("script %d: %v\n%s", n, d, turn)
		}
		compared += len(ta)
	}
	t.Logf("%d scripts, %d frames in %v: %.0f/s", n, compared, time.Since(start), float64(compared)/time.Since(start).Seconds())
}
