package clientcfg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"holt/sasl"
	"holt/sasl/gssapi"
	"holt/wire/client"
)

// The keys of ZooKeeper's client that are about SASL, and those of Java.
const (
	jaasKey          = "java.security.auth.login.config"
	krb5Key          = "java.security.krb5.conf"
	sectionKey       = "zookeeper.sasl.clientconfig"
	enabledKey       = "zookeeper.sasl.client"
	serviceUserKey   = "zookeeper.sasl.client.username"
	serverPrincipal  = "zookeeper.server.principal"
	serverRealmKey   = "zookeeper.server.realm"
	sectionDefault   = "Client"
	serviceDefault   = "zookeeper"
	krb5ConfDefault  = "/etc/krb5.conf"
	digestHost       = "zk-sasl-md5" // what client and server of DIGEST-MD5 have agreed upon
	optionMechanism  = "mechanism"   // of a login module with a password, ours
	classDigest      = "DigestLoginModule"
	classSCRAM       = "ScramLoginModule"
	classKerberos    = "Krb5LoginModule"
	cacheEnvironment = "KRB5CCNAME"
)

// loginKeys are the keys that login reads.
func loginKeys() []string {
	return []string{jaasKey, krb5Key, sectionKey, enabledKey, serviceUserKey, serverPrincipal, serverRealmKey}
}

// login makes what logs a client in at the server of an address.
type login func(ctx context.Context, address string) (sasl.Client, error)

// login reads the JAAS file, if the settings or flags name one; nil is for no login.
func (l *loader) login(flags Flags) (login, error) {
	file := l.settings[jaasKey]
	if flags.JAAS != "" {
		file = flags.JAAS
	}
	if file == "" || strings.EqualFold(l.settings[enabledKey], "false") {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read JAAS file: %w", err)
	}
	sections, err := sasl.ParseJAASFile(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	name := l.settings[sectionKey]
	if name == "" {
		name = sectionDefault
	}
	if len(sections[name]) == 0 {
		return nil, fmt.Errorf("%s has no section %s", file, name)
	}
	log, err := l.module(sections[name][0], flags.Mechanism)
	if err != nil {
		return nil, fmt.Errorf("%s, section %s: %w", file, name, err)
	}
	return log, nil
}

// module makes a login of a login module. Without a mechanism asked for, one with a password is for
// DIGEST-MD5, which every server of ZooKeeper's protocol knows, unless its class or the option mechanism
// says otherwise.
func (l *loader) module(m sasl.LoginModule, mechanism string) (login, error) {
	class := m.Class[strings.LastIndex(m.Class, ".")+1:]
	switch class {
	case classKerberos:
		return l.kerberos(m.Options)
	case classSCRAM:
		mechanism = sasl.SCRAMSHA256
	case classDigest:
		if mechanism == "" {
			mechanism = m.Options[optionMechanism]
		}
	default:
		return nil, fmt.Errorf("%s is not known: use %s, %s or %s", m.Class, classDigest, classSCRAM, classKerberos)
	}
	user, ok := m.Options["username"]
	password := m.Options["password"]
	if !ok {
		return nil, errors.New("no username")
	}
	switch strings.ToUpper(mechanism) {
	case "", sasl.DigestMD5:
		return func(context.Context, string) (sasl.Client, error) {
			return sasl.NewDigestClient(sasl.Digest{Service: serviceDefault, Host: digestHost}, user, password), nil
		}, nil
	case sasl.SCRAMSHA256:
		return func(context.Context, string) (sasl.Client, error) {
			return sasl.NewSCRAMClient(sasl.SCRAMSHA256, user, password)
		}, nil
	}
	return nil, fmt.Errorf("mechanism %q is not known: use %s or %s", mechanism, sasl.DigestMD5, sasl.SCRAMSHA256)
}

// kerberos makes a login of the options of a Krb5LoginModule.
//
// Differs from ZooKeeper, which looks the name of an address up backwards to learn the server's
// principal; whoever answers for the names could pass its own server off. Here it is the host as it is
// written, or zookeeper.server.principal.
func (l *loader) kerberos(options map[string]string) (login, error) {
	c := gssapi.Credentials{Krb5Conf: l.settings[krb5Key], Keytab: strings.TrimPrefix(options["keyTab"], "file:"), Principal: options["principal"]}
	if c.Krb5Conf == "" {
		c.Krb5Conf = cmp.Or(os.Getenv("KRB5_CONFIG"), krb5ConfDefault)
	}
	if c.Keytab == "" {
		c.Cache = options["ticketCache"]
		if c.Cache == "" {
			c.Cache = strings.TrimPrefix(os.Getenv(cacheEnvironment), "FILE:")
		}
		if c.Cache == "" {
			c.Cache = gssapi.DefaultCache()
		}
	} else if c.Principal == "" {
		return nil, errors.New("a keyTab without principal")
	}
	service := l.settings[serviceUserKey]
	if service == "" {
		service = serviceDefault
	}
	return func(ctx context.Context, address string) (sasl.Client, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		principal := l.settings[serverPrincipal]
		if principal == "" {
			principal = service + "/" + host
		}
		name, _, _ := strings.Cut(principal, "@")
		return gssapi.NewClient(ctx, c, name)
	}, nil
}

// LogsIn reports whether sessions are logged in by SASL.
func (c *Config) LogsIn() bool { return c.login != nil }

// Login logs a connection to the server at address in by SASL, if that is configured. The error is a
// *client.LoginError if trying again does not help.
func (c *Config) Login(ctx context.Context, address string, conn *client.Conn) error {
	if c.login == nil {
		return nil
	}
	l, err := c.login(ctx, address)
	if err != nil {
		return &client.LoginError{Err: err}
	}
	return conn.Login(ctx, l)
}
