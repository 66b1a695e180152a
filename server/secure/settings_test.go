package secure

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSet(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"keyStore.location", "/k", ""},
		{"trustStore.passwordPath", "/p", ""},
		{"keyStore.type", "pkcs12", ""},
		{"keyStore.type", "BCFKS", "convert it"},
		{"keyStore.type", "DKS", "not one of PEM, JKS, PKCS12"},
		{"keyStore.alias", "a", "no such setting"},
		{"clientAuth", "WANT", ""},
		{"clientAuth", "sometimes", "not one of need, want, none"},
		{"enabledProtocols", "TLSv1.2, TLSv1.3", ""},
		{"enabledProtocols", "SSLv3", "is not one of"},
		{"protocol", "TLS", ""},
		{"ciphersuites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,ONLY_JAVA", ""},
		{"ciphersuites", "ONLY_JAVA", "none of these"},
		{"hostnameVerification", "no", "neither true nor false"},
		{"handshakeDetectionTimeoutMillis", "0", "not a number"},
		{"handshakeDetectionTimeoutMillis", "250", ""},
		{"crl", "true", ""},
		{"crl", "maybe", "neither true nor false"},
		{"ocsp", "false", ""},
		{"context.supplier.class", "a.B", "a Java class"},
		{"sslProvider", "OPENSSL", ""},
	} {
		var s Settings
		err := s.Set(tt.name, tt.value)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s=%s: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	var s Settings
	if err := s.Set("nonsense", "1"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestVersions(t *testing.T) {
	for value, want := range map[string][2]uint16{
		"":                {tls.VersionTLS11, tls.VersionTLS11},
		"TLSv1.2":         {tls.VersionTLS12, tls.VersionTLS12},
		"TLSv1.3,TLSv1.2": {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1,TLSv1.1":   {tls.VersionTLS10, tls.VersionTLS11},
	} {
		var s Settings
		if value != "" {
			if err := s.Set("enabledProtocols", value); err != nil {
				t.Fatal(err)
			}
		}
		// The other key is its default and must not win, whichever comes first; of that key itself the last
		// value counts.
		for _, protocol := range []string{"TLSv1.3", "TLSv1.1"} {
			if err := s.Set("protocol", protocol); err != nil {
				t.Fatal(err)
			}
		}
		if least, most := s.versions(); [2]uint16{least, most} != want {
			t.Errorf("%q: %x to %x, want %x", value, least, most, want)
		}
	}
}

func TestDefaultVersions(t *testing.T) {
	if least, most := new(Settings).versions(); least != tls.VersionTLS12 || most != tls.VersionTLS13 {
		t.Errorf("%x to %x", least, most)
	}
}

func TestStringHidesPasswords(t *testing.T) {
	s := Settings{KeyStore: Store{Location: "/k", Password: "secret"}, DetectTimeout: time.Second, ClientAuth: None, Fixed: true}
	if got, want := s.String(), "keyStore=/k clientAuth=none fixed=true detectTimeout=1s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
