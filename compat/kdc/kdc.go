package kdc

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// KDC is a realm with a running KDC.
type KDC struct {
	Realm    string
	Krb5Conf string // path of the file by which clients find it
	dir      string
	addr     string
	t        testing.TB
	end      func() // of the KDC that runs
}

// Start makes a realm without principals and starts its KDC.
func Start(t testing.TB, realm string) *KDC {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{"sh", "-c", "command -v krb5kdc && command -v kadmin.local && command -v kinit"},
		Package: "krb5-kdc krb5-admin-server krb5-user"})
	k := &KDC{Realm: realm, t: t, dir: t.TempDir()}
	k.Krb5Conf = filepath.Join(k.dir, "krb5.conf")
	ports, err := ensemble.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	k.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	k.configure(k.addr)
	k.run("kdb5_util", "create", "-s", "-r", realm, "-P", "of the test")
	t.Cleanup(k.Stop)
	k.Resume()
	return k
}

// Stop ends the KDC; there is nobody at its address until Resume.
func (k *KDC) Stop() {
	if k.end != nil {
		k.end()
		k.end = nil
	}
}

func (k *KDC) configure(addr string) {
	k.t.Helper()
	conf := strings.NewReplacer("REALM", k.Realm, "ADDR", addr, "DIR", k.dir)
	for name, text := range map[string]string{
		"krb5.conf": `[libdefaults]
  default_realm = REALM
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  REALM = {
    kdc = ADDR
  }
[domain_realm]
  127.0.0.1 = REALM
  localhost = REALM
`,
		"kdc.conf": `[kdcdefaults]
  kdc_listen = ADDR
  kdc_tcp_listen = ADDR
[realms]
  REALM = {
    database_name = DIR/principal
    key_stash_file = DIR/stash
    acl_file = DIR/acl
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha256-128:normal
    max_life = 10h
  }
[logging]
  kdc = FILE:DIR/kdc.log
`} {
		if err := os.WriteFile(filepath.Join(k.dir, name), []byte(conf.Replace(text)), 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
}

// Env is the environment in which MIT's programs and libraries use this realm, and a ticket cache of
// the test's.
func (k *KDC) Env() []string { return append(os.Environ(), k.Variables()...) }

// Variables is what Env adds to the environment of the test.
func (k *KDC) Variables() []string {
	return []string{"KRB5_CONFIG=" + k.Krb5Conf, "KRB5_KDC_PROFILE=" + filepath.Join(k.dir, "kdc.conf"),
		"KRB5CCNAME=FILE:" + filepath.Join(k.dir, "cache"), "KRB5RCACHENAME=none:"}
}

// Cache is the path of that ticket cache.
func (k *KDC) Cache() string { return filepath.Join(k.dir, "cache") }

func (k *KDC) run(name string, args ...string) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), name, args...)
	cmd.Env = k.Env()
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
}

// Resume starts the KDC, which does not run, and waits until it listens.
func (k *KDC) Resume() {
	k.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("krb5kdc", "-n", "-r", k.Realm)
	cmd.Env, cmd.Stdout, cmd.Stderr = k.Env(), &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	k.end = func() {
		_ = cmd.Process.Kill() // the only error is that it has ended
		<-ended
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp4", k.addr)
		if err == nil {
			if err := c.Close(); err != nil {
				k.t.Fatal(err)
			}
			return
		}
		select {
		case err := <-ended:
			ended <- err
			k.t.Fatalf("krb5kdc: %v\n%s", err, out.String())
		default:
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("krb5kdc does not listen at %s", k.addr)
		}
	}
}

// Keytab makes principals, as bob or zookeeper/host, and returns a file with their keys.
func (k *KDC) Keytab(name string, principals ...string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	for _, p := range principals {
		k.run("kadmin.local", "-r", k.Realm, "-q", "addprinc -randkey "+p)
		k.run("kadmin.local", "-r", k.Realm, "-q", "ktadd -k "+path+" "+p)
	}
	return path
}

// Kinit fills the ticket cache for a principal whose key is in keytab.
func (k *KDC) Kinit(keytab, principal string) {
	k.t.Helper()
	k.run("kinit", "-k", "-t", keytab, principal)
}
