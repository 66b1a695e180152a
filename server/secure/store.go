package secure

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// storeKind is what a file turned out to be.
type storeKind int

const (
	kindPEM storeKind = iota
	kindJKS
	kindPKCS12
)

// jksMagic begins a JKS file (java.security: JavaKeyStore.MAGIC).
var jksMagic = []byte{0xfe, 0xed, 0xfe, 0xed}

func kindOf(data []byte) (storeKind, error) {
	switch {
	case bytes.HasPrefix(data, jksMagic):
		return kindJKS, nil
	case len(data) > 1 && data[0] == 0x30 && data[1] >= 0x80:
		return kindPKCS12, nil // a long ASN.1 sequence
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return kindPEM, nil
	case len(data) == 0:
		return 0, errors.New("the file is empty")
	}
	return 0, errors.New("neither PEM nor JKS nor PKCS12")
}

// readFile is os.ReadFile, but in tests.
type readFile func(name string) ([]byte, error)

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

// keyPairs reads the private keys of a key store, each with its certificate and
// what leads to the authority.
func (s *Store) keyPairs(read readFile) ([]tls.Certificate, error) {
	data, password, err := s.open(read)
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	pairs, err := decodeKeyPairs(data, password)
	if err == nil && len(pairs) == 0 {
		err = errors.New("no private key in it")
	}
	if err != nil {
		return nil, fmt.Errorf("key store %s: %w", s.Location, err)
	}
	return pairs, nil
}

func decodeKeyPairs(data []byte, password string) ([]tls.Certificate, error) {
	kind, err := kindOf(data)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindJKS:
		return jksKeyPairs(data, password)
	case kindPKCS12:
		return pkcs12KeyPairs(data, password)
	}
	return pemKeyPairs(data, password)
}

// authorities reads the certificates of a trust store.
func (s *Store) authorities(read readFile) ([]*x509.Certificate, error) {
	data, password, err := s.open(read)
	if err != nil {
		return nil, fmt.Errorf("trust store: %w", err)
	}
	certs, err := decodeAuthorities(data, password)
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		return nil, fmt.Errorf("trust store %s: %w", s.Location, err)
	}
	return certs, nil
}

func decodeAuthorities(data []byte, password string) ([]*x509.Certificate, error) {
	kind, err := kindOf(data)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindJKS:
		return jksAuthorities(data, password)
	case kindPKCS12:
		return pkcs12Authorities(data, password)
	}
	return pemCertificates(data)
}

// keyPair puts a key and its certificates together: the one of its public key
// first, then those that lead from it to an authority.
func keyPair(key crypto.PrivateKey, certs []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a key of type %T cannot sign", key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a key of type %T is not known", key)
	}
	for _, leaf := range certs {
		if public.Equal(leaf.PublicKey) {
			pair := tls.Certificate{PrivateKey: key, Leaf: leaf}
			for _, c := range chainOf(leaf, certs) {
				pair.Certificate = append(pair.Certificate, c.Raw)
			}
			return pair, nil
		}
	}
	return tls.Certificate{}, errors.New("no certificate for the private key")
}

// chainOf orders the certificates from leaf upwards by their issuers' names. A store has
// them in any order, and others besides.
func chainOf(leaf *x509.Certificate, certs []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for last := leaf; len(chain) <= len(certs) && !bytes.Equal(last.RawIssuer, last.RawSubject); {
		var next *x509.Certificate
		for _, c := range certs {
			if bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil {
				next = c
				break
			}
		}
		if next == nil {
			break
		}
		chain, last = append(chain, next), next
	}
	return chain
}

var osReadFile readFile = os.ReadFile
