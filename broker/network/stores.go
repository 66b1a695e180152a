package network

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// Store is where keys or certificates are, in one of the forms that Kafka takes.
// The zero value holds nothing.
type Store struct {
	// Type is JKS (also if empty), PKCS12 or PEM.
	Type     string
	Location string // of a file
	Password string
	// KeyPassword is that of the key, if it is not Password.
	KeyPassword string
	// Text is what a PEM file would hold, instead of Location: key and chain, or
	// certificates.
	Text string
}

func (s *Store) empty() bool { return s.Location == "" && s.Text == "" }

func (s *Store) read() ([]byte, error) {
	if s.Text != "" {
		return []byte(s.Text), nil
	}
	data, err := os.ReadFile(s.Location)
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	return data, nil
}

func (s *Store) wrap(err error) error {
	if s.Text != "" {
		return fmt.Errorf("certificates given as text: %w", err)
	}
	return fmt.Errorf("store %s: %w", s.Location, err)
}

// kind is the type; a JKS that is really PKCS12, which Java takes too, counts as that.
func (s *Store) kind(data []byte) string {
	kind := strings.ToUpper(s.Type)
	if (kind == "" || kind == "JKS") && !bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) {
		kind = "PKCS12"
		if bytes.Contains(data, []byte("-----BEGIN ")) {
			kind = "PEM"
		}
	}
	if kind == "" {
		kind = "JKS"
	}
	return kind
}

// certificate returns the key and its chain, nil of an empty store.
func (s *Store) certificate() (*tls.Certificate, error) {
	if s.empty() {
		return nil, nil
	}
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	var cert *tls.Certificate
	switch kind := s.kind(data); kind {
	case "PEM":
		cert, err = pemCertificate(data, s.KeyPassword)
	case "PKCS12":
		cert, err = pkcs12Certificate(data, s.Password)
	case "JKS":
		cert, err = s.jksCertificate(data)
	default:
		err = fmt.Errorf("type %s is none of JKS, PKCS12, PEM", kind)
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return cert, nil
}

func pemCertificate(data []byte, password string) (*tls.Certificate, error) {
	if password != "" || bytes.Contains(data, []byte("ENCRYPTED PRIVATE KEY")) {
		var err error
		if data, err = decryptPEM(data, password); err != nil {
			return nil, err
		}
	}
	cert, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, err
	}
	return &cert, nil
}

func pkcs12Certificate(data []byte, password string) (*tls.Certificate, error) {
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, err
	}
	cert := &tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, c := range others {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, checkKey(cert)
}

func (s *Store) jksCertificate(data []byte) (*tls.Certificate, error) {
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(data), []byte(s.Password)); err != nil {
		return nil, err
	}
	password := s.KeyPassword
	if password == "" {
		password = s.Password
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", alias, err)
		}
		cert := &tls.Certificate{PrivateKey: key}
		for _, c := range entry.CertificateChain {
			cert.Certificate = append(cert.Certificate, c.Content)
		}
		return cert, checkKey(cert)
	}
	return nil, errors.New("no key in it")
}

// checkKey sees that the key belongs to the certificate, which Java stores do not
// promise.
func checkKey(cert *tls.Certificate) error {
	if len(cert.Certificate) == 0 {
		return errors.New("no certificate goes with the key")
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return err
	}
	cert.Leaf = leaf
	match := false
	switch key := cert.PrivateKey.(type) {
	case *rsa.PrivateKey:
		match = key.PublicKey.Equal(leaf.PublicKey)
	case *ecdsa.PrivateKey:
		match = key.PublicKey.Equal(leaf.PublicKey)
	case ed25519.PrivateKey:
		match = key.Public().(ed25519.PublicKey).Equal(leaf.PublicKey)
	default:
		return fmt.Errorf("keys of type %T are not supported", key)
	}
	if !match {
		return errors.New("key and certificate do not belong together")
	}
	return nil
}

// authorities returns the certificates to trust, nil of an empty store.
func (s *Store) authorities() (*x509.CertPool, error) {
	if s.empty() {
		return nil, nil
	}
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	switch kind := s.kind(data); kind {
	case "PEM":
		certs, err = pemAuthorities(data)
	case "PKCS12":
		certs, err = pkcs12.DecodeTrustStore(data, s.Password)
	case "JKS":
		certs, err = s.jksAuthorities(data)
	default:
		err = fmt.Errorf("type %s is none of JKS, PKCS12, PEM", kind)
	}
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

func pemAuthorities(data []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return certs, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
}

func (s *Store) jksAuthorities(data []byte) (certs []*x509.Certificate, err error) {
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(data), []byte(s.Password)); err != nil {
		return nil, err
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", alias, err)
		}
		c, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", alias, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}
