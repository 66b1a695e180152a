package secure

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Store names a file of keys or certificates.
type Store struct {
	// Location is the file; "" for none.
	Location string
	// KeyFile is where the private key is, if a PEM file at Location has the
	// certificates alone. ZooKeeper wants both in one.
	KeyFile string
	// Password opens it. PasswordFile, if not empty, is a file whose text is the
	// password; it wins.
	Password, PasswordFile string
}

// ClientAuth says whether a server asks for the client's certificate.
type ClientAuth int

const (
	// Need refuses clients without a certificate.
	Need ClientAuth = iota
	// Want takes clients without a certificate, who have no identity then.
	Want
	// None does not ask.
	None
)

// Settings is how one side uses TLS. The zero value has ZooKeeper's defaults but no
// stores, with which only a client can do.
type Settings struct {
	KeyStore, TrustStore Store
	// Protocols are the versions offered; default TLS 1.2 and 1.3. ZooKeeper
	// offers clients 1.3 alone if its Java has it, and 1.2 alone otherwise.
	Protocols []uint16
	// protocol stands for Protocols while these are empty.
	protocol []uint16
	// CipherSuites are those of TLS 1.2; default those of crypto/tls. Those of
	// 1.3 cannot be chosen.
	CipherSuites []uint16
	// ClientAuth is that of a server; default Need.
	ClientAuth ClientAuth
	// AnyServerName takes a server's certificate whatever host it names.
	AnyServerName bool
	// CheckClientName refuses a client whose certificate does not name its
	// host; without effect with AnyServerName.
	CheckClientName bool
	// ReverseDNS allows a client's host to be found by its address for that.
	ReverseDNS bool
	// CRL refuses peers whose certificate, or one above it, is revoked, or of which that cannot be
	// told, by the lists that authorities publish. OCSP asks the authorities' responders
	// first. See package revocation.
	CRL, OCSP bool
	// DetectTimeout is how long a port for TLS and plaintext waits for the first bytes
	// that tell which; default 5 s.
	DetectTimeout time.Duration
	// Fixed does not look at the files again.
	Fixed bool
}

// detectTimeout is ZooKeeper's DEFAULT_HANDSHAKE_DETECTION_TIMEOUT_MILLIS.
const detectTimeout = 5 * time.Second

// Given reports whether there is something to use as a server's certificate.
func (s *Settings) Given() bool { return s.KeyStore.Location != "" }

// Detect is DetectTimeout or its default.
func (s *Settings) Detect() time.Duration {
	if s.DetectTimeout > 0 {
		return s.DetectTimeout
	}
	return detectTimeout
}

var (
	// ErrUnknownKey is the cause of Set's error for a name that it does not know.
	ErrUnknownKey = errors.New("no such setting of TLS")
	errBCFKS      = errors.New("BCFKS stores cannot be read: convert it by keytool -importkeystore -deststoretype PKCS12")
	errSupplier   = errors.New("a Java class, which Holt cannot load")
)

// Set takes a setting by ZooKeeper's name without its prefix, as
// "keyStore.location". The error says what is wrong with the value, or wraps
// ErrUnknownKey.
func (s *Settings) Set(name, value string) error {
	for prefix, store := range map[string]*Store{"keyStore.": &s.KeyStore, "trustStore.": &s.TrustStore} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return store.set(rest, value)
		}
	}
	switch name {
	case "protocol":
		return setProtocols(&s.protocol, value)
	case "enabledProtocols":
		return setProtocols(&s.Protocols, value)
	case "ciphersuites":
		return s.setCipherSuites(value)
	case "clientAuth":
		return s.setClientAuth(value)
	case "hostnameVerification":
		return setBool(value, func(on bool) { s.AnyServerName = !on })
	case "clientHostnameVerification":
		return setBool(value, func(on bool) { s.CheckClientName = on })
	case "allowReverseDnsLookup":
		return setBool(value, func(on bool) { s.ReverseDNS = on })
	case "handshakeDetectionTimeoutMillis":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return errors.New("not a number of milliseconds")
		}
		s.DetectTimeout = time.Duration(n) * time.Millisecond
		return nil
	case "crl":
		return setBool(value, func(on bool) { s.CRL = on })
	case "ocsp":
		return setBool(value, func(on bool) { s.OCSP = on })
	case "context.supplier.class":
		return errSupplier
	case "sslProvider", "authProvider":
		return nil // which of Java's libraries; the provider is x509
	}
	return fmt.Errorf("%s: %w", name, ErrUnknownKey)
}

