package properties

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/broker"
	"holt/broker/network"
	"holt/broker/setting"
)

// TestRead runs the scripts of testdata. Their commands:
//
//	file NAME          the input becomes the content of a file
//	read NAME [jaas=NAME] [override=(name=value, ...)]
//	                   reads it: what the fields are, the settings that are not at their
//	                   default, then the notes; or all that is wrong
func TestRead(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, script string) {
		files := map[string]string{}
		readFile := func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		datadriven.RunTest(t, script, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "file":
				files[d.CmdArgs[0].Key] = d.Input
				return ""
			case "read":
				opts := Options{ReadFile: readFile}
				d.MaybeScanArgs(t, "jaas", &opts.JAASFile)
				for _, arg := range d.CmdArgs {
					if arg.Key == "override" {
						opts.Overrides = arg.Vals
					}
				}
				return show(Read(d.CmdArgs[0].Key, opts))
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func show(res *Result, err error) string {
	var b strings.Builder
	if err != nil {
		return err.Error() + "\n"
	}
	c := &res.Config
	fmt.Fprintf(&b, "id %d", c.ID)
	if c.Rack != "" {
		fmt.Fprintf(&b, " rack %s", c.Rack)
	}
	fmt.Fprintf(&b, "\ndirs %q\ncoordination %q chroot %q session %s\n", c.LogDirs, c.ZooKeeper.Servers, c.ZooKeeper.Chroot, c.ZooKeeper.SessionTimeout)
	for _, l := range c.Listeners {
		b.WriteString(showListener(l))
	}
	fmt.Fprintf(&b, "between brokers: %s", c.InterBroker.Listener)
	if c.InterBroker.Mechanism != "" {
		fmt.Fprintf(&b, " as %s by %s", c.InterBroker.User, c.InterBroker.Mechanism)
	}
	b.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		if s := setting.Broker(name); s.Default != c.Settings[name] && !s.Sensitive() {
			fmt.Fprintf(&b, "set %s=%s\n", name, c.Settings[name])
		}
	}
	for _, n := range res.Notes {
		fmt.Fprintf(&b, "note %s\n", n)
	}
	return b.String()
}

func showListener(l broker.Listener) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listener %s %s at %s", l.Name, l.Protocol, l.Address)
	if l.Advertised != "" {
		fmt.Fprintf(&b, " advertised %s", l.Advertised)
	}
	if len(l.Mechanisms) > 0 {
		fmt.Fprintf(&b, " by %s", strings.Join(l.Mechanisms, ","))
	}
	for _, user := range slices.Sorted(maps.Keys(l.PlainUsers)) {
		fmt.Fprintf(&b, " user %s", user)
	}
	if l.ReauthMillis != 0 || l.ReauthByMechanism != nil {
		fmt.Fprintf(&b, " reauth %d %v", l.ReauthMillis, l.ReauthByMechanism)
	}
	if l.ConnectionsMax != 0 || l.CreationRate != 0 {
		fmt.Fprintf(&b, " max %d rate %d", l.ConnectionsMax, l.CreationRate)
	}
	if l.TLS != nil {
		b.WriteString(" " + showTLS(l.TLS))
	}
	return b.String() + "\n"
}

func showTLS(t *network.TLS) string {
	s := fmt.Sprintf("tls key %s %s", t.Key.Type, t.Key.Location)
	if t.Key.Text != "" {
		s += "as text"
	}
	if t.Trust.Location != "" {
		s += " trust " + t.Trust.Location
	}
	if t.ClientAuth != "" {
		s += " clients " + t.ClientAuth
	}
	return s
}

// TestErrorPlaces pins the parts of an error that a caller may want apart.
func TestErrorPlaces(t *testing.T) {
	read := func(string) ([]byte, error) {
		return []byte("zookeeper.connect=h:1\n\nnum.partitions=none\n"), nil
	}
	_, err := Read("server.properties", Options{ReadFile: read})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.File != "server.properties" || e.Line != 3 || e.Remedy == "" {
		t.Errorf("got %+v", e)
	}
}

func TestKeyTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keyTable() {
		switch {
		case seen[k.name]:
			t.Errorf("%s is there twice", k.name)
		case setting.Broker(k.name) != nil:
			t.Errorf("%s is a setting", k.name)
		case k.note == "" && k.refuse == "":
			t.Errorf("%s: accepted, and nothing is said about it", k.name)
		}
		seen[k.name] = true
	}
}

// TestSecretsStayHidden: what is wrong with a password must not show it.
func TestSecretsStayHidden(t *testing.T) {
	text := "zookeeper.connect=h:1\ndelegation.token.secret.key=geheim\nsasl.jaas.config=geheim\nlisteners=SASL_PLAINTEXT://:9\nsasl.enabled.mechanisms=PLAIN\n"
	_, err := Read("f", Options{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	if err == nil || strings.Contains(err.Error(), "secret.key=geheim") {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("zookeeper.connect=h:1/c\nlisteners=A://[::1]:1,B://:2\nlistener.security.protocol.map=A:SSL,B:SASL_SSL\nssl.keystore.key=x\n")
	f.Add("a\\\n b:c\\u0041\\")
	f.Add("sasl.jaas.config=a required b=\"c\\\"d\" /* */;\n")
	f.Fuzz(func(t *testing.T, text string) {
		read := func(name string) ([]byte, error) { return []byte(text), nil }
		if res, err := Read("f", Options{ReadFile: read, JAASFile: "f"}); (res == nil) == (err == nil) {
			t.Errorf("result %v and error %v", res, err)
		}
	})
}
