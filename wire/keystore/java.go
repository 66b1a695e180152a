package keystore

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// jksOpen reads the store. Without a password nothing is said of its integrity, as in Java;
// keys have theirs.
func jksOpen(data []byte, password string) (jks.KeyStore, error) {
	ks := jks.New(jks.WithOrderedAliases())
	err := ks.Load(bytes.NewReader(data), []byte(password))
	if err == nil {
		return ks, nil
	}
	unsealed := jks.New(jks.WithOrderedAliases())
	if unsealed.Load(bytes.NewReader(resealed(data)), nil) != nil {
		return ks, fmt.Errorf("it is damaged: %w", err)
	}
	if password == "" {
		return unsealed, nil
	}
	return ks, fmt.Errorf("%w, or it is damaged: %w", ErrPassword, err)
}

// resealed returns a JKS store with the digest at its end that fits an empty password.
// (java.security: JavaKeyStore.getPreKeyedHash)
func resealed(data []byte) []byte {
	body := data[:max(0, len(data)-sha1.Size)]
	h := sha1.New()
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(body)
	return h.Sum(bytes.Clone(body))
}

func jksKeyPairs(data []byte, p Passwords) ([]tls.Certificate, error) {
	ks, err := jksOpen(data, p.Store)
	if err != nil {
		return nil, err
	}
	var pairs []tls.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(p.key()))
		if err != nil {
			return nil, fmt.Errorf("key %s: %w: %w", alias, ErrPassword, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", alias, err)
		}
		certs, err := jksCertificates(alias, entry.CertificateChain)
		if err != nil {
			return nil, err
		}
		pair, err := keyPair(key, certs)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", alias, err)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

func jksCertificates(alias string, chain []jks.Certificate) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for _, c := range chain {
		cert, err := x509.ParseCertificate(c.Content)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", alias, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// jksAuthorities are the trusted certificates; those of keys are not.
func jksAuthorities(data []byte, password string) ([]*x509.Certificate, error) {
	ks, err := jksOpen(data, password)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", alias, err)
		}
		certs, err := jksCertificates(alias, []jks.Certificate{entry.Certificate})
		if err != nil {
			return nil, err
		}
		all = append(all, certs...)
	}
	return all, nil
}

// pkcs12KeyPairs takes stores of one key, and of several where the library
// lets it.
func pkcs12KeyPairs(data []byte, password string) ([]tls.Certificate, error) {
	key, first, others, err := pkcs12.DecodeChain(data, password)
	if err == nil {
		pair, err := keyPair(key, append([]*x509.Certificate{first}, others...))
		return []tls.Certificate{pair}, err
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, ErrPassword
	}
	pairs, errAll := pkcs12All(data, password)
	if errAll != nil {
		return nil, err // of the first attempt: that one reads more kinds
	}
	return pairs, nil
}

func pkcs12All(data []byte, password string) ([]tls.Certificate, error) {
	//lint:ignore SA1019 the only way to a store of several keys
	blocks, err := pkcs12.ToPEM(data, password)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	var pairs []tls.Certificate
	for _, b := range blocks {
		if b.Type != "PRIVATE KEY" {
			continue
		}
		var key crypto.PrivateKey
		if key, err = x509.ParsePKCS1PrivateKey(b.Bytes); err != nil {
			if key, err = x509.ParseECPrivateKey(b.Bytes); err != nil {
				return nil, err
			}
		}
		pair, err := keyPair(key, certs)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// pkcs12Authorities are the certificates marked as trusted, as Java marks them.
func pkcs12Authorities(data []byte, password string) ([]*x509.Certificate, error) {
	certs, err := pkcs12.DecodeTrustStore(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, ErrPassword
	case err != nil:
		return nil, fmt.Errorf("%w; make it by keytool -importcert, or use PEM", err)
	}
	return certs, nil
}
