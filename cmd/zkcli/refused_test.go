package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holt/server/secure"
	"holt/server/secure/securetest"
)

// TestCertificateIsRefused connects to a server that wants another certificate, which it says after the
// client's side of the handshake.
func TestCertificateIsRefused(t *testing.T) {
	ca, stranger := securetest.New(t, "ours"), securetest.New(t, "theirs")
	config, err := securetest.Open(t, ca.Settings(t, "server"), secure.Options{}).Server()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			refuse(nc)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	address := l.Addr().String()
	var stdout, stderr bytes.Buffer
	a := newApp(strings.NewReader(""), &stdout, &stderr, func(string) string { return "" })
	a.run(context.Background(), []string{"-server", address, "-waitforconnection", "-timeout", "3000",
		"--ca", ca.TrustStore(t), "--cert", stranger.KeyStore(t, securetest.Template("me")), "ls", "/"})
	const want = ": the peer asks for a certificate, and this side has none that it would take; set keyStore.location (zkcli: --cert), " +
		"to a certificate of an authority that is in the peer's trust store\nKeeperErrorCode = ConnectionLoss\n"
	if got := stderr.String(); got != "TLS handshake with "+address+want || a.exitCode != 1 {
		t.Errorf("exit %d, said %q", a.exitCode, got)
	}
}

// refuse has the handshake fail by the client's certificate.
func refuse(nc net.Conn) {
	defer nc.Close()
	_ = nc.(*tls.Conn).Handshake() // the client has been told why not
}

// TestLoginFails: a command in a session whose login has failed is no success, whether that shows before it begins or
// during it.
func TestLoginFails(t *testing.T) {
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	text := "Client { com.sun.security.auth.module.Krb5LoginModule required useTicketCache=true ticketCache=\"" + t.TempDir() + "/none\"; };"
	if err := os.WriteFile(jaas, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := startServer(t)
	var stdout, stderr bytes.Buffer
	a := newApp(strings.NewReader("ls /\nls /\n"), &stdout, &stderr, func(string) string { return "" })
	a.run(context.Background(), []string{"-server", addr, "--jaas", jaas})
	if a.exitCode != 1 || !strings.Contains(stdout.String(), "Not connected\n") || !strings.HasSuffix(stderr.String(), "KeeperErrorCode = AuthFailed\n") {
		t.Errorf("exit %d, said %q and %q", a.exitCode, stdout.String(), stderr.String())
	}
}
