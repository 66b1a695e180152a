package secure

import (
	"crypto/x509"

	"holt/wire/keystore"
)

// DN is the subject of a certificate as Java writes it (keystore.Name). It is the identity
// of the scheme x509.
func DN(cert *x509.Certificate) string { return name(cert.RawSubject) }

func issuerDN(cert *x509.Certificate) string { return name(cert.RawIssuer) }

// name has no error: crypto/x509 has parsed the same bytes before.
func name(der []byte) string {
	text, _ := keystore.Name(der)
	return text
}
