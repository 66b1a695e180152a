package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"time"
)

// verifyHost wants cert to name host, a name or an address. A certificate without
// alternative names counts by its common name, as with Java (RFC 2818, 3.1).
func verifyHost(cert *x509.Certificate, host string) error {
	named := len(cert.DNSNames)+len(cert.IPAddresses) > 0
	if !named && host != "" && commonNameMatches(cert.Subject.CommonName, host) {
		return nil
	}
	if err := cert.VerifyHostname(host); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{cert}, Err: err}
	}
	return nil
}

// commonNameMatches compares without regard to case; the first label may be *.
func commonNameMatches(name, host string) bool {
	name, host = strings.ToLower(strings.TrimSuffix(name, ".")), strings.ToLower(strings.TrimSuffix(host, "."))
	if name == host {
		return true
	}
	rest, ok := strings.CutPrefix(name, "*.")
	if !ok || net.ParseIP(host) != nil || !strings.Contains(rest, ".") {
		return false
	}
	_, parent, ok := strings.Cut(host, ".")
	return ok && parent == rest
}

// reverseTimeout bounds the question to the DNS: a handshake waits for it.
const reverseTimeout = 2 * time.Second

func reverseMatches(cert *x509.Certificate, address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), reverseTimeout)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupAddr(ctx, address)
	if err != nil {
		return false // as if it had no name
	}
	for _, host := range hosts {
		if verifyHost(cert, strings.TrimSuffix(host, ".")) == nil {
			return true
		}
	}
	return false
}
