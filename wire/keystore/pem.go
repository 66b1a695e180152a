package keystore

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// pemKeyPairs reads one file with a private key and certificates, in any order.
// ZooKeeper: PemReader.
func pemKeyPairs(data []byte, password string) ([]tls.Certificate, error) {
	certs, err := pemCertificates(data)
	if err != nil {
		return nil, err
	}
	var pairs []tls.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := pemKey(block, password)
		if err != nil {
			return nil, err
		}
		pair, err := keyPair(key, certs)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

func pemKey(block *pem.Block, password string) (crypto.PrivateKey, error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
		if err != nil {
			// A wrong password shows as any kind of damage, as an unknown cipher does.
			return nil, fmt.Errorf("private key: %w, or it is encrypted in a way that is not known (convert it by openssl pkcs8 -topk8): %w",
				ErrPassword, err)
		}
		return key, nil
	case block.Headers["DEK-Info"] != "":
		return nil, errors.New("private key: encrypted in an old, unsafe form; convert it by openssl pkcs8 -topk8")
	case block.Type == "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

func pemCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "CERTIFICATE") {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}
