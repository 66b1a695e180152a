package clientcfg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server"
	"holt/wire/client"
)

// TestLogin logs in at a server of Holt's, by each mechanism with a password.
func TestLogin(t *testing.T) {
	s, err := server.Start(server.Config{DataDir: "data", FS: vfs.NewMem(), ClientAddr: "127.0.0.1:0", SASLScheme: true,
		SASL: &server.SASLConfig{Users: map[string]string{"bob": "builder"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	<-s.Ready()
	jaas := write(t, "jaas.conf", `
Client { org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="builder"; };
Scram { org.apache.kafka.common.security.scram.ScramLoginModule required username="bob" password="builder"; };
Option { org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="builder" mechanism="SCRAM-SHA-256"; };
Wrong { org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="wrong"; };
`)
	for _, c := range []struct {
		flags Flags
		jvm   string
		want  string
	}{
		{Flags{}, "", "[{ip 127.0.0.1}]"},
		{Flags{JAAS: jaas}, "", "[{ip 127.0.0.1} {sasl bob}]"},
		{Flags{JAAS: jaas, Mechanism: "scram-sha-256"}, "", "[{ip 127.0.0.1} {sasl bob}]"},
		{Flags{}, "-Djava.security.auth.login.config=" + jaas, "[{ip 127.0.0.1} {sasl bob}]"},
		{Flags{}, "-Djava.security.auth.login.config=" + jaas + " -Dzookeeper.sasl.client=false", "[{ip 127.0.0.1}]"},
		{Flags{JAAS: jaas}, "-Dzookeeper.sasl.clientconfig=Scram", "[{ip 127.0.0.1} {sasl bob}]"},
		{Flags{JAAS: jaas}, "-Dzookeeper.sasl.clientconfig=Option", "[{ip 127.0.0.1} {sasl bob}]"},
		{Flags{JAAS: jaas}, "-Dzookeeper.sasl.clientconfig=Wrong", "login by SASL: the server refused it: "},
		{Flags{JAAS: jaas, Mechanism: "SCRAM-SHA-256"}, "-Dzookeeper.sasl.clientconfig=Wrong", "login by SASL: the server refused it: "},
	} {
		config, err := Load("", c.flags, c.jvm)
		if err != nil {
			t.Fatal(err)
		}
		got, err := whoAmI(t, config, s.ClientAddr())
		var failed *client.LoginError
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) || errors.As(err, &failed) != (err != nil) {
			t.Errorf("%+v %s: %s, want %s", c.flags, c.jvm, got, c.want)
		}
	}
}

func whoAmI(t *testing.T, config *Config, addr net.Addr) (string, error) {
	t.Helper()
	ctx := context.Background()
	nc, err := config.Dial(ctx, addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(ctx, nc, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Abort()
	if err := config.Login(ctx, addr.String(), c); err != nil {
		return "", err
	}
	who, err := c.WhoAmI(ctx)
	return fmt.Sprint(who), err
}

func TestLoginRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"Server { a.DigestLoginModule required username=x; };": "no section Client",
		"Client { };": "no section Client",
		"Client { a.DigestLoginModule required; };":                            "no username",
		"Client { a.DigestLoginModule required username=x mechanism=PLAIN; };": `mechanism "PLAIN" is not known`,
		"Client { a.LdapLoginModule required; };":                              "a.LdapLoginModule is not known",
		"Client { a.Krb5LoginModule required keyTab=x; };":                     "without principal",
		"Client": "a section begins with NAME {",
	} {
		if _, err := Load("", Flags{JAAS: write(t, "jaas.conf", text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Load("", Flags{JAAS: "/nonexistent"}); err == nil {
		t.Error("a JAAS file that there is not")
	}
	// Where a ticket cannot be had, trying again does not help.
	config, err := Load("", Flags{JAAS: write(t, "jaas.conf", `Client { a.Krb5LoginModule required ticketCache="/nonexistent"; };`)},
		"-Djava.security.krb5.conf="+write(t, "krb5.conf", "[libdefaults]\ndefault_realm = R\n"))
	if err != nil {
		t.Fatal(err)
	}
	var failed *client.LoginError
	if err := config.Login(context.Background(), "h:1", nil); !errors.As(err, &failed) || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("%v", err)
	}
}
