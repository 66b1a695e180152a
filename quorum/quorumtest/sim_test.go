package quorumtest

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(abandoned...); err != nil {
			fmt.Fprintln(os.Stderr, "leaked:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// abandoned are the goroutines that simulations leave behind: those of Pebble on a disk
// that has failed end with the process.
var abandoned []goleak.Option

// abandons says that the test leaves goroutines behind, and makes sure that those before it have not.
func abandons(t *testing.T) {
	goleak.VerifyNone(t, abandoned...)
	t.Cleanup(func() { abandoned = append(abandoned, goleak.IgnoreCurrent()) })
}

var (
	seedFlag  = flag.Uint64("seed", 0, "simulate this seed only")
	seedsFlag = flag.Uint64("seeds", 200, "number of seeds to simulate")
)

// simulated is how long one seed lasts.
const simulated = 20 * time.Second

// reached are the situations that a run of many seeds must have been in. One
// that no seed reaches any more is coverage lost.
var reached = []string{
	"all crash", "barrier", "crash", "crash during write", "disk error", "installation repeated", "leader change", "log overwritten", "membership changed",
	"message lost", "partition", "power loss", "snapshot installed", "snapshot not needed", "truncation",
}

func TestSimulation(t *testing.T) {
	abandons(t)
	first, n := uint64(1), *seedsFlag
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	total := map[string]int{}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			o := Options{DiskErrors: seed%3 == 1}
			if seed%4 == 0 {
				o.Voters = 5
			}
			if seed%7 == 0 {
				o.Voters = 1
			}
			if seed%5 == 0 || seed%7 == 0 {
				o.Learners = 1
			}
			r := Simulate(t, seed, simulated, o)
			for what, times := range r.Sometimes {
				total[what] += times
			}
		})
	}
	if n < 20 {
		return
	}
	for _, what := range reached {
		t.Logf("%s: %d", what, total[what])
		if total[what] == 0 {
			t.Errorf("no seed reached: %s", what)
		}
	}
}

func TestSimulationRepeats(t *testing.T) {
	for seed := range uint64(5) {
		var first Result
		for i := range 2 {
			t.Run(fmt.Sprint(seed, "-", i), func(t *testing.T) {
				r := Simulate(t, seed, simulated, Options{})
				if i == 0 {
					first = r
				} else if r.Trace != first.Trace {
					t.Errorf("seed %d: trace %x, then %x", seed, first.Trace, r.Trace)
				}
			})
		}
	}
}
