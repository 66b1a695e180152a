package clientcfg

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holt/cmd/zkcli/internal/properties"
)

// Config is how to reach servers.
type Config struct {
	// TLS is nil if connections are not encrypted.
	TLS *tls.Config
	// Ignored are settings that have no meaning here, in the order given.
	Ignored []string
}

const (
	secureKey = "zookeeper.client.secure"
	tlsPrefix = "zookeeper.ssl."
)

// meaningless are keys that change nothing that a client here does differently.
var meaningless = []string{
	"zookeeper.clientCnxnSocket", "zookeeper.sasl.client", "jute.maxbuffer", tlsPrefix + "context.supplier.class",
	tlsPrefix + "clientAuth", tlsPrefix + "handshakeDetectionTimeoutMillis", tlsPrefix + "sslProvider",
}

// Load reads a file of properties, if name is not empty, over the flags -Dkey=value in
// each of flags.
func Load(name string, flags ...string) (*Config, error) {
	settings := map[string]string{}
	var keys []string
	set := func(key, value string) {
		if _, ok := settings[key]; !ok {
			keys = append(keys, key)
		}
		settings[key] = value
	}
	for _, f := range flags {
		for _, word := range strings.Fields(f) {
			if key, value, ok := strings.Cut(strings.TrimPrefix(word, "-D"), "="); ok && strings.HasPrefix(word, "-D") && ours(key) {
				set(key, value)
			}
		}
	}
	if name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read client configuration: %w", err)
		}
		pairs, err := properties.Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("read client configuration %s: %w", name, err)
		}
		for _, p := range pairs {
			set(p.Key, strings.TrimSpace(p.Value))
		}
	}
	return build(settings, keys)
}

// ours tells whether a flag is about ZooKeeper: the rest is about the Java machine.
func ours(key string) bool { return strings.HasPrefix(key, "zookeeper.") || key == "jute.maxbuffer" }

func build(settings map[string]string, keys []string) (*Config, error) {
	c := &Config{}
	secure := strings.EqualFold(settings[secureKey], "true")
	b := tlsBuilder{settings: settings, used: map[string]bool{secureKey: true}}
	if secure {
		var err error
		if c.TLS, err = b.build(); err != nil {
			return nil, fmt.Errorf("client configuration: %w", err)
		}
	}
	for _, key := range keys {
		waits := !secure && strings.HasPrefix(key, tlsPrefix) // for client.secure
		if !b.used[key] && !slices.Contains(meaningless, key) && !waits {
			c.Ignored = append(c.Ignored, key)
		}
	}
	return c, nil
}

// tlsBuilder makes a tls.Config and notes which settings it looked at.
type tlsBuilder struct {
	settings map[string]string
	used     map[string]bool
}

func (b *tlsBuilder) get(name string) string {
	b.used[tlsPrefix+name] = true
	return b.settings[tlsPrefix+name]
}

func (b *tlsBuilder) build() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if err := b.versions(c); err != nil {
		return nil, err
	}
	if err := b.cipherSuites(c); err != nil {
		return nil, err
	}
	if name := b.get("keyStore.location"); name != "" {
		if err := b.mustBePEM("keyStore", name); err != nil {
			return nil, err
		}
		pair, err := tls.LoadX509KeyPair(name, name)
		if err != nil {
			return nil, fmt.Errorf("key store %s: %w", name, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if name := b.get("trustStore.location"); name != "" {
		if err := b.mustBePEM("trustStore", name); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("trust store: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("trust store %s: no certificate in it", name)
		}
	}
	// The server's name is checked unless one of the two says no.
	if strings.EqualFold(b.get("hostnameVerification"), "false") {
		c.InsecureSkipVerify = true // the chain is verified below
		c.VerifyConnection = chainOnly(c.RootCAs)
	}
	return c, nil
}

// mustBePEM looks at the type that is set for a store, or at the end of its name.
func (b *tlsBuilder) mustBePEM(store, name string) error {
	for _, about := range []string{".password", ".passwordPath"} {
		b.get(store + about)
	}
	kind := b.get(store + ".type")
	if kind == "" {
		kind = strings.TrimPrefix(filepath.Ext(name), ".")
	}
	if !strings.EqualFold(kind, "PEM") {
		return fmt.Errorf("%s %s is of type %q: only PEM can be read; convert it with keytool -importkeystore and openssl pkcs12", store, name, kind)
	}
	return nil
}

var versionNames = map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

func (b *tlsBuilder) versions(c *tls.Config) error {
	b.get("protocol") // the original's default for the other
	names := b.get("enabledProtocols")
	if names == "" {
		return nil
	}
	c.MinVersion = 0
	for _, name := range strings.Split(names, ",") {
		v, ok := versionNames[strings.TrimSpace(name)]
		if !ok {
			return fmt.Errorf("unknown protocol %q", name)
		}
		c.MaxVersion = max(c.MaxVersion, v)
		if c.MinVersion == 0 || v < c.MinVersion {
			c.MinVersion = v
		}
	}
	return nil
}

// cipherSuites picks suites by their names, which are the same here; those of TLS 1.3
// cannot be picked.
func (b *tlsBuilder) cipherSuites(c *tls.Config) error {
	names := b.get("ciphersuites")
	if names == "" {
		return nil
	}
	known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(known, func(s *tls.CipherSuite) bool { return s.Name == strings.TrimSpace(name) })
		if i >= 0 {
			c.CipherSuites = append(c.CipherSuites, known[i].ID)
		}
	}
	if len(c.CipherSuites) == 0 {
		return fmt.Errorf("none of the cipher suites %s is known", names)
	}
	return nil
}

// chainOnly verifies that a server's certificate is trusted, whatever name it has.
func chainOnly(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server has no certificate")
		}
		between := x509.NewCertPool()
		for _, c := range s.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
}