func (s *Store) set(name, value string) error {
	switch name {
	case "location":
		s.Location = value
	case "password":
		s.Password = value
	case "passwordPath":
		s.PasswordFile = value
	case "type":
		switch strings.ToUpper(value) {
		case "", "PEM", "JKS", "PKCS12":
			// The file's first bytes say it better.
		case "BCFKS":
			return errBCFKS
		default:
			return errors.New("not one of PEM, JKS, PKCS12")
		}
	default:
		return fmt.Errorf("%s: %w", name, ErrUnknownKey)
	}
	return nil
}

func setBool(value string, set func(bool)) error {
	switch strings.ToLower(value) {
	case "true":
		set(true)
	case "false":
		set(false)
	default:
		return errors.New("neither true nor false")
	}
	return nil
}

func (s *Settings) setClientAuth(value string) error {
	switch strings.ToLower(value) {
	case "", "need":
		s.ClientAuth = Need
	case "want":
		s.ClientAuth = Want
	case "none":
		s.ClientAuth = None
	default:
		return errors.New("not one of need, want, none")
	}
	return nil
}

func setProtocols(to *[]uint16, value string) error {
	var versions []uint16
	for name := range strings.SplitSeq(value, ",") {
		switch strings.TrimSpace(name) {
		case "TLSv1":
			versions = append(versions, tls.VersionTLS10)
		case "TLSv1.1":
			versions = append(versions, tls.VersionTLS11)
		case "TLSv1.2":
			versions = append(versions, tls.VersionTLS12)
		case "TLSv1.3":
			versions = append(versions, tls.VersionTLS13)
		case "TLS":
			versions = append(versions, tls.VersionTLS12, tls.VersionTLS13)
		default:
			return fmt.Errorf("protocol %q is not one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", name)
		}
	}
	*to = versions
	return nil
}

// setCipherSuites takes the names that Java and Go share. What Go does not have is
// passed over as long as something is left.
func (s *Settings) setCipherSuites(value string) error {
	known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	var suites []uint16
	for name := range strings.SplitSeq(value, ",") {
		i := slices.IndexFunc(known, func(c *tls.CipherSuite) bool { return c.Name == strings.TrimSpace(name) })
		if i >= 0 {
			suites = append(suites, known[i].ID)
		}
	}
	if len(suites) == 0 {
		return errors.New("none of these cipher suites is known")
	}
	s.CipherSuites = suites
	return nil
}

// versions is the range that Protocols span, or their default: crypto/tls knows no gaps.
func (s *Settings) versions() (least, most uint16) {
	for _, given := range [][]uint16{s.Protocols, s.protocol} {
		if len(given) > 0 {
			return slices.Min(given), slices.Max(given)
		}
	}
	return tls.VersionTLS12, tls.VersionTLS13
}

// String shows what is set, but passwords.
func (s Settings) String() string {
	var b strings.Builder
	add := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s=%s ", name, value)
		}
	}
	add("keyStore", s.KeyStore.Location)
	add("trustStore", s.TrustStore.Location)
	if len(s.Protocols)+len(s.protocol) > 0 {
		least, most := s.versions()
		add("protocols", tls.VersionName(least)+" to "+tls.VersionName(most))
	}
	if len(s.CipherSuites) > 0 {
		add("cipherSuites", strconv.Itoa(len(s.CipherSuites)))
	}
	add("clientAuth", [...]string{"", "want", "none"}[s.ClientAuth])
	for _, flag := range []struct {
		name string
		on   bool
	}{{"anyServerName", s.AnyServerName}, {"checkClientName", s.CheckClientName}, {"reverseDNS", s.ReverseDNS}, {"crl", s.CRL}, {"ocsp", s.OCSP}, {"fixed", s.Fixed}} {
		if flag.on {
			add(flag.name, "true")
		}
	}
	if s.DetectTimeout > 0 {
		add("detectTimeout", s.DetectTimeout.String())
	}
	return strings.TrimSpace(b.String())
}
