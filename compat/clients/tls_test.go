package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire"
	"holt/wire/client"
)

// storePassword opens the JKS and PKCS12 stores of these tests.
const storePassword = "changeit"

// tlsServer is one member with a port for TLS, and the authority that it believes in. Its own key
// is in a JKS store and its authorities in a PKCS12 store, made by keytool. The owner of the
// certificate CN=root is the superuser.
type tlsServer struct {
	ca      *securetest.Authority
	e       *ensemble.Ensemble
	addr    string // for TLS
	tooling string // directory of stores
}

func startTLS(t *testing.T, settings ...string) *tlsServer {
	t.Helper()
	return startTLSWith(t, nil, settings...)
}

// startTLSWith is startTLS with properties, see ensemble.Config.
func startTLSWith(t *testing.T, properties []string, settings ...string) *tlsServer {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{"keytool", "-help"}, Package: "default-jdk-headless"})
	target.Require(t, target.Tool{Check: []string{"openssl", "version"}, Package: "openssl"})
	s := &tlsServer{ca: securetest.New(t, "Holt's test authority"), tooling: t.TempDir()}
	s.e = target.Start(t, ensemble.Config{Secure: true, Properties: properties, Settings: append([]string{
		"ssl.keyStore.location=" + s.keyStore(t, "server", "jks"), "ssl.keyStore.password=" + storePassword,
		"ssl.trustStore.location=" + s.trustStore(t, "p12"), "ssl.trustStore.password=" + storePassword,
		"X509AuthenticationProvider.superUser=CN=root",
	}, settings...)})
	s.addr = s.e.Members()[0].SecureAddr()
	return s
}

// who is a certificate whose subject has no comma: zkCli.sh could not write an ACL for one that has.
func who(name string) *x509.Certificate {
	c := securetest.Template(name)
	c.Subject.Organization = nil
	return c
}

// keyStore makes a store of a new certificate by the programs that people use. kind is p12 or jks.
func (s *tlsServer) keyStore(t *testing.T, name, kind string) string {
	t.Helper()
	pem := s.ca.KeyStore(t, who(name))
	p12 := filepath.Join(s.tooling, name+".p12")
	command(t, "openssl", "pkcs12", "-export", "-in", pem, "-out", p12, "-name", name, "-passout", "pass:"+storePassword)
	if kind == "p12" {
		return p12
	}
	jks := filepath.Join(s.tooling, name+".jks")
	command(t, "keytool", "-importkeystore", "-noprompt", "-srckeystore", p12, "-srcstorepass", storePassword,
		"-destkeystore", jks, "-deststoretype", "JKS", "-deststorepass", storePassword)
	return jks
}

