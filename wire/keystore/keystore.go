package keystore

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ErrPassword is the cause of an error of KeyPairs or Authorities about a store, or a key in
// it, that its password does not open.
var ErrPassword = errors.New("the password does not open it")

// Passwords open a key store.
type Passwords struct {
	// Store is that of the whole; a PEM file has none. Without it the integrity of a JKS
	// store is not checked.
	Store string
	// Key is that of each key in a JKS store or PEM file; "" if it is Store. The keys of a
	// PKCS12 store are always under Store.
	Key string
}

func (p *Passwords) key() string {
	if p.Key != "" {
		return p.Key
	}
	return p.Store
}

// KeyPairs reads the private keys of a key store, each with its certificate, as Leaf too,
// and what leads to the authority, in the order of the store. It is an error if there is none.
func KeyPairs(data []byte, p Passwords) ([]tls.Certificate, error) {
	pairs, err := decodeKeyPairs(data, p)
	if err == nil && len(pairs) == 0 {
		err = errors.New("no private key in it")
	}
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

func decodeKeyPairs(data []byte, p Passwords) ([]tls.Certificate, error) {
	kind, err := kindOf(data)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindJKS:
		return jksKeyPairs(data, p)
	case kindPKCS12:
		return pkcs12KeyPairs(data, p.Store)
	}
	return pemKeyPairs(data, p.key())
}

// Authorities reads the certificates of a trust store. It is an error if there is none.
// Certificates that belong to a key of the store are none of an authority, but in a PEM file
// all count. A JKS store is read without a password too; that it was not changed is not
// checked then.
func Authorities(data []byte, password string) ([]*x509.Certificate, error) {
	certs, err := decodeAuthorities(data, password)
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		return nil, err
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

// storeKind is what bytes turned out to be.
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
		return 0, errors.New("it is empty")
	}
	return 0, errors.New("neither PEM nor JKS nor PKCS12")
}
