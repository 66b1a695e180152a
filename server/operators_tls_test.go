package server

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holt/server/admin"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire"
)

// overTLS is a client of the AdminServer that believes ca, with a certificate of its own if name is
// not empty.
func overTLS(t *testing.T, ca *securetest.Authority, name string) *http.Client {
	t.Helper()
	settings := ca.Settings(t, name)
	if name == "" {
		settings.KeyStore = secure.Store{}
	}
	config := securetest.Open(t, settings, secure.Options{}).Client("127.0.0.1")
	if certs := config.Certificates; len(certs) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
}

// askOver returns the status and answer of a command, "-" if the connection failed.
func askOver(c *http.Client, url, authorization string) (int, string) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return 0, "-"
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "-"
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "-"
	}
	return res.StatusCode, string(b)
}

// TestAdminServerOverTLS comes with and without TLS, with and without a certificate, to each kind of
// port.
func TestAdminServerOverTLS(t *testing.T) {
	ca := securetest.New(t, "ours")
	plain := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, tc := range []struct {
		kind  AdminTLS
		need  bool
		plain int // status of ruok
		none  int
		own   int
	}{
		{AdminPlain, false, 200, 0, 0},
		{AdminEither, false, 200, 200, 200},
		{AdminEither, true, 200, 0, 200},
		{AdminSecure, false, 400, 200, 200},
		{AdminSecure, true, 400, 0, 200},
	} {
		s := adminServer(t, func(c *Config) {
			c.AdminTLS, c.AdminNeedClientAuth, c.TLS.Peers = tc.kind, tc.need, ca.Settings(t, "server")
			c.TLS.X509 = true
		})
		at := s.AdminAddr().String()
		for name, ask := range map[string]struct {
			client *http.Client
			scheme string
			want   int
		}{
			"in plaintext": {plain, "http", tc.plain}, "without a certificate": {overTLS(t, ca, ""), "https", tc.none}, "with one": {overTLS(t, ca, "client"), "https", tc.own},
		} {
			if code, text := askOver(ask.client, ask.scheme+"://"+at+"/commands/ruok", ""); code != ask.want || code == 200 && !strings.Contains(text, `"command" : "ruok"`) {
				t.Errorf("port of kind %d, certificate needed %v, %s: %d %s, want %d", tc.kind, tc.need, name, code, text, ask.want)
			}
		}
		ends := false
		s.Metrics(func(m *admin.Metric) {
			ends = ends || m.Name == "holt_tls_certificate_end_seconds" && m.LabelValue == "admin"
		})
		if ends != (tc.kind != AdminPlain) {
			t.Errorf("port of kind %d: when its certificate ends is among the metrics: %v", tc.kind, ends)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCertificateAuthorizes opens the root to one subject alone.
func TestCertificateAuthorizes(t *testing.T) {
	ca := securetest.New(t, "ours")
	for _, kind := range []AdminTLS{AdminEither, AdminSecure} {
		s := adminServer(t, func(c *Config) {
			c.AdminTLS, c.AdminNeedClientAuth, c.TLS.Peers = kind, true, ca.Settings(t, "server")
			c.TLS.X509, c.AdminSnapshotIntervalMillis = true, -1
		})
		c := connect(t, s, wire.ConnectRequest{})
		subject := "CN=operator,O=Holt"
		if h := c.call(wire.OpSetACL, &wire.SetACLRequest{Path: "/", Version: -1,
			ACL: []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "x509", ID: subject}}}}, nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		url := "https://" + s.AdminAddr().String() + "/commands/snapshot?streaming=false"
		for name, want := range map[string]int{"operator": 200, "other": 403} {
			if code, text := askOver(overTLS(t, ca, name), url, "x509"); code != want {
				t.Errorf("port of kind %d, %s: %d %s, want %d", kind, name, code, text, want)
			}
		}
		if code, _ := askOver(overTLS(t, ca, "operator"), url, "digest a:b"); code != 403 {
			t.Errorf("a password: %d", code)
		}
	}
}

func TestAdminTLSIsValidated(t *testing.T) {
	ca := securetest.New(t, "ours")
	for _, tc := range []struct {
		set  func(*Config)
		want string
	}{
		{func(c *Config) {}, "set ssl.quorum.keyStore.location"},
		{func(c *Config) { c.TLS.Peers.KeyStore = ca.Settings(t, "s").KeyStore; c.AdminNeedClientAuth = true }, "set ssl.quorum.trustStore.location"},
	} {
		cfg := Config{DataDir: "d", AdminTLS: AdminSecure}
		tc.set(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
}
