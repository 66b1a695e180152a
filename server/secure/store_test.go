package secure

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestKeyStores reads what keytool and openssl wrote (testdata/make.sh).
func TestKeyStores(t *testing.T) {
	for _, tt := range []struct {
		file, password string
		want           []string // subjects
		err            string
	}{
		{"key.jks", "secret", []string{"CN=member,O=Example"}, ""},
		{"key.jks", "wrong", nil, "the password does not open it"},
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
		{"encrypted-des3.pem", "wrong", nil, "does not open by the password"},
		{"member.pem", "", nil, "no private key in it"},
		{"trust.jks", "trustsecret", nil, "no private key in it"},
		{"dn.txt", "", nil, "neither PEM nor JKS nor PKCS12"},
		{"absent.pem", "", nil, "no such file"},
	} {
		s := Store{Location: filepath.Join("testdata", tt.file), Password: tt.password}
		pairs, err := s.keyPairs(os.ReadFile)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.file) {
				t.Errorf("%s: %v, want %q and the file", tt.file, err, tt.err)
			}
			continue
		}
		var got []string
		for _, p := range pairs {
			got = append(got, DN(p.Leaf))
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
		{"trust.p12", "trustsecret", "CN=member,O=Example", ""},
		{"trust.p12", "secret", "", "the password does not open it"},
		{"trust-legacy.p12", "trustsecret", "CN=member,O=Example", ""},
		{"member.pem", "", "CN=member,O=Example", ""},
		{"key.jks", "secret", "", "no certificate in it"}, // of a key, it is no authority
		{"modern.p12", "secret", "", "keytool -importcert"},
	} {
		s := Store{Location: filepath.Join("testdata", tt.file), Password: tt.password}
		certs, err := s.authorities(os.ReadFile)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.file, err, tt.err)
			}
		case err != nil || len(certs) != 1 || DN(certs[0]) != tt.want:
			t.Errorf("%s: %v, %v", tt.file, certs, err)
		}
	}
}

// TestPasswordFile takes the text without its line's end.
func TestPasswordFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Store{Location: "testdata/key.jks", Password: "wrong", PasswordFile: name}
	if _, err := s.keyPairs(os.ReadFile); err != nil {
		t.Error(err)
	}
	s.PasswordFile += ".absent"
	if _, err := s.keyPairs(os.ReadFile); err == nil || !strings.Contains(err.Error(), "password of testdata/key.jks") {
		t.Errorf("without the file: %v", err)
	}
}

// FuzzStores reads damaged stores: an error, no panic, no endless work.
func FuzzStores(f *testing.F) {
	for _, name := range []string{"key.jks", "modern.p12", "legacy.p12", "trust.p12", "plain.pem", "encrypted-des3.pem"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, password := range []string{"", "secret"} {
			if pairs, err := decodeKeyPairs(data, password); err == nil {
				for _, p := range pairs {
					if p.Leaf == nil || p.PrivateKey == nil || len(p.Certificate) == 0 {
						t.Error("half a pair")
					}
				}
			}
			// Whether it is one, it says; here it only must not fall over.
			_, _ = decodeAuthorities(data, password)
		}
	})
}
