package tlscost

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/secure/securetest"
)

const (
	rounds   = 3
	ratioMax = 2.0 // of the first load
)

// TestCost compares the server's CPU of both kinds of connections.
func TestCost(t *testing.T) {
	target.Kind(t)
	holt, err := ensemble.BuildHolt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ca := securetest.New(t, "authority")
	ports, err := ensemble.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	secure := fmt.Sprintf("127.0.0.1:%d", ports[0])
	e := target.Start(t, ensemble.Config{Settings: []string{
		fmt.Sprintf("secureClientPort=%d", ports[0]), "maxClientCnxns=0",
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location=" + ca.KeyStore(t, securetest.Template("server")), "ssl.trustStore.location=" + ca.TrustStore(t),
	}})
	tls := []string{"--servers", secure, "--ca", ca.TrustStore(t), "--cert", ca.KeyStore(t, securetest.Template("client"))}
	plain := []string{"--servers", e.Addrs()[0]}
	pid := fmt.Sprint(e.PIDs()[0])
	for i, load := range []string{"get -c 20 -n 10", "get -c 100 -n 1", "set -c 20 -n 10"} {
		var costs [2][]float64
		for range rounds {
			for kind, how := range [][]string{plain, tls} {
				args := slices.Concat([]string{"bench"}, strings.Fields(load), how, []string{"--pids", pid, "--duration", "4s", "--warm-up", "1s", "-o", "json"})
				costs[kind] = append(costs[kind], cost(t, holt, args))
			}
		}
		p, s := median(costs[0]), median(costs[1])
		t.Logf("%-16s plaintext %6.2f µs  TLS %6.2f µs  ratio %.2f", load, p, s, s/p)
		if i == 0 && s > ratioMax*p {
			t.Errorf("%s: TLS costs %.2f times the CPU of plaintext, more than %.0f", load, s/p, ratioMax)
		}
	}
}

// cost is the server's CPU per operation in µs.
func cost(t *testing.T, holt string, args []string) float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), holt, args...).Output()
	if err != nil {
		t.Fatalf("holt %s: %v", strings.Join(args, " "), err)
	}
	var report struct {
		Server struct {
			CPUPerOp float64 `json:"cpu_per_op_micros"`
		} `json:"server"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if report.Server.CPUPerOp <= 0 {
		t.Fatalf("no CPU per operation in %s", out)
	}
	return report.Server.CPUPerOp
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
