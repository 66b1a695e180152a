package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Setenv("SERVER_JVMFLAGS", "-Xmx1g -Da.b=c -Dd=e")
	for _, c := range []struct {
		line       string
		config     string
		properties string
		front      bool
	}{
		{"java -cp x:y -Done=1 -Dtwo org.apache.zookeeper.server.quorum.QuorumPeerMain /z/zoo.cfg", "/z/zoo.cfg", "one=1 two", false},
		{"zkServer.sh start-foreground zoo.cfg", "zoo.cfg", "a.b=c d=e", true},
		{"zkServer.sh start zoo.cfg", "", "", false},
		{"java -version", "", "", false},
		{"mvn x", "", "", false},
	} {
		words := strings.Fields(c.line)
		got, err := parse(words[0], words[1:])
		if (err == nil) != (c.config != "") {
			t.Errorf("%s: %v", c.line, err)
		}
		if got.config != c.config || strings.Join(got.properties, " ") != c.properties || got.front != c.front {
			t.Errorf("%s: %+v", c.line, got)
		}
	}
}

func TestServer(t *testing.T) {
	t.Setenv("SUITE_PROGRAM", "/bin/it")
	t.Setenv("SUITE_CLASSPATH", "jars")
	for kind, want := range map[string]string{
		"holt":      "/bin/it serve zoo.cfg -D a=b",
		"zookeeper": "/bin/it -cp jars -Xmx256m -Da=b org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg",
	} {
		t.Setenv("SUITE_SERVER", kind)
		cmd, err := server("zoo.cfg", []string{"a=b"})
		if err != nil || !slices.Equal(cmd.Args, strings.Fields(want)) {
			t.Errorf("%s: %v, %q", kind, err, cmd.Args)
		}
	}
}

func TestConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(path, []byte("\ndataDir=/d\nsecureClientPort=1\nclientPort=2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.get("clientPort"); got != "2" {
		t.Errorf("clientPort = %q", got)
	}
	c.remove("secureClientPort")
	c.set("clientPort", "3")
	written, err := c.write()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(written); err != nil || string(b) != "\ndataDir=/d\n\nclientPort=3" {
		t.Errorf("wrote %q, %v", b, err)
	}
}

func TestOldDate(t *testing.T) {
	for text, want := range map[string]string{
		"Zookeeper version: 3.9.4-72, built on 2025-08-19 19:53 UTC\nLatency": "Zookeeper version: 3.9.4-72, built on 08/19/2025 19:53 UTC\nLatency",
		"Zookeeper version: 3.9.4-holt-dev, built on unknown\n":               "Zookeeper version: 3.9.4-holt-dev, built on 01/01/1970 00:00 UTC\n",
	} {
		if got := string(oldDate([]byte(text))); got != want {
			t.Errorf("oldDate = %q, want %q", got, want)
		}
	}
}
