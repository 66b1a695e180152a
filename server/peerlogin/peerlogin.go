package peerlogin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holt/sasl"
	"holt/sasl/gssapi"
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

	// Ticket is who this member is by Kerberos, instead of User and Password; nil for these.
	Ticket *gssapi.Credentials
	// Service is whom the ticket is for, NAME/HOST; default ServiceDefault [quorum.auth.kerberos.servicePrincipal].
	Service string
	// Principal, NAME/HOST@REALM, is who this member is to those that come by Kerberos, with a file of its
	// keys; empty: none may.
	Principal, Keytab string
}

// String says all but the passwords.
func (c *Config) String() string {
	var parts []string
	if c.Ticket != nil {
		from := "keytab " + c.Ticket.Keytab
		if c.Ticket.Cache != "" {
			from = "ticket cache " + c.Ticket.Cache
		}
		parts = append(parts, fmt.Sprintf("principal %q (%s) with tickets for %q", c.Ticket.Principal, from, c.service()))
	} else {
		parts = append(parts, fmt.Sprintf("user %q", c.User))
	}
	if c.Principal != "" {
		parts = append(parts, fmt.Sprintf("takes tickets for %q (keytab %s)", c.Principal, c.Keytab))
	}
	if c.Principal == "" || len(c.Users) > 0 {
		parts = append(parts, fmt.Sprintf("users %q", slices.Sorted(maps.Keys(c.Users))))
	}
	return fmt.Sprintf("%s, logs in %t, required %t", strings.Join(parts, ", "), c.LogsIn, c.Required)
}

// Login makes the logins of one member.
type Login struct {
	cfg    Config
	peers  Peers
	digest sasl.DigestServer
	gssapi *gssapi.Acceptor // nil: none may come by Kerberos
	realm  string           // of Principal

	tickets *gssapi.Tickets // nil: this member does not log in by Kerberos
}

// New makes that of a configuration, which it keeps. It fails if a keytab is of no use. The owner calls Close.
func New(cfg Config, peers Peers) (*Login, error) {
	l := &Login{cfg: cfg, peers: peers}
	l.digest = sasl.DigestServer{Digest: sasl.Digest{Service: service, Host: host}, Password: l.password}
	var err error
	if cfg.Principal != "" {
		if l.gssapi, err = gssapi.NewAcceptor(cfg.Principal, cfg.Keytab); err != nil {
			return nil, fmt.Errorf("log members in by Kerberos: %w", err)
		}
		l.gssapi.Authorize = l.authorize
		_, l.realm, _ = strings.Cut(cfg.Principal, "@")
	}
	if cfg.LogsIn && cfg.Ticket != nil {
		l.tickets, err = gssapi.NewTickets(gssapi.TicketsConfig{Credentials: *cfg.Ticket, Wanted: l.wanted, Failed: peers.TicketFailed})
		if err != nil {
			return nil, fmt.Errorf("log in at members by Kerberos: %w", err)
		}
	}
	return l, nil
}

// Close ends what New began. A KDC that is silent may hold it up for some seconds. A nil Login may be closed.
func (l *Login) Close() {
	if l != nil && l.tickets != nil {
		l.tickets.Close()
	}
}

func (l *Login) password(user string) (string, bool) {
	password, ok := l.cfg.Users[user]
	return password, ok
}

// Begin starts this member's login at the one at addr, host:port. It may have to wait for a KDC, until ctx ends.
func (l *Login) Begin(ctx context.Context, addr string) (sasl.Client, error) {
	if l.tickets != nil {
		return l.tickets.Begin(ctx, l.cfg.serviceAt(addr))
	}
	return sasl.NewDigestClient(sasl.Digest{Service: service, Host: host}, l.cfg.User, l.cfg.Password), nil
}

// Accept starts the login of another member at this one.
func (l *Login) Accept() sasl.Conversation { return &acceptance{login: l} }

// acceptance is a login of which the first token says by which mechanism it is.
type acceptance struct {
	login *Login
	sasl.Conversation
}

// The mechanisms do not say each other's name, so who is refused is told what this member takes.
var (
	errNoKerberos = errors.New("it logs in by Kerberos, for which this member has no principal")
	errNoDigest   = errors.New("it does not log in by Kerberos, and this member has no users")
	// errTicket wraps what is wrong with a ticket.
	errTicket = errors.New("Kerberos")
)

func (a *acceptance) Step(token []byte) (answer []byte, done bool, err error) {
	l := a.login
	kerberos := gssapi.Initial(token)
	if a.Conversation == nil {
		switch {
		case kerberos && l.gssapi == nil:
			return nil, false, errNoKerberos
		case kerberos:
			a.Conversation = kerberosAcceptance{l.gssapi.Begin()}
		case len(l.cfg.Users) == 0:
			return nil, false, errNoDigest
		default:
			a.Conversation = l.digest.Begin()
		}
	}
	return a.Conversation.Step(token)
}

// kerberosAcceptance marks the errors of a conversation.
type kerberosAcceptance struct{ sasl.Conversation }

func (a kerberosAcceptance) Step(token []byte) (answer []byte, done bool, err error) {
	answer, done, err = a.Conversation.Step(token)
	if err != nil && !errors.Is(err, ErrStranger) {
		err = fmt.Errorf("%w: %w", errTicket, err)
	}
	return answer, done, err
}

// Remedy says what to do about a member whose login here failed.
func Remedy(err error) string {
	switch {
	case errors.Is(err, ErrStranger):
		return "let its section of quorum.auth.learner.saslLoginContext have a principal NAME/HOST@REALM with the HOST of its server line; a new member is let in once reconfig has added it"
	case errors.Is(err, errTicket):
		return "see that quorum.auth.kerberos.servicePrincipal there names the principal of this member's section of quorum.auth.server.saslLoginContext, that the keytab of that is up to date, and that the clocks agree"
	case errors.Is(err, errNoKerberos):
		return "have it log in by DIGEST-MD5, or add Krb5LoginModule to the section of quorum.auth.server.saslLoginContext here"
	case errors.Is(err, errNoDigest):
		return "have it log in by Kerberos, as this member does"
	case errors.Is(err, sasl.ErrCredentials):
		return "give its section of quorum.auth.learner.saslLoginContext a user and password that the section of quorum.auth.server.saslLoginContext has here"
	}
	return "have it log in by what the section of quorum.auth.server.saslLoginContext has here"
}
