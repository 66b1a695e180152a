package network

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// keys are an authority with a server's and a client's certificate.
type keys struct {
	ca               *x509.Certificate
	caKey            *ecdsa.PrivateKey
	serverPEM        string // key and chain
	caPEM, clientPEM string
}

var testKeysOnce = sync.OnceValue(newKeys)

// testKeys are the same for all tests.
func testKeys(testing.TB) *keys { return testKeysOnce() }

func newKeys() *keys {
	k := &keys{}
	k.caKey = newKey()
	k.ca = sign(&x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}, nil, k.caKey, k.caKey)
	k.caPEM = certPEM(k.ca)
	k.serverPEM = k.issue(pkix.Name{CommonName: "broker"})
	k.clientPEM = k.issue(pkix.Name{CommonName: "Alice", OrganizationalUnit: []string{"Ops, Night"}, Country: []string{"DE"}})
	return k
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func sign(t *x509.Certificate, parent *x509.Certificate, own, by *ecdsa.PrivateKey) *x509.Certificate {
	t.SerialNumber = big.NewInt(time.Now().UnixNano())
	t.NotBefore, t.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &own.PublicKey, by)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

// issue makes a key and certificate for both ends of a connection.
func (k *keys) issue(name pkix.Name) string {
	key, cert := k.pair(name)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})) + certPEM(cert) + k.caPEM
}

func (k *keys) pair(name pkix.Name) (*ecdsa.PrivateKey, *x509.Certificate) {
	key := newKey()
	return key, sign(&x509.Certificate{Subject: name, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, k.ca, key, k.caKey)
}

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func (k *keys) server() *TLS {
	return &TLS{Key: Store{Type: "PEM", Text: k.serverPEM}, Trust: Store{Type: "PEM", Text: k.caPEM}}
}

// client is the configuration of a client without a certificate.
func (k *keys) client() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(k.ca)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// withCert adds the client's certificate.
func (k *keys) withCert() *tls.Config {
	cfg := k.client()
	cert, err := tls.X509KeyPair([]byte(k.clientPEM), []byte(k.clientPEM))
	if err != nil {
		panic(err)
	}
	cfg.Certificates = []tls.Certificate{cert}
	return cfg
}

func (c *client) startTLS(cfg *tls.Config) {
	c.t.Helper()
	conn := tls.Client(c.nc, cfg)
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.nc = conn
}
