package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"holt/server/secure/revocation"
)

// Explain turns the error of a handshake into what an operator needs: the cause
// in words, and what to do about it, which contains nothing of what the peer sent.
func Explain(err error) (cause, remedy string) {
	if cause, remedy = explainCertificate(err); cause != "" {
		return cause, remedy
	}
	var revoked *revocation.Error
	if errors.As(err, &revoked) {
		return revoked.Cause(), revoked.Remedy()
	}
	var record tls.RecordHeaderError
	var op *net.OpError
	switch text := err.Error(); {
	case errors.As(err, &record):
		return "not TLS: the first bytes are those of something else", "have the peer use TLS, or the plaintext port"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the handshake did not end in time", "look for a peer that opens connections without using TLS, a load balancer's health check for example"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the peer closed the connection during the handshake", "look at the peer's log: mostly it does not trust this certificate, or was a port check"
	case strings.Contains(text, "client didn't provide a certificate"):
		return "the client has no certificate", "give it a key store, or set clientAuth=want or none"
	case strings.Contains(text, "only unsupported versions"), strings.Contains(text, "protocol version"):
		return "no version of TLS in common: " + text, "compare enabledProtocols of both sides"
	case strings.Contains(text, "no cipher suite supported"), strings.Contains(text, "handshake failure"):
		return "no cipher suite in common: " + text, "compare ciphersuites of both sides, and the kind of key (RSA, EC)"
	case errors.As(err, &op) && op.Op == "remote error":
		return explainAlert(op.Err.Error())
	}
	return err.Error(), "look at the peer's log"
}

// explainAlert is for what the peer said.
func explainAlert(text string) (cause, remedy string) {
	text = strings.TrimPrefix(text, "tls: ")
	switch {
	case strings.Contains(text, "certificate required"):
		return "the peer asks for a certificate, and this side has none that it would take", "set keyStore.location (zkcli: --cert), to a certificate of an authority that is in the peer's trust store"
	case strings.Contains(text, "certificate"):
		return "the peer refuses this side's certificate: " + text, "put the authority of this certificate into the peer's trust store, or renew it if it is revoked; see the peer's log for what it minds"
	}
	return "the peer refuses: " + text, "look at the peer's log"
}

// explainCertificate is for what is wrong with the peer's certificate.
func explainCertificate(err error) (cause, remedy string) {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return "", ""
	}
	subject := "certificate"
	if len(verification.UnverifiedCertificates) > 0 {
		subject = "certificate " + DN(verification.UnverifiedCertificates[0])
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		issuer := ""
		if unknown.Cert != nil {
			issuer = ": its authority is " + issuerDN(unknown.Cert)
		}
		return subject + " is signed by nobody in the trust store" + issuer, "if the peer belongs here, put the certificate of its authority into trustStore.location"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("%s is valid from %s to %s, which is not now", subject, day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter)),
			"renew it, or mend the clock"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return subject + " is not made for this side of a connection", "issue it with extended key usage serverAuth and clientAuth, or with none"
	case errors.As(err, &host):
		return fmt.Sprintf("%s does not name %s", subject, host.Host), "issue it with the host as subject alternative name"
	}
	return subject + " does not stand: " + verification.Err.Error(), "issue it anew"
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
