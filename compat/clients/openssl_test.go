package clients

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/secure/revocation"
)

// opensslCA is the configuration of an authority by openssl ca, with the addresses of list and responder.
const opensslCA = `
[ca]
default_ca = ours
[ours]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 2
default_crl_days = 1
policy = any
[any]
commonName = supplied
[client]
crlDistributionPoints = URI:%s/ca.crl
authorityInfoAccess = OCSP;URI:%s
[responder]
extendedKeyUsage = OCSPSigning
`

// TestOpenSSLPublishes asks a list and a responder that openssl makes: what the tests' own publisher sends has been
// made by the libraries that read it.
func TestOpenSSLPublishes(t *testing.T) {
	target.Kind(t) // it starts a process
	target.Require(t, target.Tool{Check: []string{"openssl", "version"}, Package: "openssl"})
	dir := t.TempDir()
	lists := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(lists.Close)
	ports, err := ensemble.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"ca.cnf": fmt.Sprintf(opensslCA, lists.URL, fmt.Sprintf("http://127.0.0.1:%d", ports[0])), "index.txt": "", "serial": "0A01", "crlnumber": "01"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(line string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "openssl", strings.Fields(line)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", line, err, out)
		}
	}
	read := func(name string) *x509.Certificate {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			t.Fatalf("%s is not PEM", name)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
	openssl("req -x509 " + newKey + " -days 2 -keyout ca.key -out ca.pem -subj /CN=authority")
	for name, extensions := range map[string]string{"good": "client", "revoked": "client", "responder": "responder"} {
		openssl(fmt.Sprintf("req %s -keyout %s.key -out %s.csr -subj /CN=%s", newKey, name, name, name))
		openssl(fmt.Sprintf("ca -batch -notext -config ca.cnf -extensions %s -in %s.csr -out %s.crt", extensions, name, name))
	}
	openssl("ca -config ca.cnf -revoke revoked.crt -crl_reason superseded")
	openssl("ca -config ca.cnf -gencrl -out list.pem")
	openssl("crl -in list.pem -outform DER -out ca.crl")
	serve := exec.Command("openssl", "ocsp", "-index", "index.txt", "-port", fmt.Sprint(ports[0]), "-rsigner", "responder.crt", "-rkey", "responder.key", "-CA", "ca.pem", "-nmin", "5")
	serve.Dir = dir
	p, err := ensemble.StartProcess("openssl ocsp", serve, filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.End(syscall.SIGKILL, time.Minute); err != nil {
			t.Log(err)
		}
	})
	// It says so when it listens: a connection without a request would keep it for ever.
	for end := time.Now().Add(time.Minute); !strings.Contains(p.LogTail(), "waiting for OCSP client connections"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the responder does not listen: %s", p.LogTail())
		}
	}
	for by, o := range map[string]revocation.Options{"CRL http://": {}, "OCSP responder http://": {OCSP: true}} {
		c := revocation.New(o)
		if err := c.Check(t.Context(), [][]*x509.Certificate{{read("good.crt"), read("ca.pem")}}); err != nil {
			t.Errorf("by %s: %v", by, err)
		}
		var refused *revocation.Error
		err := c.Check(t.Context(), [][]*x509.Certificate{{read("revoked.crt"), read("ca.pem")}})
		if !errors.As(err, &refused) || refused.Revoked == nil || refused.Revoked.Reason != "superseded" || !strings.HasPrefix(refused.Revoked.By, by) {
			t.Errorf("by %s: %v", by, err)
		}
	}
}
