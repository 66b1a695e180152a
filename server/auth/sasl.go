package auth

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"holt/sasl"
	"holt/sasl/gssapi"
	"holt/wire"
)

// SASLConfig says how clients log in by SASL and who they are then.
type SASLConfig struct {
	// Users are those of DIGEST-MD5 and SCRAM-SHA-256 with their passwords [options user_NAME of the JAAS file's
	// DigestLoginModule].
	Users map[string]string
	// SuperPassword stands for the password of the user super, if there is such a user
	// [zookeeper.SASLAuthenticationProvider.superPassword].
	SuperPassword string
	// SuperUsers are the identities that are the superuser too [zookeeper.superUser,
	// zookeeper.superUser.N].
	SuperUsers []string
	// RemoveHost and RemoveRealm leave these parts of a principal out of the identity
	// [zookeeper.kerberos.removeHostFromPrincipal, removeRealmFromPrincipal].
	RemoveHost, RemoveRealm bool
	// Rules make short names of principals, DEFAULT if empty [zookeeper.security.auth_to_local].
	Rules string
	// DefaultRealm is the realm whose principals the rule DEFAULT is for; "" is none's.
	DefaultRealm string
	// Mechanisms are those that clients may use, all that there are credentials for if empty
	// [sasl.mechanisms, which ZooKeeper does not know].
	Mechanisms []string
	// Keytab is the path of the file with the keys of Principal, zookeeper/host@REALM; clients log in by
	// GSSAPI then [options of the JAAS file's Krb5LoginModule].
	Keytab, Principal string
}

// String says all but the passwords.
func (c *SASLConfig) String() string {
	shown := *c
	shown.Users, shown.SuperPassword = nil, ""
	return fmt.Sprintf("users %v, %+v", slices.Sorted(maps.Keys(c.Users)), shown)
}

// saslService and saslHost are what client and server of DIGEST-MD5 have to agree upon.
// ZooKeeper: ZooKeeperSaslServer.
const (
	saslService = "zookeeper"
	saslHost    = "zk-sasl-md5"
)

// saslTokenMax bounds a token, in bytes: a Kerberos ticket with all the groups that a domain
// controller puts in has 48 KiB.
const saslTokenMax = 64 << 10

// saslServer is what a Registry has of SASL. It does not change but for what it remembers.
type saslServer struct {
	cfg    SASLConfig
	rules  []rule
	digest sasl.DigestServer
	scram  *sasl.SCRAM
	gssapi *gssapi.Acceptor // nil: there is none

	mu          sync.Mutex
	credentials map[string]sasl.SCRAMCredential // guarded by mu: of those who came, by password
}

func newSASLServer(cfg *SASLConfig) (*saslServer, error) {
	if cfg == nil {
		return nil, nil
	}
	s := &saslServer{cfg: *cfg, credentials: map[string]sasl.SCRAMCredential{}}
	var err error
	if s.scram, err = sasl.NewSCRAM(sasl.SCRAMSHA256, s.credential); err != nil {
		return nil, err
	}
	if s.rules, err = parseRules(cfg.Rules); err != nil {
		return nil, fmt.Errorf("security.auth_to_local: %w", err)
	}
	if cfg.Keytab != "" {
		if s.gssapi, err = gssapi.NewAcceptor(cfg.Principal, cfg.Keytab); err != nil {
			return nil, fmt.Errorf("log in by Kerberos: %w", err)
		}
	}
	s.digest = sasl.DigestServer{Digest: sasl.Digest{Service: saslService, Host: saslHost}, Password: s.password}
	return s, nil
}

func (s *saslServer) password(user string) (string, bool) {
	password, ok := s.cfg.Users[user]
	if ok && user == "super" && s.cfg.SuperPassword != "" {
		return s.cfg.SuperPassword, true
	}
	return password, ok
}

