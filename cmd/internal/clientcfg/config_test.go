package clientcfg

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holt/server/secure"
	"holt/server/secure/securetest"
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
zookeeper.disableAutoWatchReset=true
zookeeper.ssl.keyStore.location=/not/read/since/not/secure.jks
zookeeper.request.timeout=5
`)
	c, err := Load(file, Flags{}, "-Xmx1g -Djava.net.preferIPv4Stack=true -Dzookeeper.client.secure=false", "")
	if err != nil || c.Secure() {
		t.Fatalf("%+v, %v", c, err)
	}
	if want := []string{"zookeeper.disableAutoWatchReset", "zookeeper.request.timeout"}; !slices.Equal(c.Ignored, want) {
		t.Errorf("ignored %q, want %q", c.Ignored, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"zookeeper.ssl.keyStore.location=/a/absent.pem":                             "no such file",
		"zookeeper.ssl.trustStore.location=/a/absent.jks":                           "no such file",
		"zookeeper.ssl.keyStore.type=BCFKS":                                         "convert it by keytool",
		"zookeeper.ssl.enabledProtocols=TLSv1.2,SSLv3":                              `protocol "SSLv3"`,
		"zookeeper.ssl.ciphersuites=NOT_A_SUITE":                                    "none of these cipher suites",
		"zookeeper.ssl.trustStore.location=" + write(t, "empty.pem", "") + "\n":     "it is empty",
		"zookeeper.ssl.trustStore.location=" + write(t, "text.pem", "hello") + "\n": "neither PEM nor JKS nor PKCS12",
		"zookeeper.ssl.ocsp=yes":                                                    "neither true nor false",
		"bad=\\u12":                                                                 `client.cfg:2: \u is not followed by four hexadecimal digits`,
	} {
		_, err := Load(write(t, "client.cfg", "zookeeper.client.secure=true\n"+text), Flags{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Load("/nonexistent", Flags{}); err == nil {
		t.Error("an absent file is taken")
	}
	c, err := Load(write(t, "client.cfg", "zookeeper.client.secure=true\nzookeeper.ssl.keyStore.alias=me\n"), Flags{})
	if err != nil || !slices.Equal(c.Ignored, []string{"zookeeper.ssl.keyStore.alias"}) {
		t.Errorf("an unknown setting of TLS: %+v, %v", c, err)
	}
}

// TestDial connects to a server that asks for a certificate of its authority.
func TestDial(t *testing.T) {
	ca, stranger := securetest.New(t, "ours"), securetest.New(t, "theirs")
	pair := ca.Issue(t, securetest.Template("client"))
	cert, key := ca.Write(t, "me.pem", pair.CertPEM()), ca.Write(t, "me.key", pair.KeyPEM())
	both := ca.Write(t, "both.pem", pair.KeyPEM()+pair.CertPEM())
	trust, other := ca.TrustStore(t), stranger.TrustStore(t)
	theirs := stranger.KeyStore(t, securetest.Template("client"))
	jks := "../../../wire/keystore/testdata/"
	settings := func(trust, more string) string {
		return "zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=" + both + "\nzookeeper.ssl.trustStore.location=" + trust + "\n" + more
	}
	here, elsewhere := securetest.Template("server"), securetest.Template("server")
	elsewhere.IPAddresses, elsewhere.DNSNames = nil, []string{"elsewhere"}
	for _, tt := range []struct {
		name     string
		server   string // its key store
		settings string
		flags    Flags
		cause    string // "" if it works
	}{
		{"properties", ca.KeyStore(t, here), settings(trust, ""), Flags{}, ""},
		{"wrong name", ca.KeyStore(t, elsewhere), settings(trust, ""), Flags{}, "does not name 127.0.0.1"},
		{"wrong name allowed", ca.KeyStore(t, elsewhere), settings(trust, "zookeeper.ssl.hostnameVerification=false\n"), Flags{}, ""},
		{"unknown authority", ca.KeyStore(t, here), settings(other, ""), Flags{}, "is signed by nobody in the trust store"},
		{"unknown authority, any name", ca.KeyStore(t, here), settings(other, "zookeeper.ssl.hostnameVerification=false\n"), Flags{}, "is signed by nobody"},
		{"flags", ca.KeyStore(t, here), "", Flags{CA: trust, Cert: cert, Key: key}, ""},
		{"flags, one file", ca.KeyStore(t, here), "", Flags{CA: trust, Cert: both}, ""},
		{"flags over properties", ca.KeyStore(t, here), settings(other, ""), Flags{CA: trust}, ""},
		{"refused after the handshake", ca.KeyStore(t, here), "", Flags{CA: trust, Cert: theirs}, "this side has none that it would take"},
		{"authorities of the system", ca.KeyStore(t, here), "", Flags{TLS: true, Cert: both}, "is signed by nobody"},
		{"stores of keytool", jks + "key.jks", "zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=" + jks + "modern.p12\nzookeeper.ssl.keyStore.password=secret\n" +
			"zookeeper.ssl.trustStore.location=" + jks + "trust.jks\nzookeeper.ssl.trustStore.password=trustsecret\n", Flags{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, err := Load(write(t, "client.cfg", tt.settings), tt.flags)
			if err != nil {
				t.Fatal(err)
			}
			clients := trust
			if strings.HasPrefix(tt.name, "stores of keytool") {
				clients = write(t, "clients.pem", modernCert(t))
			}
			address := greet(t, secure.Settings{KeyStore: secure.Store{Location: tt.server, Password: "secret"}, TrustStore: secure.Store{Location: clients}})
			conn, err := config.Dial(t.Context(), address)
			if err == nil {
				defer conn.Close()
				_, err = conn.Read(make([]byte, 1)) // the server speaks first, if it accepts us
			}
			if (err == nil) != (tt.cause == "") {
				t.Fatalf("error %v, want %q", err, tt.cause)
			}
			var failed *HandshakeError
			if tt.cause != "" && (!errors.As(err, &failed) || !strings.Contains(failed.Cause, tt.cause)) {
				t.Errorf("error %v, want %q", err, tt.cause)
			}
		})
	}
}

// modernCert is the certificate of the store modern.p12, which plain.pem has too.
func modernCert(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../wire/keystore/testdata/plain.pem")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// greet accepts clients and says one byte to each that has a certificate.
func greet(t *testing.T, settings secure.Settings) string {
	t.Helper()
	config, err := securetest.Open(t, settings, secure.Options{}).Server()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		c := secure.Server(nc, nil, config)
		defer c.Close()
		_, _ = io.WriteString(c, "!") // the client has been told why not
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
