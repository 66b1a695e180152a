package peerlogin

import (
	"fmt"
	"maps"
	"slices"

	"holt/sasl"
)

// What the two sides of DIGEST-MD5 have agreed upon. ZooKeeper: QuorumAuth.
const (
	service = "zookeeper-quorum"
	host    = "zk-quorum-sasl-md5"
)

// Config is the login of one member [quorum.auth.enableSasl].
type Config struct {
	// LogsIn has this member log in at those it connects to [quorum.auth.learnerRequireSasl].
	LogsIn bool
	// Required refuses members that do not log in [quorum.auth.serverRequireSasl]. Only with LogsIn.
	Required bool
	// User and Password are who this member is [the section of quorum.auth.learner.saslLoginContext].
	User, Password string
	// Users are those who may be members, with their passwords [the section of
	// quorum.auth.server.saslLoginContext].
	Users map[string]string
}

// String says all but the passwords.
func (c *Config) String() string {
	return fmt.Sprintf("user %q, users %q, logs in %t, required %t", c.User, slices.Sorted(maps.Keys(c.Users)), c.LogsIn, c.Required)
}

// Login makes the logins of one member.
type Login struct {
	cfg    Config
	server sasl.DigestServer
}

// New makes that of a configuration, which it keeps.
func New(cfg Config) *Login {
	l := &Login{cfg: cfg}
	l.server = sasl.DigestServer{Digest: sasl.Digest{Service: service, Host: host}, Password: l.password}
	return l
}

func (l *Login) password(user string) (string, bool) {
	password, ok := l.cfg.Users[user]
	return password, ok
}

// Begin starts this member's login at another.
func (l *Login) Begin() sasl.Client {
	return sasl.NewDigestClient(sasl.Digest{Service: service, Host: host}, l.cfg.User, l.cfg.Password)
}

// Accept starts the login of another member at this one.
func (l *Login) Accept() sasl.Conversation { return l.server.Begin() }