func (s *tlsServer) trustStore(t *testing.T, kind string) string {
	t.Helper()
	store := filepath.Join(s.tooling, "trust."+kind)
	if _, err := os.Stat(store); err == nil {
		return store
	}
	command(t, "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", s.ca.TrustStore(t), "-keystore", store,
		"-storetype", map[string]string{"p12": "PKCS12", "jks": "JKS"}[kind], "-storepass", storePassword)
	return store
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// properties are the client properties of somebody, with stores of the kinds.
func (s *tlsServer) properties(t *testing.T, name, keys, trust string) []string {
	t.Helper()
	return []string{
		"zookeeper.client.secure=true", "zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
		"zookeeper.ssl.keyStore.location=" + s.keyStore(t, name, keys), "zookeeper.ssl.keyStore.password=" + storePassword,
		"zookeeper.ssl.trustStore.location=" + s.trustStore(t, trust), "zookeeper.ssl.trustStore.password=" + storePassword,
	}
}

// talkJava starts ZooKeeperMain as somebody, by -client-configuration.
func (s *tlsServer) talkJava(t *testing.T, o *ensemble.Original, properties []string) *dialogue {
	t.Helper()
	return talk(t, s.javaCLI(t, o, properties))
}

func (s *tlsServer) javaCLI(t *testing.T, o *ensemble.Original, properties []string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(t.TempDir(), "client.cfg")
	if err := os.WriteFile(file, []byte(strings.Join(properties, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return o.CLI("-timeout", "10000", "-server", strings.Replace(s.addr, "127.0.0.1", "localhost", 1), "-client-configuration", file)
}

const syncConnected = `WatchedEvent state:SyncConnected type:None path:null`

// TestJavaTLS has zkCli.sh come with certificates in stores of both of Java's kinds.
func TestJavaTLS(t *testing.T) {
	target.Kind(t)
	o, s := original(t), startTLS(t)
	alice := s.talkJava(t, o, s.properties(t, "alice", "jks", "p12"))
	alice.expect(syncConnected)
	alice.ask("whoami", `(?s)Auth scheme: User\n.*x509: CN=alice\n`)
	alice.ask("create /mine x x509:CN=alice:cdrwa", `Created /mine\n`)
	alice.ask("create /auth x auth::cdrwa", `Created /auth\n`)
	alice.ask("getAcl /auth", `'x509,'CN=alice\n: cdrwa\n`)
	alice.ask("addauth x509", connectedPrompt)
	alice.ask("create /bad x x509:nonsense:cdrwa", `Acl is not valid : /bad\n`)
	alice.ask("create /large "+strings.Repeat("0123456789", 3000), `Created /large\n`)
	alice.ask("get -w /large", `0123456789\n`)
	bob := s.talkJava(t, o, append(s.properties(t, "bob", "p12", "jks"), "zookeeper.ssl.enabledProtocols=TLSv1.3"))
	bob.expect(syncConnected)
	bob.ask("get /mine", `Insufficient permission : /mine\n`)
	bob.ask("set /large small", connectedPrompt)
	alice.expect(`WatchedEvent state:SyncConnected type:NodeDataChanged path:/large`)
	root := s.talkJava(t, o, s.properties(t, "root", "p12", "p12"))
	root.expect(syncConnected)
	root.ask("get /mine", `x\n`)
	root.ask("whoami", `(?s)super: \n.*`+connectedPrompt)
	for _, d := range []*dialogue{alice, bob, root} {
		d.ask("ls /", `zookeeper`) // the last command decides the exit status
		d.send("quit")
		d.wait()
	}
}

// TestJavaTLSRefused has zkCli.sh come without a certificate, and with one of nobody.
func TestJavaTLSRefused(t *testing.T) {
	target.Kind(t)
	o, s := original(t), startTLS(t)
	other := &tlsServer{ca: securetest.New(t, "somebody else"), tooling: t.TempDir()}
	for name, properties := range map[string][]string{
		"none":    s.properties(t, "alice", "p12", "p12")[:2:2],
		"foreign": append(s.properties(t, "alice", "p12", "p12"), "zookeeper.ssl.keyStore.location="+other.keyStore(t, "alice", "p12")),
	} {
		if name == "none" {
			properties = append(properties, s.properties(t, "carol", "p12", "p12")[4:]...)
		}
		file := filepath.Join(t.TempDir(), "client.cfg")
		if err := os.WriteFile(file, []byte(strings.Join(properties, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cli := o.CLI("-timeout", "4000", "-server", s.addr, "-client-configuration", file, "ls", "/")
		cmd := exec.CommandContext(ctx, cli.Path, cli.Args[1:]...)
		if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "[zookeeper]") {
			t.Errorf("certificate %s: %v\n%s", name, err, out)
		}
	}
}

// TestKazooTLS has kazoo come by use_ssl.
func TestKazooTLS(t *testing.T) {
	target.Kind(t)
	requireKazoo(t)
	s := startTLS(t)
	args := []string{"testdata/kazoo_tls.py", s.addr, s.ca.TrustStore(t)}
	for _, name := range []string{"alice", "bob"} {
		p := s.ca.Issue(t, who(name))
		args = append(args, s.ca.Write(t, name+".crt", p.CertPEM()), s.ca.Write(t, name+".key", p.KeyPEM()))
	}
	out, err := exec.CommandContext(t.Context(), systemPython, args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "passed\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// connectGo makes a session with a new certificate.
func (s *tlsServer) connectGo(t *testing.T, name string) *zk.Conn {
	t.Helper()
	config := securetest.Open(t, secure.Settings{
		KeyStore: secure.Store{Location: s.ca.KeyStore(t, who(name))}, TrustStore: secure.Store{Location: s.ca.TrustStore(t)},
	}, secure.Options{}).Client("127.0.0.1")
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: timeout}, network, address, config)
	}
	c, events, err := zk.Connect([]string{s.addr}, sessionTimeout, zk.WithDialer(dial), zk.WithLogger(testLog{t}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for e := range events {
		if e.State == zk.StateHasSession {
			break
		}
	}
	return c
}

// TestGoTLS has go-zookeeper/zk come by a dialler of crypto/tls.
func TestGoTLS(t *testing.T) {
	target.Kind(t)
	s := startTLS(t)
	alice, bob := s.connectGo(t, "alice"), s.connectGo(t, "bob")
	if _, err := alice.Create("/go", []byte("x"), 0, []zk.ACL{{Perms: zk.PermAll, Scheme: "x509", ID: "CN=alice"}}); err != nil {
		t.Fatal(err)
	}
	if data, _, err := alice.Get("/go"); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
	if _, _, err := bob.Get("/go"); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("by somebody else: %v", err)
	}
}

// TestSubjectsAreTheOriginals asks the server for the text of odd subjects. Against Apache
// ZooKeeper it shows that the test is right.
func TestSubjectsAreTheOriginals(t *testing.T) {
	target.Kind(t)
	s := startTLS(t)
	for subject, want := range map[string]string{
		"/C=DE/O=Example GmbH, Ltd./OU=a\\+b/CN=\"q\"": `CN=\"q\",OU=a\+b,O=Example GmbH\, Ltd.,C=DE`,
		"/DC=com/DC=example/UID=u1/CN=Jürgen":          `CN=Jürgen,UID=u1,DC=example,DC=com`,
		"/emailAddress=a@b.c/CN=m":                     `CN=m,1.2.840.113549.1.9.1=#16056140622e63`,
		"/CN=#lead/serialNumber=42":                    `2.5.4.5=#13023432,CN=\#lead`,
	} {
		pair := s.openSSL(t, subject)
		c, err := client.Dial(t.Context(), s.addr, client.Options{TLS: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}})
		if err != nil {
			t.Errorf("%s: %v", subject, err)
			continue
		}
		infos, err := c.WhoAmI(t.Context())
		c.Abort()
		i := slices.IndexFunc(infos, func(i wire.ClientInfo) bool { return i.AuthScheme == "x509" })
		if err != nil || i < 0 || infos[i].User != want {
			t.Errorf("%s: %v, %v, want %s", subject, infos, err, want)
		}
	}
}

// openSSL makes a certificate whose subject is written as openssl takes it, signed by the
// authority.
func (s *tlsServer) openSSL(t *testing.T, subject string) tls.Certificate {
	t.Helper()
	key, csr := filepath.Join(s.tooling, "odd.key"), filepath.Join(s.tooling, "odd.csr")
	command(t, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8",
		"-keyout", key, "-out", csr, "-subj", subject)
	cert := s.ca.SignRequest(t, csr)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
