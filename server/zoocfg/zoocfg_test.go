package zoocfg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestRead runs the scripts of testdata. Their commands:
//
//	file NAME [escaped]
//	                   the input becomes the content of a file, with escapes as
//	                   \r undone if it says so
//	read NAME [myid=N] [jvmflags=(name=value, ...)] [define=(name=value, ...)]
//	                   reads it: the fields that are not at their zero value,
//	                   then the notes; or all that is wrong. The text of the file,
//	                   which is kept, is left out
//	show NAME ...      the effective value of each key that is used, and its
//	                   origin; with all=false only of those that are not default
func TestRead(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, script string) {
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
				text := d.Input
				if d.HasArg("escaped") {
					text = strings.NewReplacer(`\r`, "\r", `\ufeff`, "\ufeff").Replace(text)
				}
				files[d.CmdArgs[0].Key] = text
				return ""
			case "read", "show":
				opts := Options{ReadFile: readFile}
				d.MaybeScanArgs(t, "myid", &opts.MyID)
				for _, arg := range d.CmdArgs {
					switch arg.Key {
					case "define":
						opts.Defines = arg.Vals
					case "jvmflags":
						opts.Sources = []Source{{Name: "JVMFLAGS", Defines: arg.Vals, Shared: true}}
					}
				}
				if d.Cmd == "show" {
					return showSettings(t, d, opts)
				}
				return show(Read(d.CmdArgs[0].Key, opts))
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func showSettings(t *testing.T, d *datadriven.TestData, opts Options) string {
	res, err := Read(d.CmdArgs[0].Key, opts)
	if err != nil {
		return err.Error() + "\n"
	}
	all := true
	d.MaybeScanArgs(t, "all", &all)
	var b strings.Builder
	for _, s := range res.Settings() {
		if all || !s.Default() {
			fmt.Fprintf(&b, "%s=%s (%s)\n", s.Key, s.Value, s.Origin())
		}
	}
	return b.String()
}

func show(res *Result, err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	cfg := reflect.ValueOf(res.Config)
	for i := range cfg.NumField() {
		name := cfg.Type().Field(i).Name
		if field := cfg.Field(i); !field.IsZero() && name != "Members" && name != "InitialText" {
			fmt.Fprintf(&b, "%s: %v\n", name, field.Interface())
		}
	}
	for _, m := range res.Config.Members {
		role := "participant"
		if m.Observer {
			role = "observer"
		}
		fmt.Fprintf(&b, "member %d: %s quorum %d election %d %s clients %q\n", m.ID, m.Host, m.QuorumPort, m.ElectionPort, role, m.ClientAddr)
	}
	for _, n := range res.Notes {
		fmt.Fprintf(&b, "note %s\n", n)
	}
	return b.String()
}

// TestErrorPlaces pins the parts of an error that a caller may want apart.
func TestErrorPlaces(t *testing.T) {
	read := func(string) ([]byte, error) { return []byte("dataDir=/d\nclientPort=2181\ntickTime=none\n"), nil }
	_, err := Read("zoo.cfg", Options{ReadFile: read})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.File != "zoo.cfg" || e.Line != 3 || e.Remedy == "" {
		t.Errorf("got %+v", e)
	}
}

func TestKeyTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keyTable() {
		if seen[k.name] {
			t.Errorf("%s is there twice", k.name)
		}
		seen[k.name] = true
		if k.check == nil {
			t.Errorf("%s: no check", k.name)
		}
		if k.set == nil && k.note == "" {
			t.Errorf("%s: accepted, and nothing is said about it", k.name)
		}
		if (k.set != nil) != (k.help != "") {
			t.Errorf("%s: help is for the keys that are used, and they need it", k.name)
		}
		if got, ok := lookup(k.name); !ok || got.name != k.name {
			if !strings.HasSuffix(k.name, ".") {
				t.Errorf("lookup of %s finds %v", k.name, got)
			}
		}
	}
}

// TestEveryKey reads each key of ZooKeeper from a file and as a system property:
// none is unknown, and what is not used is answered with a line.
func TestEveryKey(t *testing.T) {
	for _, name := range keysOfZooKeeper(t) {
		for _, opts := range []Options{
			{ReadFile: func(string) ([]byte, error) { return []byte(name + "=\n"), nil }},
			{ReadFile: func(string) ([]byte, error) { return nil, nil }, Defines: []string{"zookeeper." + name + "="}},
			{ReadFile: func(string) ([]byte, error) { return nil, nil }, Sources: []Source{{Name: "JVMFLAGS", Shared: true, Defines: []string{name + "="}}}},
		} {
			// Many of them want a value, so that there is an error: but not this one.
			if _, err := Read("zoo.cfg", opts); err != nil && strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%s: %v", name, err)
			}
		}
		k, ok := lookup(name)
		if !ok {
			t.Errorf("%s is not in the key table", name)
		} else if k.set == nil && k.note == "" {
			t.Errorf("%s is accepted in silence", name)
		}
	}
}

// keysOfZooKeeper are those that testdata/keys-3.9.txt lists.
func keysOfZooKeeper(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadFile("testdata/keys-3.9.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, line := range strings.Split(string(list), "\n") {
		if line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	if len(names) < 200 {
		t.Fatalf("%d names in the list", len(names))
	}
	return names
}

func FuzzRead(f *testing.F) {
	f.Add("dataDir=/d\nclientPort=2181\nserver.1=[::1]:2888:3888;2181\n")
	f.Add("a\\\n b:c\\u0041\\")
	f.Fuzz(func(t *testing.T, text string) {
		read := func(name string) ([]byte, error) { return []byte(text), nil }
		if res, err := Read("zoo.cfg", Options{ReadFile: read}); (res == nil) == (err == nil) {
			t.Errorf("result %v and error %v", res, err)
		}
	})
}
