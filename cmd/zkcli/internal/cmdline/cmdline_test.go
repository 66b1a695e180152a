package cmdline

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{"ls /", []string{"ls", "/"}},
		{"  ls   /a  ", []string{"ls", "/a"}},
		{"\tls\v/a", []string{"ls", "/a"}},
		{"   ", []string{" "}},
		{`create /a "two words"`, []string{"create", "/a", "two words"}},
		{`create /a 'it "is"'`, []string{"create", "/a", `it "is"`}},
		{`create /a ""`, []string{"create", "/a", ""}},
		{`create /a say"hi"`, []string{"create", "/a", `say"hi"`}},
		{`set /a "open end`, []string{"set", "/a", "open", "end"}},
		{`set /a "a"b`, []string{"set", "/a", "a", "b"}},
		{"set /a 'line\nbreak'", []string{"set", "/a", "'line\nbreak'"}},
		{`set /a grüß`, []string{"set", "/a", "grüß"}},
	}
	for _, tt := range tests {
		if got := Split(tt.line); !slices.Equal(got, tt.want) {
			t.Errorf("Split(%q) = %q, want %q", tt.line, got, tt.want)
		}
	}
}

// Taken from setquota, set and reconfig.
var (
	quota = Syntax{
		Options:  []Option{{Name: "n", Arg: true, Help: "num"}, {Name: "N", Arg: true, Help: "hard"}},
		Choice:   []string{"n", "N"},
		Required: true,
	}
	set = Syntax{Options: []Option{
		{Name: "s", Help: "Print znode stats additionally"},
		{Name: "v", Arg: true, Help: "Set with an expected version"},
		{Name: "b", Help: "Supply data in base64 format"},
		{Name: "o", Arg: true, Help: "not of the original", Extra: true},
	}}
	reconfig = Syntax{Options: []Option{{Name: "s"}, {Name: "v", Arg: true}, {Name: "add", Arg: true}, {Name: "file", Arg: true}}}
)

func TestParse(t *testing.T) {
	tests := []struct {
		syntax *Syntax
		line   string
		want   string // arguments, then options; or the error
	}{
		{&set, "set /a x", "set /a x"},
		{&set, "set -s /a x -v 3", "set /a x | s v=3"},
		{&set, "set /a x -sb", "set /a x | b s"},
		{&set, "set /a x -sv3", "set /a x | s v=3"},
		{&set, "set /a x -v=3", "set /a x | v=3"},
		{&set, "set /a x -v -1", "set /a x | v=-1"},
		{&set, "set /a - -v 0", "set /a - | v=0"},
		{&set, "set /a -- -v", "set /a -v"},
		{&set, "set /a x -v 1 -v 2", "set /a x | v=1,2"},
		{&set, `set /a x -v '"7"'`, "set /a x | v=7"},
		{&set, "set /a x -v", "MissingArgumentException: Missing argument for option: v"},
		{&set, "set /a x -v -s", "MissingArgumentException: Missing argument for option: v"},
		{&set, "set /a x -v --", "MissingArgumentException: Missing argument for option: v"},
		{&set, "set /a -x", "UnrecognizedOptionException: Unrecognized option: -x"},
		{&set, "set /a -sx", "UnrecognizedOptionException: Unrecognized option: -sx"},
		{&set, "set /a -s=1", "UnrecognizedOptionException: Unrecognized option: -s=1"},
		{&set, "set /a --s", "UnrecognizedOptionException: Unrecognized option: --s"},
		{&set, "set /a -5", "UnrecognizedOptionException: Unrecognized option: -5"},
		{&set, "set /a -=5", "UnrecognizedOptionException: Unrecognized option: -=5"},
		{&reconfig, "reconfig -add server.5=h:1:2;3 -s", "reconfig | add=server.5=h:1:2;3 s"},
		{&reconfig, "reconfig -add=x", "UnrecognizedOptionException: Unrecognized option: -add=x"},
		{&reconfig, "reconfig -adx", "UnrecognizedOptionException: Unrecognized option: -adx"},
		{&quota, "setquota -n 3 /a", "setquota /a | n=3"},
		{&quota, "setquota /a", "MissingOptionException: Missing required option: [-n num, -N hard]"},
		{&quota, "setquota -n 3 -N 4 /a", "AlreadySelectedException: The option 'N' was specified but an option from this group has already been selected: 'n'"},
		{&quota, "setquota -n 3 -n 4 /a", "setquota /a | n=3,4"},
	}
	for _, tt := range tests {
		p, err := tt.syntax.Parse(Split(tt.line))
		if got := strings.TrimPrefix(render(p, err), "org.apache.commons.cli."); got != tt.want {
			t.Errorf("Parse(%q)\n got %s\nwant %s", tt.line, got, tt.want)
		}
	}
}

func render(p *Parsed, err error) string {
	if err != nil {
		return err.Error()
	}
	s := strings.Join(p.Args, " ")
	var options []string
	for name, values := range p.values {
		options = append(options, strings.TrimSuffix(name+"="+strings.Join(values, ","), "="))
	}
	if len(options) > 0 {
		slices.Sort(options)
		s += " | " + strings.Join(options, " ")
	}
	return s
}

func TestValue(t *testing.T) {
	p, err := set.Parse([]string{"set", "-v", "1", "-v", "2"})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Has("v") || p.Has("s") || p.Value("v") != "1" || p.Value("o") != "" {
		t.Errorf("Has v %v, s %v; Value v %q, o %q", p.Has("v"), p.Has("s"), p.Value("v"), p.Value("o"))
	}
}

func TestTable(t *testing.T) {
	const want = "" +
		" -b         Supply data in base64 format\n" +
		" -s         Print znode stats additionally\n" +
		" -v <arg>   Set with an expected version\n"
	if got := set.Table(); got != want {
		t.Errorf("Table:\n%swant:\n%s", got, want)
	}
}
