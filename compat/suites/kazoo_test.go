package suites

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/kdc"
	"holt/compat/target"
)

const kazooVersion = "2.11.0"

// kazooRealm makes the realm that the tests of GSSAPI are for, and returns the environment in which
// they find it.
func kazooRealm(t *testing.T) []string {
	k := kdc.Start(t, "KAZOOTEST.ORG")
	k.Keytab("server.keytab", "zookeeper/127.0.0.1")
	client := k.Keytab("client.keytab", "client")
	return append(k.Variables(), "KRB5_TEST_ENV="+filepath.Dir(client))
}

// TestKazoo runs the folder kazoo/tests of kazoo's source package. Its harness starts, stops and
// empties an ensemble of three by itself.
func TestKazoo(t *testing.T) {
	kind := target.Kind(t)
	dir := kazoo(t)
	bin, env := launcherAs(t, kind, "java")
	results := filepath.Join(t.TempDir(), "results.xml")
	cmd := exec.Command(filepath.Join(dir, "venv", "bin", "python"), "-m", "pytest", "-q", "--color=no", "-o", "log_cli=false",
		"-p", "no:cacheprovider", "--junitxml="+results, "kazoo/tests")
	cmd.Dir = filepath.Join(dir, "kazoo-"+kazooVersion)
	cmd.Env = append(append(env, kazooRealm(t)...), "PATH="+bin+":"+os.Getenv("PATH"), "TMPDIR="+t.TempDir(),
		"CI=true", "ZOOKEEPER_VERSION="+ensemble.OriginalVersion, // the tests of this version
		"ZOOKEEPER_CLASSPATH=of the launcher", fmt.Sprintf("ZOOKEEPER_PORT_OFFSET=%d", kazooPorts(t)))
	out := runSuite(t, cmd)
	outcomes, err := readJUnit(results)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	report(t, "kazoo", outcomes, 456)
}

// kazoo returns a folder with kazoo's sources and a Python that has what their tests import.
func kazoo(t *testing.T) string {
	target.Require(t, target.Tool{Check: []string{"python3", "-c", "import venv, ensurepip"}, Package: "python3-venv"})
	target.Require(t, target.Tool{Check: []string{"sh", "-c", "krb5-config --libs && cc --version && test -e /usr/include/python3*/Python.h"},
		Package: "libkrb5-dev gcc libc6-dev python3-dev"})
	return cached(t, "kazoo-"+kazooVersion+"-logins", func(dir string) {
		do(t, dir, "python3", "-m", "venv", "venv")
		// The harness makes certificates by an interface that PyOpenSSL later dropped.
		do(t, dir, "venv/bin/python", "-m", "pip", "install", "-q", "pytest", "pytest-timeout", "objgraph", "gevent", "eventlet", "pure-sasl", "kerberos", "pyjks", "pyopenssl<24.3", "setuptools")
		do(t, dir, "venv/bin/python", "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "kazoo", "kazoo=="+kazooVersion)
		do(t, dir, "tar", "xzf", "kazoo-"+kazooVersion+".tar.gz")
	})
}

// kazooPorts returns the first of the thirty ports that the harness uses, below those from which
// package ensemble takes its own.
func kazooPorts(t *testing.T) int {
	for range 100 {
		first := 6000 + 50*rand.IntN(100)
		free := true
		for port := first; port < first+30; port++ {
			l, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
			if err != nil {
				free = false
				break
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no thirty free ports in a row")
	return 0
}

// readJUnit reads the outcomes from a file in JUnit's format.
func readJUnit(path string) ([]outcome, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var results struct {
		Cases []struct {
			Class   string  `xml:"classname,attr"`
			Name    string  `xml:"name,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
			Skipped *string `xml:"skipped"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(b, &results); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var outcomes []outcome
	for _, c := range results.Cases {
		o := outcome{test: c.Class + "." + c.Name, state: passed}
		switch {
		case c.Failure != nil:
			o.state, o.output = failed, *c.Failure
		case c.Error != nil:
			o.state, o.output = failed, *c.Error
		case c.Skipped != nil:
			o.state = skipped
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}
