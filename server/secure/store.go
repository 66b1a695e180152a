package secure

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"

	"holt/wire/keystore"
)

// readFile is os.ReadFile, but in tests.
type readFile func(name string) ([]byte, error)

var osReadFile readFile = os.ReadFile

// files are the names of what a Store is read from.
func (s *Store) files() []string {
	var names []string
	for _, name := range []string{s.Location, s.KeyFile, s.PasswordFile} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// open returns the file's bytes and the password.
func (s *Store) open(read readFile) (data []byte, password string, err error) {
	password = s.Password
	if s.PasswordFile != "" {
		text, err := read(s.PasswordFile)
		if err != nil {
			return nil, "", fmt.Errorf("password of %s: %w", s.Location, err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	if data, err = read(s.Location); err != nil || s.KeyFile == "" {
		return data, password, err
	}
	key, err := read(s.KeyFile)
	return slices.Concat(data, []byte("\n"), key), password, err
}

// keyPairs reads a key store. ZooKeeper has one password for the store and its keys.
func (s *Store) keyPairs(read readFile) ([]tls.Certificate, error) {
	data, password, err := s.open(read)
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	pairs, err := keystore.KeyPairs(data, keystore.Passwords{Store: password})
	if err != nil {
		return nil, fmt.Errorf("key store %s: %w", s.Location, err)
	}
	return pairs, nil
}

// authorities reads a trust store.
func (s *Store) authorities(read readFile) ([]*x509.Certificate, error) {
	data, password, err := s.open(read)
	if err != nil {
		return nil, fmt.Errorf("trust store: %w", err)
	}
	certs, err := keystore.Authorities(data, password)
	if err != nil {
		return nil, fmt.Errorf("trust store %s: %w", s.Location, err)
	}
	return certs, nil
}
