package network

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"holt/wire/keystore"
)

// Store is where keys or certificates are, in one of the forms that Kafka takes.
// The zero value holds nothing.
type Store struct {
	// Type is JKS (also if empty), PKCS12 or PEM. What the bytes are counts, as for
	// Java with the first two.
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
	switch strings.ToUpper(s.Type) {
	case "", "JKS", "PKCS12", "PEM":
	default:
		return nil, s.wrap(fmt.Errorf("type %s is none of JKS, PKCS12, PEM", s.Type))
	}
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

// certificates returns the keys with their chains, nil of an empty store.
func (s *Store) certificates() ([]tls.Certificate, error) {
	if s.empty() {
		return nil, nil
	}
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	pairs, err := keystore.KeyPairs(data, keystore.Passwords{Store: s.Password, Key: s.KeyPassword})
	if errors.Is(err, keystore.ErrPassword) {
		err = fmt.Errorf("%w; set ssl.keystore.password, and ssl.key.password if the key has one of its own", err)
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return pairs, nil
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
	certs, err := keystore.Authorities(data, s.Password)
	if err != nil {
		return nil, s.wrap(err)
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}
