package keystore

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func subject(t *testing.T, cert *x509.Certificate) string {
	t.Helper()
	name, err := Name(cert.RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestKeyStores reads what keytool and openssl wrote (testdata/make.sh).
func TestKeyStores(t *testing.T) {
	for _, tt := range []struct {
		file, password string
		want           []string // subjects
		err            string
	}{
		{"key.jks", "secret", []string{"CN=member,O=Example"}, ""},
		{"key.jks", "wrong", nil, "the password does not open it"},
		{"key.jks", "", nil, "key member: the password does not open it"},
		{"modern.p12", "secret", []string{"CN=member,O=Example"}, ""},
		{"modern.p12", "wrong", nil, "the password does not open it"},
		{"legacy.p12", "secret", []string{"CN=member,O=Example"}, ""},
		{"pkcs12-inside.jks", "secret", []string{"CN=member,O=Example"}, ""},
		{"two.p12", "secret", []string{"CN=member,O=Example", "CN=second"}, ""},
		{"plain.pem", "", []string{"CN=member,O=Example"}, ""},
		{"sec1.pem", "", []string{"CN=member,O=Example"}, ""},
		{"pkcs1.pem", "", []string{"CN=rsa"}, ""},
		{"encrypted-aes-256-cbc.pem", "secret", []string{"CN=member,O=Example"}, ""},
		{"encrypted-aes-128-cbc.pem", "secret", []string{"CN=member,O=Example"}, ""},
		{"encrypted-des3.pem", "secret", []string{"CN=member,O=Example"}, ""},
		{"encrypted-des3.pem", "wrong", nil, "the password does not open it"},
		{"member.pem", "", nil, "no private key in it"},
		{"trust.jks", "trustsecret", nil, "no private key in it"},
		{"dn.txt", "", nil, "neither PEM nor JKS nor PKCS12"},
	} {
		pairs, err := KeyPairs(read(t, tt.file), Passwords{Store: tt.password})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.file, err, tt.err)
			}
			continue
		}
		var got []string
		for _, p := range pairs {
			got = append(got, subject(t, p.Leaf))
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.file, got, err, tt.want)
		}
	}
}

func TestTrustStores(t *testing.T) {
	for _, tt := range []struct{ file, password, want, err string }{
		{"trust.jks", "trustsecret", "CN=member,O=Example", ""},
		{"trust.jks", "secret", "", "the password does not open it"},
		{"trust.jks", "", "CN=member,O=Example", ""}, // as Java does
		{"trust.p12", "trustsecret", "CN=member,O=Example", ""},
		{"trust.p12", "secret", "", "the password does not open it"},
		{"trust-legacy.p12", "trustsecret", "CN=member,O=Example", ""},
		{"member.pem", "", "CN=member,O=Example", ""},
		{"key.jks", "secret", "", "no certificate in it"}, // of a key, it is no authority
		{"modern.p12", "secret", "", "keytool -importcert"},
	} {
		certs, err := Authorities(read(t, tt.file), tt.password)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.file, err, tt.err)
			}
		case err != nil || len(certs) != 1 || subject(t, certs[0]) != tt.want:
			t.Errorf("%s: %v, %v", tt.file, certs, err)
		}
	}
}

func TestOtherPasswordOfTheKey(t *testing.T) {
	for _, file := range []string{"key.jks", "encrypted-des3.pem"} {
		if _, err := KeyPairs(read(t, file), Passwords{Store: "", Key: "secret"}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := KeyPairs(read(t, file), Passwords{Store: "secret", Key: "other"}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s by another password: %v", file, err)
		}
	}
}

// TestDamage: a store that was cut off is not called one of another password.
func TestDamage(t *testing.T) {
	whole := read(t, "trust.jks")
	for n := 4; n < len(whole); n += 7 {
		_, err := Authorities(whole[:n], "trustsecret")
		if err == nil || errors.Is(err, ErrPassword) || !strings.Contains(err.Error(), "it is damaged") {
			t.Fatalf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
}

// FuzzStores reads damaged stores: an error, no panic, no endless work.
func FuzzStores(f *testing.F) {
	for _, name := range []string{"key.jks", "modern.p12", "legacy.p12", "trust.p12", "plain.pem", "encrypted-des3.pem"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, password := range []string{"", "secret"} {
			if pairs, err := KeyPairs(data, Passwords{Store: password}); err == nil {
				for _, p := range pairs {
					if p.Leaf == nil || p.PrivateKey == nil || len(p.Certificate) == 0 {
						t.Error("half a pair")
					}
				}
			}
			// Whether it is one, it says; here it only must not fall over.
			_, _ = Authorities(data, password)
		}
	})
}
