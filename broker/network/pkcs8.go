package network

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// Encrypted PKCS #8 (RFC 5958) with PBES2 and AES, which is what openssl and keytool
// write; the standard library reads only keys in the clear.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Params struct {
		Derivation pkix.AlgorithmIdentifier
		Encryption pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

var errKeyPassword = errors.New("the key cannot be decrypted: wrong password, or a form other than PBES2 with AES")

// pbkdf2Most bounds the iterations, so that a file cannot keep the process busy.
const pbkdf2Most = 10_000_000

// decryptPEM returns data with its encrypted keys in the clear.
func decryptPEM(data []byte, password string) ([]byte, error) {
	var out bytes.Buffer
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return out.Bytes(), nil
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			key, err := decryptKey(block.Bytes, password)
			if err != nil {
				return nil, err
			}
			block = &pem.Block{Type: "PRIVATE KEY", Bytes: key}
		}
		if err := pem.Encode(&out, block); err != nil {
			return nil, err
		}
	}
}

func decryptKey(der []byte, password string) ([]byte, error) {
	var outer encryptedKey
	var params pbes2Params
	var kdf pbkdf2Params
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	if outer.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13" {
		return nil, errKeyPassword
	}
	if _, err := asn1.Unmarshal(outer.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	if _, err := asn1.Unmarshal(params.Derivation.Parameters.FullBytes, &kdf); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(params.Encryption.Parameters.FullBytes, &iv); err != nil {
		return nil, errKeyPassword
	}
	size := map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}[params.Encryption.Algorithm.String()]
	if size == 0 || len(iv) != aes.BlockSize || kdf.Iterations < 1 || kdf.Iterations > pbkdf2Most {
		return nil, errKeyPassword
	}
	key, err := pbkdf2.Key(prf(kdf.PRF), password, kdf.Salt, kdf.Iterations, size)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	return decryptCBC(outer.Data, key, iv)
}

func prf(id pkix.AlgorithmIdentifier) func() hash.Hash {
	switch id.Algorithm.String() {
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return sha1.New // the default of PBKDF2
}

func decryptCBC(data, key, iv []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errKeyPassword
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, errKeyPassword
	}
	plain = plain[:len(plain)-pad]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, errKeyPassword
	}
	return plain, nil
}
