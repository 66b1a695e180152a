package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/sasl"
	"holt/wire"
)

// saslStep sends one token and returns the answer.
func (c *rawConn) saslStep(token []byte) (wire.ReplyHeader, []byte) {
	c.t.Helper()
	xid := c.send(wire.OpSASL, &wire.GetSASLRequest{Token: token})
	d := wire.NewDecoder(c.read())
	var h wire.ReplyHeader
	var resp wire.SetSASLResponse
	h.Decode(d)
	resp.Decode(d)
	if h.Xid != xid || d.Err() != nil || d.Len() != 0 {
		c.t.Fatalf("reply %+v, %d bytes more, %v", h, d.Len(), d.Err())
	}
	return h, resp.Token
}

// saslLogin logs in by DIGEST-MD5 and returns the last reply.
func (c *rawConn) saslLogin(user, password string) (wire.ReplyHeader, []byte) {
	c.t.Helper()
	client := sasl.NewDigestClient(sasl.Digest{Service: "zookeeper", Host: "zk-sasl-md5"}, user, password)
	first, _, err := client.Step(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	h, challenge := c.saslStep(first)
	if h.Err != wire.OK {
		c.t.Fatalf("first step: %v", h.Err)
	}
	token, _, err := client.Step(challenge)
	if err != nil {
		c.t.Fatal(err)
	}
	h, answer := c.saslStep(token)
	if h.Err == wire.OK && answer != nil {
		if _, done, err := client.Step(answer); !done || err != nil {
			c.t.Fatalf("the server's proof: done %v, %v", done, err)
		}
	}
	return h, answer
}

func (c *rawConn) whoAmI() string {
	c.t.Helper()
	var who wire.WhoAmIResponse
	if h := c.call(wire.OpWhoAmI, nil, &who); h.Err != wire.OK {
		c.t.Fatalf("whoAmI: %v", h.Err)
	}
	return fmt.Sprint(who.ClientInfo)
}

func withUsers(cfg *Config) {
	cfg.SASL = &SASLConfig{Users: map[string]string{"bob": "builder", "alice": "wonder", "root": "toor"}, SuperUsers: []string{"root"}}
	cfg.SASLScheme = true
}

func TestSASLIdentities(t *testing.T) {
	s := newServer(t, withUsers)
	bob, alice, root, nobody := connect(t, s, wire.ConnectRequest{}), connect(t, s, wire.ConnectRequest{}), connect(t, s, wire.ConnectRequest{}), connect(t, s, wire.ConnectRequest{})
	bob.saslLogin("bob", "builder")
	alice.saslLogin("alice", "wonder")
	root.saslLogin("root", "toor")
	for _, c := range []struct {
		conn *rawConn
		want string
	}{{bob, "[{ip 127.0.0.1} {sasl bob}]"}, {root, "[{ip 127.0.0.1} {sasl root} {super }]"}, {nobody, "[{ip 127.0.0.1}]"}} {
		if got := c.conn.whoAmI(); got != c.want {
			t.Errorf("whoAmI = %s, want %s", got, c.want)
		}
	}
	// "auth" becomes the identity of the login.
	acl := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "auth"}}}
	if h := bob.call(wire.OpCreate, &wire.CreateRequest{Path: "/bob", ACL: acl}, nil); h.Err != wire.OK {
		t.Fatal(h.Err)
	}
	var got wire.GetACLResponse
	if bob.call(wire.OpGetACL, &wire.GetACLRequest{Path: "/bob"}, &got); fmt.Sprint(got.ACL) != "[{cdrwa {sasl bob}}]" {
		t.Errorf("ACL = %v", got.ACL)
	}
	for _, c := range []struct {
		name string
		conn *rawConn
		want wire.ErrCode
	}{{"bob", bob, wire.OK}, {"alice", alice, wire.ErrNoAuth}, {"root", root, wire.OK}, {"nobody", nobody, wire.ErrNoAuth}} {
		if h := c.conn.call(wire.OpGetData, &wire.GetDataRequest{Path: "/bob"}, nil); h.Err != c.want {
			t.Errorf("%s reads /bob: %v, want %v", c.name, h.Err, c.want)
		}
	}
	for id, want := range map[string]wire.ErrCode{"bob": wire.OK, "": wire.OK, "zk/h@R": wire.OK, "a@b@c": wire.ErrInvalidACL} {
		acl := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "sasl", ID: id}}}
		if h := bob.call(wire.OpSetACL, &wire.SetACLRequest{Path: "/bob", ACL: acl, Version: -1}, nil); h.Err != want {
			t.Errorf("setACL sasl:%s: %v, want %v", id, h.Err, want)
		}
		bob = root // who may go on, whatever the list is
	}
}

