package clientcfg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"holt/server/secure"
	"holt/wire/javaprops"
)

// Config is how to reach servers.
type Config struct {
	// Ignored are settings that have no meaning here, in the order given.
	Ignored []string

	source *secure.Source // nil if connections are not encrypted
	login  login          // nil if nobody logs in by SASL
}

// Flags are settings of the command line. They win.
type Flags struct {
	TLS bool
	// CA is a file of authorities, Cert and Key of this client's certificate and
	// key, which may be one file: PEM, or a key store without a password. Each
	// asks for TLS.
	CA, Cert, Key string
	// JAAS is a JAAS file, by whose section Client sessions are logged in. Mechanism is that of SASL,
	// "" for what the file says.
	JAAS, Mechanism string
}

func (f *Flags) tls() bool { return f.TLS || f.CA != "" || f.Cert != "" || f.Key != "" }

const (
	secureKey = "zookeeper.client.secure"
	tlsPrefix = "zookeeper.ssl."
)

// meaningless are keys that change nothing that a client here does differently.
var meaningless = []string{
	"zookeeper.clientCnxnSocket", "zookeeper.sasl.client.canonicalize.hostname", "jute.maxbuffer", "zookeeper.fips-mode", tlsPrefix + "context.supplier.class",
}

// Load reads a file of properties, if name is not empty, over the flags -Dkey=value in
// each of jvm. The stores that they name are read, too.
func Load(name string, flags Flags, jvm ...string) (*Config, error) {
	l := loader{settings: map[string]string{}}
	for _, f := range jvm {
		for word := range strings.FieldsSeq(f) {
			if key, value, ok := strings.Cut(strings.TrimPrefix(word, "-D"), "="); ok && strings.HasPrefix(word, "-D") && ours(key) {
				l.set(key, value)
			}
		}
	}
	if name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read client configuration: %w", err)
		}
		props, err := javaprops.Parse(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("read client configuration: %w", err)
		}
		for _, p := range props {
			l.set(p.Key, strings.TrimSpace(p.Value))
		}
	}
	return l.config(flags)
}

// ours tells whether a flag is about ZooKeeper: the rest is about the Java machine.
func ours(key string) bool {
	return strings.HasPrefix(key, "zookeeper.") || key == "jute.maxbuffer" || key == jaasKey || key == krb5Key
}

// loader gathers settings; a later one wins.
type loader struct {
	settings map[string]string
	keys     []string
}

func (l *loader) set(key, value string) {
	if _, ok := l.settings[key]; !ok {
		l.keys = append(l.keys, key)
	}
	l.settings[key] = value
}

func (l *loader) config(flags Flags) (*Config, error) {
	c := &Config{}
	on := strings.EqualFold(l.settings[secureKey], "true") || flags.tls()
	var tls secure.Settings
	for _, key := range l.keys {
		name, isTLS := strings.CutPrefix(key, tlsPrefix)
		switch {
		case key == secureKey, slices.Contains(meaningless, key), slices.Contains(loginKeys(), key):
		case isTLS && !on: // for client.secure
		case isTLS:
			if err := tls.Set(name, l.settings[key]); errors.Is(err, secure.ErrUnknownKey) {
				c.Ignored = append(c.Ignored, key)
			} else if err != nil {
				return nil, fmt.Errorf("client configuration: %s=%s: %w", key, l.settings[key], err)
			}
		default:
			c.Ignored = append(c.Ignored, key)
		}
	}
	var err error
	if c.login, err = l.login(flags); err != nil {
		return nil, fmt.Errorf("client configuration: %w", err)
	}
	if !on {
		return c, nil
	}
	flags.apply(&tls)
	tls.Fixed = true
	if c.source, err = secure.Open(tls, secure.Options{}); err != nil {
		return nil, fmt.Errorf("client configuration: %w", err)
	}
	return c, nil
}

func (f *Flags) apply(tls *secure.Settings) {
	if f.CA != "" {
		tls.TrustStore = secure.Store{Location: f.CA}
	}
	if f.Cert != "" || f.Key != "" {
		tls.KeyStore = secure.Store{Location: f.Cert, KeyFile: f.Key}
		if f.Cert == "" {
			tls.KeyStore = secure.Store{Location: f.Key} // both in one
		}
	}
}

// Secure reports whether connections are encrypted.
func (c *Config) Secure() bool { return c.source != nil }

// Dial connects to a server, by TLS if that is configured: it then returns after the
// handshake, and an error of that says what to do about it; so does the first Read's, if the server
// refuses the client's certificate.
func (c *Config) Dial(ctx context.Context, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil || c.source == nil {
		return nc, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	conn := secure.Client(nc, c.source.ClientContext(ctx, host))
	if err := conn.HandshakeContext(ctx); err != nil {
		cause, remedy := secure.Explain(err)
		return nil, errors.Join(&HandshakeError{Address: address, Cause: cause, Remedy: remedy, err: err}, conn.Close())
	}
	return &alertConn{conn, address}, nil
}

// HandshakeError is that of a TLS handshake: trying again does not help.
type HandshakeError struct {
	Address, Cause, Remedy string
	err                    error
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("TLS handshake with %s: %s; %s", e.Address, e.Cause, e.Remedy)
}

// Unwrap is the error of crypto/tls.
func (e *HandshakeError) Unwrap() error { return e.err }
