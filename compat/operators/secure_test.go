package operators

import (
	"encoding/json"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire/client"
)

// TestSecureConnections compares what operators see of a server with clients of both ports, one of
// each.
func TestSecureConnections(t *testing.T) {
	target.Kind(t) // skips unless a target was named; both are started
	ca := securetest.New(t, "authority")
	config := securetest.Open(t, ca.Settings(t, "client"), secure.Options{}).Client("127.0.0.1")
	var sides []*side
	for _, kind := range []ensemble.Kind{ensemble.ZooKeeper, ensemble.Holt} {
		e, err := ensemble.Start(t.Context(), ensemble.Config{Kind: kind, Dir: t.TempDir(), HeapMiB: 200, Operators: true, Secure: true, Settings: []string{
			"ssl.keyStore.location=" + ca.KeyStore(t, securetest.Template("server")), "ssl.trustStore.location=" + ca.TrustStore(t)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		m := e.Members()[0]
		sides = append(sides, &side{t: t, members: map[string]*ensemble.Member{"standalone": m}})
		for addr, options := range map[string]client.Options{m.Addr(): {SessionTimeout: 20 * time.Second}, m.SecureAddr(): {SessionTimeout: 20 * time.Second, TLS: config}} {
			c, err := client.Dial(t.Context(), addr, options)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Abort()
		}
	}
	documents, err := Documents()
	if err != nil {
		t.Fatal(err)
	}
	accepted := byName(documents)
	accepted["configuration/secure_client_port: integer"] = "The original leaves the port out, which conf and the configuration itself tell."
	get := func(s *side, name string) string {
		_, _, text := s.get(s.members["standalone"].AdminURL()+"/commands/"+name, "")
		return text
	}
	for _, name := range []string{"connections", "connection_stat_reset", "connections", "configuration", "stats", "dump"} {
		want, got := get(sides[0], name), get(sides[1], name)
		for _, line := range difference(t, want, got) {
			if _, ok := accepted[name+line[1:]]; !ok {
				t.Errorf("%s: %s\noriginal %s\nHolt %s", name, line, want, got)
			}
		}
		if name != "connections" {
			continue
		}
		if want, got := counts(t, want), counts(t, got); want != got || got != [2]int{1, 1} {
			t.Errorf("connections by plaintext and by TLS: %v, want %v", got, want)
		}
	}
}

// counts returns how many connections a document lists, of plaintext and of TLS.
func counts(t *testing.T, document string) [2]int {
	t.Helper()
	var v struct {
		Connections       []any
		SecureConnections []any `json:"secure_connections"`
	}
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	return [2]int{len(v.Connections), len(v.SecureConnections)}
}
