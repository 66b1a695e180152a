package server

import (
	"strings"
	"testing"
)

func TestConfigDefaults(t *testing.T) {
	c := Config{DataDir: "d", TickMillis: 2000}.withDefaults()
	if c.MinSessionTimeoutMillis != 4000 || c.MaxSessionTimeoutMillis != 40000 {
		t.Errorf("session timeouts %d to %d, want 4000 to 40000", c.MinSessionTimeoutMillis, c.MaxSessionTimeoutMillis)
	}
	if c.MemberID != 1 || c.LogDir != "d" || !c.Standalone() {
		t.Errorf("member %d, log in %q, standalone %v", c.MemberID, c.LogDir, c.Standalone())
	}
	if got := strings.Join(c.FourLetterWords, ","); got != "srvr" {
		t.Errorf("four-letter words %q, want srvr", got)
	}
	ro := Config{DataDir: "d", ReadOnlyMode: true}.withDefaults()
	if got := strings.Join(ro.FourLetterWords, ","); got != "srvr,isro" {
		t.Errorf("four-letter words in read-only mode %q, want srvr,isro", got)
	}
	if err := (Config{DataDir: "d"}).Validate(); err != nil {
		t.Errorf("the zero configuration with a directory: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	one := Member{ID: 1, Host: "a", QuorumPort: 2888}
	two := Member{ID: 2, Host: "b", QuorumPort: 2888}
	for _, tc := range []struct {
		name string
		set  func(*Config)
		want string // "" is valid
	}{
		{"ensemble", func(c *Config) { c.MemberID, c.Members = 2, []Member{one, two} }, ""},
		{"no directory", func(c *Config) { c.DataDir = "" }, "DataDir is not set"},
		{"not a member", func(c *Config) { c.MemberID, c.Members = 3, []Member{one, two} }, "is not among"},
		{"id missing", func(c *Config) { c.Members = []Member{one, two} }, "MemberID is 0"},
		{"id too big", func(c *Config) { c.MemberID = 255 }, "MemberID is 255"},
		{"twice", func(c *Config) { c.MemberID, c.Members = 1, []Member{one, one} }, "there twice"},
		{"same address", func(c *Config) {
			c.MemberID, c.Members = 1, []Member{one, {ID: 2, Host: "a", QuorumPort: 2888}}
		}, "same peer address"},
		{"only observers", func(c *Config) {
			c.MemberID, c.Members = 1, []Member{{ID: 1, Host: "a", QuorumPort: 2888, Observer: true}}
		}, "can vote"},
		{"timeouts crossed", func(c *Config) { c.MinSessionTimeoutMillis = 90000 }, "greater than"},
		{"port", func(c *Config) { c.ClientAddr = "localhost:70000" }, "not 0 to 65535"},
		{"address", func(c *Config) { c.MetricsAddr = "7000" }, "MetricsAddr"},
		{"frame", func(c *Config) { c.MaxFrame = 10 }, "MaxFrame is 10"},
		{"super", func(c *Config) { c.SuperDigest = "root:x" }, "super:"},
		{"off", func(c *Config) { c.ClientAddr = Off }, ""},
	} {
		c := Config{DataDir: "d"}
		tc.set(&c)
		err := c.Validate()
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q in it", tc.name, err, tc.want)
		}
	}
}

func TestPeerListenAddr(t *testing.T) {
	self := Member{ID: 1, PeerAddr: "[2001:db8::1]:2888"}
	if got := (&Config{}).peerListenAddr(self); got != self.PeerAddr {
		t.Errorf("listens on %q, want %q", got, self.PeerAddr)
	}
	if got := (&Config{QuorumListenAll: true}).peerListenAddr(self); got != ":2888" {
		t.Errorf("listens on %q, want :2888", got)
	}
}