// TestSASLFailures is what a wrong password, a token too many and a token too large lead to, by the
// settings that have a say in it, and that each is one line in the log.
func TestSASLFailures(t *testing.T) {
	enforce := func(cfg *Config) { cfg.EnforceAuthSchemes = []string{"sasl"} }
	allow := func(cfg *Config) { cfg.AllowSASLFailedClients = true }
	for _, c := range []struct {
		name   string
		change []func(*Config)
		code   wire.ErrCode
		stays  bool
	}{
		{"plain", nil, wire.ErrAuthFailed, false},
		{"enforced", []func(*Config){enforce}, wire.ErrSessionClosedRequireSaslAuth, false},
		{"allowed", []func(*Config){allow}, wire.OK, true},
		{"enforced and allowed", []func(*Config){enforce, allow}, wire.ErrSessionClosedRequireSaslAuth, false},
	} {
		for kind, fail := range map[string]func(*rawConn) (wire.ReplyHeader, []byte){
			"wrong password": func(conn *rawConn) (wire.ReplyHeader, []byte) { return conn.saslLogin("bob", "wrong") },
			"too large":      func(conn *rawConn) (wire.ReplyHeader, []byte) { return conn.saslStep(make([]byte, 100_000)) },
			"after the end": func(conn *rawConn) (wire.ReplyHeader, []byte) {
				if h, _ := conn.saslLogin("bob", "builder"); h.Err != wire.OK {
					t.Fatal(h.Err)
				}
				return conn.saslStep([]byte{})
			},
		} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				s := newServer(t, func(cfg *Config) {
					withUsers(cfg)
					cfg.Logger = zap.New(core)
					for _, change := range c.change {
						change(cfg)
					}
				})
				conn := connect(t, s, wire.ConnectRequest{})
				if h, token := fail(conn); h.Err != c.code || token != nil || h.Zxid != 0 {
					t.Errorf("answer %+v, token %q, want %v and a null token", h, token, c.code)
				}
				if c.stays {
					if h, token := conn.saslStep([]byte("again")); h.Err != wire.OK || token != nil {
						t.Errorf("another token: %v, %q", h.Err, token)
					}
					if who := conn.whoAmI(); strings.Contains(who, "sasl") != (kind == "after the end") {
						t.Errorf("whoAmI = %s", who)
					}
				} else if !conn.closed() {
					t.Error("the connection stays")
				}
				if n := logs.FilterMessage("SASL login failed").Len(); n != 1 || s.metrics.AuthFailed.Load() != 1 {
					t.Errorf("%d lines in the log, metric %d", n, s.metrics.AuthFailed.Load())
				}
			})
		}
	}
}

// TestSASLEnforced: without a login the first request is refused, after it all are served; the login
// itself is not refused.
func TestSASLEnforced(t *testing.T) {
	s := newServer(t, func(cfg *Config) { withUsers(cfg); cfg.EnforceAuthSchemes = []string{"sasl"} })
	conn := connect(t, s, wire.ConnectRequest{})
	if h := conn.call(wire.OpGetData, &wire.GetDataRequest{Path: "/"}, nil); h.Err != wire.ErrSessionClosedRequireSaslAuth || !conn.closed() {
		t.Errorf("without a login: %v", h.Err)
	}
	conn = connect(t, s, wire.ConnectRequest{})
	conn.saslLogin("bob", "builder")
	if h := conn.call(wire.OpGetData, &wire.GetDataRequest{Path: "/"}, nil); h.Err != wire.OK {
		t.Errorf("after it: %v", h.Err)
	}
}

// TestManyLogins: connections log in at once, by both mechanisms with passwords, and each is who it is.
func TestManyLogins(t *testing.T) {
	s := newServer(t, func(cfg *Config) {
		withUsers(cfg)
		for i := range 20 {
			cfg.SASL.Users[fmt.Sprint("user", i)] = fmt.Sprint("password", i)
		}
	})
	var wg sync.WaitGroup
	for i := range 60 {
		conn := connect(t, s, wire.ConnectRequest{})
		wg.Go(func() {
			user, password := fmt.Sprint("user", i%20), fmt.Sprint("password", i%20)
			if i%2 == 0 {
				scramLogin(conn, user, password)
			} else {
				conn.saslLogin(user, password)
			}
			if got, want := conn.whoAmI(), "[{ip 127.0.0.1} {sasl "+user+"}]"; got != want {
				t.Errorf("whoAmI = %s, want %s", got, want)
			}
		})
	}
	wg.Wait()
}

func scramLogin(c *rawConn, user, password string) {
	client, err := sasl.NewSCRAMClient(sasl.SCRAMSHA256, user, password)
	if err != nil {
		c.t.Error(err)
		return
	}
	var challenge []byte
	for {
		token, done, err := client.Step(challenge)
		if err != nil {
			c.t.Errorf("%s: %v", user, err)
		}
		if done || err != nil {
			return
		}
		_, challenge = c.saslStep(token)
	}
}