// credential is what SCRAM needs of a user's password. To make it takes some milliseconds, so it is kept,
// for as many users as there are in the configuration.
func (s *saslServer) credential(user string) (sasl.SCRAMCredential, bool) {
	password, ok := s.password(user)
	if !ok {
		return sasl.SCRAMCredential{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.credentials[user]
	if !ok {
		var err error
		if c, err = sasl.SCRAMFromPassword(sasl.SCRAMSHA256, password, sasl.SCRAMIterationsMin); err != nil {
			return sasl.SCRAMCredential{}, false // it is only the parameters that can be wrong
		}
		s.credentials[user] = c
	}
	return c, true
}

// SASLExchange is the login of one connection, of whose reader it is.
type SASLExchange struct {
	server *saslServer
	conv   sasl.Conversation
	over   bool
}

// BeginSASL starts a login; nil if there is no SASL here.
func (r *Registry) BeginSASL() *SASLExchange {
	if r.sasl == nil {
		return nil
	}
	return &SASLExchange{server: r.sasl}
}

// Step takes a client's token and returns the answer, which may be nil, and, once the client has
// proved who it is, its identities. After an error, and after a login, there is no other.
// ZooKeeper: ZooKeeperServer.processSasl.
func (x *SASLExchange) Step(token []byte) (answer []byte, ids []wire.Identity, err error) {
	if x.over {
		return nil, nil, sasl.ErrOver
	}
	if len(token) > saslTokenMax {
		x.end()
		return nil, nil, fmt.Errorf("a token of %d bytes, the most is %d", len(token), saslTokenMax)
	}
	if x.conv == nil {
		if x.conv, err = x.server.begin(token); err != nil {
			x.end()
			return nil, nil, err
		}
	}
	answer, done, err := x.conv.Step(token)
	if err != nil {
		x.end()
		return nil, nil, err
	}
	if !done {
		return answer, nil, nil
	}
	id, err := x.server.identity(x.conv.User())
	x.end()
	if err != nil {
		return nil, nil, err
	}
	ids = []wire.Identity{{Scheme: "sasl", ID: id}}
	if id != "" && slices.Contains(x.server.cfg.SuperUsers, id) {
		ids = append(ids, superIdentity)
	}
	return answer, ids, nil
}

func (x *SASLExchange) end() { x.over, x.conv = true, nil }

// begin chooses the mechanism by what the client says first, since the protocol does not name it.
// Whatever is of none that is there is left to DIGEST-MD5, whose server passes over a first token.
//
// Differs from ZooKeeper, which does not know SCRAM, and has GSSAPI alone where the JAAS section has
// Krb5LoginModule.
func (s *saslServer) begin(first []byte) (sasl.Conversation, error) {
	name, begin := sasl.DigestMD5, s.digest.Begin
	switch {
	case s.gssapi != nil && gssapi.Initial(first):
		name, begin = gssapi.Name, s.gssapi.Begin
	case sasl.SCRAMInitial(first):
		name, begin = s.scram.Name(), s.scram.Begin
	}
	if len(s.cfg.Mechanisms) > 0 && !slices.Contains(s.cfg.Mechanisms, name) {
		return nil, fmt.Errorf("the client uses %s, which is not among sasl.mechanisms", name)
	}
	return begin(), nil
}

// SASLMechanisms are the names that SASLConfig.Mechanisms may have.
func SASLMechanisms() []string { return []string{sasl.DigestMD5, sasl.SCRAMSHA256, gssapi.Name} }

// identity is who stands in ACLs for an authentication id.
//
// Differs from ZooKeeper where no rule is for a principal: it takes the authorization id
// then, which is whatever the client says; here it is the principal as it is, which is what a
// client that says nothing else becomes there too.
func (s *saslServer) identity(name string) (string, error) {
	p, err := parsePrincipal(name)
	if err != nil {
		return "", err
	}
	id, err := p.short(s.rules, s.cfg.DefaultRealm)
	if err != nil {
		return name, nil
	}
	if p.hasHost && !s.cfg.RemoveHost {
		id += "/" + p.host
	}
	if p.hasRealm && !s.cfg.RemoveRealm {
		id += "@" + p.realm
	}
	return id, nil
}
