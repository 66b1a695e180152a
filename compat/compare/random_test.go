package compare

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

var (
	replies = flag.Int("replies", 100_000, "replies and events to compare in random scripts")
	seed    = flag.Uint64("seed", 0, "of the random scripts; 0 takes one from the clock")
	single  = flag.Int64("script", -1, "number of the only script to run")
)

// TestRandom compares random scripts at the original and the kind of server that -target names, on
// several pairs of servers at once. The first script on which they differ is shrunk and printed.
func TestRandom(t *testing.T) {
	kind := target.Kind(t)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -seed=%d", *seed)
	for _, v := range []variant{
		{name: "plain", kind: kind, share: 70, generator: Generator{Steps: 400}},
		{name: "quotas", kind: kind, share: 15, settings: []string{"enforceQuota=true"}, generator: Generator{Steps: 300, Quotas: true}},
		{name: "tls", kind: kind, share: 10, certs: newCertificates(t), settings: []string{"ssl.clientAuth=want"}, generator: Generator{Steps: 300, TLS: true}},
		{name: "ensemble", kind: kind, members: 3, share: 5, generator: Generator{Steps: 200, Ensemble: true}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			v.run(t, *replies*v.share/100)
		})
	}
}

// variant is one way of running random scripts.
type variant struct {
	name      string
	kind      ensemble.Kind
	settings  []string
	members   int           // of the ensemble under test
	certs     *certificates // see layout
	share     int           // of the replies, in percent
	generator Generator

	pair Pair
}

func (v *variant) start(t *testing.T) {
	v.pair = Pair{
		A: startProcesses(t, ensemble.ZooKeeper, "original", layout{settings: v.settings, certs: v.certs}),
		B: startProcesses(t, v.kind, string(v.kind), layout{v.members, v.settings, v.certs}),
	}
	v.pair.A.Sync = v.pair.B.Sync
}

// run runs scripts until so many replies have been compared.
func (v *variant) run(t *testing.T, replies int) {
	v.start(t)
	began, compared, n := time.Now(), 0, uint64(0)
	if *single >= 0 {
		n, replies = uint64(*single), 1
	}
	for ; compared < replies; n++ {
		s := v.generator.Random(*seed, n)
		a, b, err := v.pair.Run(t.Context(), s)
		if err == nil && Compare(a, b) == nil {
			compared += a.Replies()
			continue
		}
		if d := Compare(a, b); d != nil {
			t.Errorf("-seed=%d -script=%d: the servers differ in %v\n%s", *seed, n, d, around(s, d, a, b))
		}
		if err != nil {
			t.Fatalf("-seed=%d -script=%d: %v", *seed, n, err)
		}
		v.shrink(t, s)
		t.FailNow()
	}
	took := time.Since(began)
	t.Logf("%d replies in %d scripts compared in %v, %.0f/s", compared, n, took.Round(time.Millisecond), float64(compared)/took.Seconds())
}

// around is the turn of a difference and what both clients saw in it.
func around(s Script, d *Difference, a, b Transcript) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s", s.turns()[d.Turn])
	for _, t := range []Transcript{a, b} {
		out.WriteString("--\n")
		for i := range t {
			if t[i].Turn == d.Turn && t[i].Kind != Pong {
				fmt.Fprintln(&out, t[i].text())
			}
		}
	}
	return out.String()
}

// shrink prints the shortest script found on which the servers still differ, as a block of testdata.
func (v *variant) shrink(t *testing.T, s Script) {
	const budget = 1500
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	v.start(t) // what the script left behind must not matter
	fails := func(c Script) bool {
		a, b, err := v.pair.Run(ctx, c)
		differ := err == nil && Compare(a, b) != nil
		if _, _, err := v.pair.Run(ctx, v.generator.cleaning()); err != nil && ctx.Err() == nil {
			v.start(t)
		}
		return differ
	}
	if !fails(s) {
		t.Log("on fresh servers they agree: the difference is one of timing or of what earlier scripts left")
		return
	}
	s = Shrink(s, budget, fails)
	v.start(t)
	a, b, err := v.pair.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("shrunk to this, with what the original says:\n\nrun\n%s----\n%s\n- original, + %s\n%s", s, a.Text(), v.kind, diffLines(a.Text(), b.Text()))
}
