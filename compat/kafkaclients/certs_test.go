package kafkaclients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holt/compat/target"
)

// storePassword protects what is made of certificates.
const storePassword = "stores of the tests"

// certificates are a CA, a certificate of brokers and one of a client, in all forms that there are:
//
//	ca.pem trust.p12 trust.jks    broker.pem broker.p12 broker.jks    client.pem client-key.pem client.p12
type certificates struct {
	t   *testing.T
	dir string
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

// makeCertificates makes them; openssl and keytool convert, as an operator would.
func makeCertificates(t *testing.T) *certificates {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{"openssl", "version"}, Package: "openssl"})
	requireJava(t)
	c := &certificates{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of the tests"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	c.key = c.newKey()
	c.ca = c.sign("ca.pem", template, template, c.key)
	c.issue("broker", 2, "broker")
	c.issue("client", 3, "bob")
	do(t, c.dir, "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "trust.p12", "-storetype", "PKCS12", "-storepass", storePassword)
	do(t, c.dir, "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "trust.jks", "-storetype", "JKS", "-storepass", storePassword)
	do(t, c.dir, "keytool", "-importkeystore", "-noprompt", "-srckeystore", "broker.p12", "-srcstoretype", "PKCS12", "-srcstorepass", storePassword,
		"-destkeystore", "broker.jks", "-deststoretype", "JKS", "-deststorepass", storePassword)
	return c
}

func (c *certificates) path(name string) string { return filepath.Join(c.dir, name) }

func (c *certificates) newKey() *ecdsa.PrivateKey {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(c.t, err)
	return key
}

func (c *certificates) sign(file string, template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	c.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), c.key)
	check(c.t, err)
	check(c.t, os.WriteFile(c.path(file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	cert, err := x509.ParseCertificate(der)
	check(c.t, err)
	return cert
}

// issue makes a certificate with its key, alone and together, and a PKCS12 store of both.
func (c *certificates) issue(name string, serial int64, commonName string) {
	c.t.Helper()
	key := c.newKey()
	c.sign(name+"-cert.pem", &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: commonName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, c.ca, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(c.t, err)
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	check(c.t, os.WriteFile(c.path(name+"-key.pem"), private, 0o600))
	cert, err := os.ReadFile(c.path(name + "-cert.pem"))
	check(c.t, err)
	check(c.t, os.WriteFile(c.path(name+".pem"), append(private, cert...), 0o600))
	do(c.t, c.dir, "openssl", "pkcs12", "-export", "-inkey", name+"-key.pem", "-in", name+"-cert.pem", "-certfile", "ca.pem", "-name", name,
		"-out", name+".p12", "-passout", "pass:"+storePassword)
}
