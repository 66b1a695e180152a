package keystore

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

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
