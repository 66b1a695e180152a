package peerlogin

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Peers is what Kerberos has to know of the ensemble.
type Peers struct {
	// Hosts are those of the members at present: who may come, and for whom tickets are renewed.
	Hosts func() []string
	// TicketFailed, unless nil, is told when the renewal of a ticket begins to fail, and until when the present one is good.
	TicketFailed func(service string, until time.Time, err error)
}

const (
	// ServiceDefault is that of ZooKeeper: QuorumAuth.
	ServiceDefault = "zkquorum/localhost"
	// hostPattern stands for the host of the peer. ZooKeeper: SecurityUtils.
	hostPattern = "_HOST"
)

// ErrStranger: it has a good ticket, and is no member by it.
var ErrStranger = errors.New("not a member's principal")

func (c *Config) service() string {
	if c.Service == "" {
		return ServiceDefault
	}
	return c.Service
}

// serviceAt is the service, NAME/HOST, of the member at addr.
func (c *Config) serviceAt(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	return c.serviceOf(host)
}

// serviceOf leaves the realm out: it is that of the host, by krb5.conf, as in ZooKeeper.
func (c *Config) serviceOf(host string) string {
	principal, _, _ := strings.Cut(c.service(), "@")
	name, instance, _ := strings.Cut(principal, "/")
	if instance == hostPattern {
		return name + "/" + strings.ToLower(host)
	}
	return principal
}

// ServiceWrong says what is wrong with a Service, "" for nothing.
func ServiceWrong(principal string) string {
	principal, _, _ = strings.Cut(principal, "@")
	if name, instance, ok := strings.Cut(principal, "/"); !ok || name == "" || instance == "" || strings.Contains(instance, "/") {
		return "not of the form NAME/HOST"
	}
	return ""
}

// wanted: a member that has left needs no ticket any more.
func (l *Login) wanted(service string) bool {
	return slices.ContainsFunc(l.peers.Hosts(), func(host string) bool { return l.cfg.serviceOf(host) == service })
}

// authorize judges the principal of a good ticket. ZooKeeper: SaslQuorumServerCallbackHandler.
func (l *Login) authorize(principal, as string) error {
	if as != "" && as != principal {
		return fmt.Errorf("%s: %w: it asks to act as %.100s", principal, ErrStranger, as)
	}
	name, realm, _ := strings.Cut(principal, "@")
	_, host, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		return fmt.Errorf("%s: %w: it has no host", principal, ErrStranger)
	case realm != l.realm:
		return fmt.Errorf("%s: %w: the realm is not %s", principal, ErrStranger, l.realm)
	case !slices.ContainsFunc(l.peers.Hosts(), func(h string) bool { return strings.EqualFold(h, host) }):
		return fmt.Errorf("%s: %w: no member has the host %s", principal, ErrStranger, host)
	}
	return nil
}
