package revocation

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"holt/wire/keystore"
)

// Error refuses a certificate.
type Error struct {
	Cert *x509.Certificate
	// Revoked says that it is revoked; nil: nobody could tell.
	Revoked *Revocation

	causes []error
	ocsp   bool // responders were to be asked
}

// Revocation is what an authority says of a certificate.
type Revocation struct {
	At     time.Time
	Reason string // of RFC 5280, 5.3.1; "" if none is given
	By     string // the address of the list or responder
}

var (
	errNoList      = errors.New("it names no address of a CRL")
	errNoResponder = errors.New("it names no OCSP responder")
	errPatience    = errors.New("no time was left for it")
)

// Cause is why, in words, with serial and subject of the certificate.
func (e *Error) Cause() string {
	subject, err := keystore.Name(e.Cert.RawSubject)
	if err != nil {
		subject = "of an unreadable subject"
	}
	which := fmt.Sprintf("certificate %s, serial 0x%x,", subject, e.Cert.SerialNumber)
	if r := e.Revoked; r != nil {
		reason := ""
		if r.Reason != "" {
			reason = " (" + r.Reason + ")"
		}
		return fmt.Sprintf("%s was revoked at %s%s, says %s", which, r.At.UTC().Format(time.RFC3339), reason, r.By)
	}
	return "nobody tells whether " + which + " is revoked: " + strings.ReplaceAll(errors.Join(e.causes...).Error(), "\n", "; ")
}

// Remedy is what to do about it. It contains nothing that comes from the certificate.
func (e *Error) Remedy() string {
	const off = "; to do without, set crl=false and ocsp=false"
	switch {
	case e.Revoked != nil:
		return "issue a new certificate, and find out who uses this one"
	case e.has(errNoList) && !e.ocsp:
		return "issue it anew with a CRL distribution point" + off
	case e.has(errNoList) && e.has(errNoResponder):
		return "issue it anew with a CRL distribution point or an OCSP responder" + off
	case e.ocsp:
		return "have the authority's CRL or OCSP responder answer this machine, with what is signed by it and up to date" + off
	}
	return "have the authority's CRL reach this machine, signed by it and up to date" + off
}

func (e *Error) has(cause error) bool { return errors.Is(errors.Join(e.causes...), cause) }

func (e *Error) Error() string { return e.Cause() }

// Unwrap are the causes.
func (e *Error) Unwrap() []error { return e.causes }

// reasonText is that of RFC 5280's numbers.
func reasonText(code int) string {
	names := map[int]string{
		1: "key compromise", 2: "authority compromise", 3: "affiliation changed", 4: "superseded",
		5: "cessation of operation", 6: "on hold", 9: "privilege withdrawn", 10: "attribute authority compromise",
	}
	return names[code]
}
