package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/admin"
	"holt/wire"
)

// adminServer starts a server with an AdminServer on a free port.
func adminServer(t *testing.T, change func(*Config)) *Server {
	return newServer(t, func(c *Config) {
		c.AdminAddr = "127.0.0.1:0"
		if change != nil {
			change(c)
		}
	})
}

// askAdmin returns the document of a command.
func askAdmin(t *testing.T, s *Server, path string) map[string]any {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + s.AdminAddr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %d %s", path, res.StatusCode, b)
	}
	return doc
}

func TestAdminServer(t *testing.T) {
	s := adminServer(t, func(c *Config) { c.AdminCommandURL = "/ops"; c.InitialText = "dataDir=data\n" })
	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/a", "x", 1), nil)
	for _, name := range admin.NewCommands(admin.CommandsConfig{Words: s.words}).Names() {
		if name == "snapshot" || name == "restore" {
			continue // answer to credentials only
		}
		doc := askAdmin(t, s, "/ops/"+name+"?traceMask=1")
		if err := doc["error"]; doc["command"] != name || err != nil && name != "leader" {
			t.Errorf("%s: %v", name, doc)
		}
	}
	if got := askAdmin(t, s, "/ops/conf")["tick_time"]; got != 2000.0 {
		t.Errorf("tick_time %v", got)
	}
	if got := askAdmin(t, s, "/ops/icfg")["initial_configuration"]; got != "dataDir=data\n" {
		t.Errorf("initial_configuration %v", got)
	}
	dump := askAdmin(t, s, "/ops/dump")
	if got := dump["session_id_to_ephemeral_paths"].(map[string]any)[fmt.Sprint(int64(c.session.SessionID))]; fmt.Sprint(got) != "[/a]" {
		t.Errorf("dump %v", dump)
	}
	if len(dump["expiry_time_to_session_ids"].(map[string]any)) != 1 {
		t.Errorf("dump %v", dump)
	}
}

// TestAuthorizeNeedsAllOfTheRoot walks through the ways to ask for a protected command.
func TestAuthorizeNeedsAllOfTheRoot(t *testing.T) {
	s := adminServer(t, func(c *Config) { c.SuperDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=" })
	judge := func(scheme, credentials string) admin.Access {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "127.0.0.1:5"
		var b []byte
		if credentials != "" {
			b = []byte(credentials)
		}
		return s.authorize(r, scheme, b)
	}
	check := func(scheme, credentials string, want admin.Access) {
		t.Helper()
		if got := judge(scheme, credentials); got != want {
			t.Errorf("%s %s: %d, want %d", scheme, credentials, got, want)
		}
	}
	// Everybody has everything on an open root, as in ZooKeeper, but for who proves nothing.
	check("digest", "bob:secret", admin.Granted)
	check("ip", "", admin.Granted)
	check("digest", "", admin.NotAuthenticated)
	check("nosuch", "x", admin.NotAuthenticated)
	check("world", "anyone", admin.NotAuthenticated)
	check("super", "", admin.NotAuthenticated)

	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("bob:secret")}, nil)
	set := func(acl ...wire.ACL) {
		t.Helper()
		if h := c.call(wire.OpSetACL, &wire.SetACLRequest{Path: "/", ACL: acl, Version: -1}, nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
	}
	all := wire.ACL{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "auth"}}
	most := wire.ACL{Perms: wire.PermAll &^ wire.PermDelete, Identity: wire.Identity{Scheme: "ip", ID: "127.0.0.1"}}
	set(all, most)
	check("digest", "bob:secret", admin.Granted)
	check("digest", "bob:wrong", admin.NotAuthorized)
	check("digest", "super:test", admin.Granted)
	check("ip", "", admin.NotAuthorized)
}

// TestAdminPortTaken shows that a member runs without its AdminServer.
func TestAdminPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	core, logs := observer.New(zap.WarnLevel)
	s := newServer(t, func(c *Config) { c.AdminAddr = l.Addr().String(); c.Logger = zap.New(core) })
	if s.AdminAddr() != nil {
		t.Errorf("AdminServer at %v", s.AdminAddr())
	}
	if logs.FilterMessageSnippet("no AdminServer").Len() != 1 {
		t.Errorf("log: %v", logs.All())
	}
	connect(t, s, wire.ConnectRequest{})
}
