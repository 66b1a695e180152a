package command

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/wire"
)

// TestConfigurations compares with what ZooKeeper 3.9.4 makes of the same texts: the form in
// which members are sent by reconfig -file, and the answer of config -c.
func TestConfigurations(t *testing.T) {
	const form = " does not have the form server_config or server_config;client_config where server_config is" +
		" the pipe separated list of host:port:port or host:port:port:type and client_config is port or host:port"
	tests := []struct{ text, members, clients string }{
		{
			"server.3=h3:2888:3888:participant;2181\nserver.1=h1:2888:3888\nserver.2=h2:2888:3888:observer;10.0.0.2:2182\nversion=1f\n",
			"server.1=h1:2888:3888:participant\nserver.2=h2:2888:3888:observer;10.0.0.2:2182\n" +
				"server.3=h3:2888:3888:participant;0.0.0.0:2181\nversion=1f",
			"1f 10.0.0.2:2182,,0.0.0.0:2181",
		},
		{
			"server.1=[::1]:2888:3888;[::2]:2181\nserver.2=a:1:2:PARTICIPANT\nserver.3=b:1:2\n",
			"server.1=[0:0:0:0:0:0:0:1]:2888:3888:participant;[0:0:0:0:0:0:0:2]:2181\n" +
				"server.2=a:1:2:participant\nserver.3=b:1:2:participant\nversion=0",
			" ,0:0:0:0:0:0:0:2:2181,",
		},
		{"server.1=a:1\n", "error a:1" + form, " "},
		{"server.1=a:x:2\n", "error Address unresolved: a:x", " "},
		{"server.1=a:1:2:boss\n", "error Unrecognised peertype: boss", " "},
		{"server.1=a:1:2;b:3:4\n", "error a:1:2;b:3:4" + form, " "},
		{"server.x=a:1:2\n", `error For input string: "x"`, " "},
		{"foo=bar\n", "error Unrecognised parameter: foo", " "},
		{"", "version=0", " "},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "dynamic.cfg")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		members, err := membersOfFile(file)
		if err != nil {
			members = "error " + err.Error()
		}
		if members != tt.members {
			t.Errorf("members of %q\n got %s\nwant %s", tt.text, members, tt.members)
		}
		if got := clientString(tt.text, func(error) {}); got != tt.clients {
			t.Errorf("clients of %q: %q, want %q", tt.text, got, tt.clients)
		}
	}
}

func TestTrack(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "count=-1,bytes=-1",
		"count=5,bytes=10": "count=5,bytes=10",
		"bytes=1,count=2":  "count=2,bytes=1",
		"count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=7": "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=7",
		"countHardLimit=7,byteHardLimit=":                     "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=7",
		"count=x":                                             `error quota "count=x" is not understood`,
	} {
		got, err := parseTrack([]byte(text))
		s := got.String()
		if err != nil {
			s = "error " + err.Error()
		}
		if s != want {
			t.Errorf("%q became %s, want %s", text, s, want)
		}
	}
}

func TestParseACL(t *testing.T) {
	for text, want := range map[string]string{
		"world:anyone:r":                 "world anyone r",
		"digest:user:pa:ss:cdrwa":        "digest user:pa:ss cdrwa",
		"ip:10.0.0.0/8:r,world:anyone:w": "ip 10.0.0.0/8 r|world anyone w",
		"auth::cd":                       "auth  cd",
		"world:anyone:":                  "world anyone ",
		"world:anyone:r,,":               "world anyone r",
		"nonsense,world:anyone:r":        "!nonsense does not have the form scheme:id:perm|world anyone r",
		"a:b":                            "!a:b does not have the form scheme:id:perm",
		"":                               "! does not have the form scheme:id:perm",
		",":                              "",
		"world:anyone:rx":                "!Unknown perm type: x|world anyone r",
	} {
		var errs bytes.Buffer
		acl := parseACL(&render.Output{Out: &errs, Err: &errs}, text)
		var got []string
		for line := range strings.Lines(errs.String()) {
			got = append(got, "!"+strings.TrimSuffix(line, "\n"))
		}
		for _, a := range acl {
			got = append(got, a.Scheme+" "+a.ID+" "+a.Perms.String())
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q: %s, want %s", text, s, want)
		}
	}
}

func TestCreateMode(t *testing.T) {
	const conflict = "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential."
	for line, want := range map[string]any{
		"":                 wire.ModePersistent,
		"-e":               wire.ModeEphemeral,
		"-s":               wire.ModePersistentSequential,
		"-es":              wire.ModeEphemeralSequential,
		"-c":               wire.ModeContainer,
		"-t 5":             wire.ModePersistentWithTTL,
		"-t 5 -s":          wire.ModePersistentSequentialWithTTL,
		"-c -e":            conflict,
		"-c -s":            conflict,
		"-t 5 -e":          "TTLs cannot be used with Ephemeral znodes",
		"-t 5 -c":          "TTLs cannot be used with Container znodes",
		"-t x":             "-t argument must be a long value",
		"-t 0":             "ttl must be positive and cannot be larger than: 1099511627775",
		"-t 1099511627776": "ttl must be positive and cannot be larger than: 1099511627775",
	} {
		cmd := create()
		p, err := cmd.syntax.Parse(cmdline.Split("create " + line))
		if err != nil {
			t.Fatal(err)
		}
		mode, ttl, err := createMode(p)
		switch want := want.(type) {
		case string:
			if err == nil || err.Error() != want {
				t.Errorf("create %s: %v, want %s", line, err, want)
			}
		case wire.CreateMode:
			if err != nil || mode != want || (ttl == 5) != mode.TTL() {
				t.Errorf("create %s: mode %v, ttl %d, %v; want %v", line, mode, ttl, err, want)
			}
		}
	}
}

// TestEveryCommandIsDescribed keeps the table complete.
func TestEveryCommandIsDescribed(t *testing.T) {
	all := All()
	if !slices.IsSortedFunc(all, func(a, b *Command) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted")
	}
	for _, c := range all {
		if c.Help == "" || c.run == nil {
			t.Errorf("%s: help %q", c.Name, c.Help)
		}
		if all.Find(c.Name) != c {
			t.Errorf("%s is not found, or twice there", c.Name)
		}
	}
	if all.Find("nosuch") != nil {
		t.Error("finds what is not there")
	}
}
