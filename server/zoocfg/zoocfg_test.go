package zoocfg

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestRead runs the scripts of testdata. Their commands:
//
//	file NAME          the input becomes the content of a file
//	read NAME [myid=N] [define=(name=value, ...)]
//	                   reads it: the fields that are not at their zero value,
//	                   then the notes; or all that is wrong
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
				d.MaybeScanArgs(t, "myid", &opts.MyID)
				for _, arg := range d.CmdArgs {
					if arg.Key == "define" {
						opts.Defines = arg.Vals
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
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	cfg := reflect.ValueOf(res.Config)
	for i := range cfg.NumField() {
		if field := cfg.Field(i); !field.IsZero() && cfg.Type().Field(i).Name != "Members" {
			fmt.Fprintf(&b, "%s: %v\n", cfg.Type().Field(i).Name, field.Interface())
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
		if k.set == nil && k.note == "" && k.refuse == "" {
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
