package clientcfg

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadWithoutTLS(t *testing.T) {
	file := write(t, "client.cfg", `
# a client
zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNIO
zookeeper.sasl.client.username=zk
zookeeper.ssl.keyStore.location=/not/read/since/not/secure.jks
zookeeper.request.timeout=5
`)
	c, err := Load(file, "-Xmx1g -Djava.net.preferIPv4Stack=true -Dzookeeper.client.secure=false", "")
	if err != nil || c.TLS != nil {
		t.Fatalf("%+v, %v", c, err)
	}
	if want := []string{"zookeeper.sasl.client.username", "zookeeper.request.timeout"}; !slices.Equal(c.Ignored, want) {
		t.Errorf("ignored %q, want %q", c.Ignored, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"zookeeper.ssl.keyStore.location=/a/key.jks":                                 `type "jks": only PEM`,
		"zookeeper.ssl.trustStore.location=/a/trust.p12":                             `type "p12": only PEM`,
		"zookeeper.ssl.keyStore.location=/a/key\nzookeeper.ssl.keyStore.type=PKCS12": `type "PKCS12": only PEM`,
		"zookeeper.ssl.keyStore.location=/a/absent.pem":                              "no such file",
		"zookeeper.ssl.trustStore.location=/a/absent.pem":                            "no such file",
		"zookeeper.ssl.enabledProtocols=TLSv1.2,SSLv3":                               `unknown protocol "SSLv3"`,
		"zookeeper.ssl.ciphersuites=NOT_A_SUITE":                                     "none of the cipher suites",
		"zookeeper.ssl.trustStore.location=" + write(t, "empty.pem", "") + "\n":      "no certificate in it",
		"bad=\\u12": `malformed \u escape`,
	} {
		_, err := Load(write(t, "client.cfg", "zookeeper.client.secure=true\n"+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Load("/nonexistent"); err == nil {
		t.Error("an absent file is taken")
	}
}

func TestVersionsAndSuites(t *testing.T) {
	c, err := Load("", "-Dzookeeper.client.secure=true -Dzookeeper.ssl.enabledProtocols=TLSv1.3,TLSv1.2"+
		" -Dzookeeper.ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_UNKNOWN")
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS.MinVersion != tls.VersionTLS12 || c.TLS.MaxVersion != tls.VersionTLS13 ||
		!slices.Equal(c.TLS.CipherSuites, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}) {
		t.Errorf("%+v", c.TLS)
	}
}

// authority issues certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem = issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate and returns it with its key, and as PEM.
func issue(t *testing.T, by *authority, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// keyStore is a certificate and its key in one PEM text, as ZooKeeper wants it.
func keyStore(t *testing.T, by *authority, template *x509.Certificate) string {
	t.Helper()
	_, key, cert := issue(t, by, template)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})) + cert
}

// TestHandshake connects to a server that asks for a certificate of its authority.
func TestHandshake(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	client := write(t, "client.pem", keyStore(t, ca, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
	trust, other := write(t, "trust.pem", ca.pem), write(t, "other.pem", stranger.pem)
	settings := func(trust, more string) string {
		return "zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=" + client + "\nzookeeper.ssl.trustStore.location=" + trust + "\n" + more
	}
	for _, tt := range []struct {
		name     string
		server   string // name in its certificate
		settings string
		ok       bool
	}{
		{"right name", "127.0.0.1", settings(trust, ""), true},
		{"wrong name", "10.9.9.9", settings(trust, ""), false},
		{"wrong name allowed", "10.9.9.9", settings(trust, "zookeeper.ssl.hostnameVerification=false\n"), true},
		{"unknown authority", "127.0.0.1", settings(other, ""), false},
		{"unknown authority, any name", "127.0.0.1", settings(other, "zookeeper.ssl.hostnameVerification=false\n"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, err := Load(write(t, "client.cfg", tt.settings))
			if err != nil {
				t.Fatal(err)
			}
			address := serveTLS(t, ca, tt.server)
			conn, err := (&tls.Dialer{Config: config.TLS}).DialContext(t.Context(), "tcp", address)
			if err == nil {
				defer conn.Close()
				_, err = conn.Read(make([]byte, 1)) // the server speaks first, if it accepts us
			}
			if (err == nil) != tt.ok {
				t.Errorf("error %v, want success %v", err, tt.ok)
			}
		})
	}
}

// serveTLS accepts one client that has a certificate of ca, and says one byte.
func serveTLS(t *testing.T, ca *authority, address string) string {
	t.Helper()
	store := keyStore(t, ca, &x509.Certificate{IPAddresses: []net.IP{net.ParseIP(address)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	pair, err := tls.X509KeyPair([]byte(store), []byte(store))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("!")); err != nil {
			return // the client has been told why
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
