package reconfig

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server"
	"holt/server/membership"
	"holt/server/zoocfg"
)

// TestServerLines shows what the lines of a configuration that say where clients are served come to,
// and which of them are refused. The input of config is what differs of the zoo.cfg of member 1 of
// three, whose other server lines are given; where Holt differs from the original both are printed.
// -target=zookeeper has the original say it again.
func TestServerLines(t *testing.T) {
	var files []string
	datadriven.RunTest(t, "config/lines.txt", func(t *testing.T, d *datadriven.TestData) string {
		files = append(files, writeConfig(t, d.Input))
		return d.Expected
	})
	var original []string
	if target.Named() {
		original = askOriginal(t, files)
	}
	n := 0
	datadriven.RunTest(t, "config/lines.txt", func(t *testing.T, d *datadriven.TestData) string {
		said, _ := sections(d.Expected)
		if original != nil {
			said = original[n]
		}
		n++
		holt := holtSays(t, writeConfig(t, d.Input))
		if holt == said {
			return said
		}
		return "original:\n" + said + "holt:\n" + holt
	})
}

// sections cuts what is printed where the two differ.
func sections(text string) (original, holt string) {
	original, holt, _ = strings.Cut(text, "holt:\n")
	return strings.TrimPrefix(original, "original:\n"), holt
}

func writeConfig(t *testing.T, lines string) string {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "myid"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := "tickTime=2000\ninitLimit=10\nsyncLimit=5\nssl.keyStore.location=k.pem\nssl.trustStore.location=t.pem\ndataDir=" + data + "\n" +
		"server.2=127.0.0.1:22888:23888:participant;22181\nserver.3=127.0.0.1:32888:33888:participant;32181\n" + lines + "\n"
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func askOriginal(t *testing.T, files []string) []string {
	t.Helper()
	o, err := ensemble.LoadOriginal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs("config/Parse.java")
	if err != nil {
		t.Fatal(err)
	}
	cmd := o.Java(source, files...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	warning := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d.*\n`)
	said := strings.Split(warning.ReplaceAllString(string(out), ""), "--\n")
	if len(said) != len(files)+1 {
		t.Fatalf("%d answers for %d files: %s", len(said)-1, len(files), out)
	}
	return said
}

// holtSays is what Parse.java says of the original.
func holtSays(t *testing.T, file string) string {
	t.Helper()
	read, err := zoocfg.Read(file, zoocfg.Options{})
	if err != nil {
		return "refused\n"
	}
	cfg := &read.Config
	clients, secure := cfg.ClientAddr, cfg.TLS.Addr
	if clients == server.Off {
		clients = ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "clients %s\nsecure %s\n", orNone(clients), orNone(secure))
	for _, m := range cfg.Members {
		s := membership.Server{ID: m.ID, Host: m.Host, QuorumPort: m.QuorumPort, ElectionPort: m.ElectionPort, Observer: m.Observer}
		if host, port, err := net.SplitHostPort(m.ClientAddr); err == nil {
			s.ClientHost = host
			s.ClientPort, _ = strconv.Atoi(port) // of a configuration that was accepted
		}
		b.WriteString(s.Line() + "\n")
	}
	b.WriteString("version=0\n")
	return b.String()
}

func orNone(addr string) string {
	if addr == "" {
		return "none"
	}
	return addr
}
