package sasl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestJAAS runs testdata/jaas.txt. Its commands read their input: file as a JAAS file, line as the
// value of sasl.jaas.config.
func TestJAAS(t *testing.T) {
	show := func(b *strings.Builder, modules []LoginModule) {
		for _, m := range modules {
			fmt.Fprintf(b, "  %s %s", m.Class, m.Flag)
			for _, key := range slices.Sorted(maps.Keys(m.Options)) {
				fmt.Fprintf(b, " %s=%q", key, m.Options[key])
			}
			fmt.Fprintf(b, "; users %v\n", m.PlainUsers())
		}
	}
	datadriven.RunTest(t, "testdata/jaas.txt", func(t *testing.T, d *datadriven.TestData) string {
		var b strings.Builder
		switch d.Cmd {
		case "file":
			sections, err := ParseJAASFile(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			for _, name := range slices.Sorted(maps.Keys(sections)) {
				fmt.Fprintln(&b, name)
				show(&b, sections[name])
			}
		case "line":
			modules, err := ParseJAASLine(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			show(&b, modules)
		default:
			d.Fatalf(t, "unknown command")
		}
		return b.String()
	})
}

func FuzzParseJAASFile(f *testing.F) {
	f.Add("Server {\n a.B required user_x=\"y\\\"z\" // c\n;\n};")
	f.Add("/* {")
	f.Fuzz(func(t *testing.T, text string) {
		sections, err := ParseJAASFile(text)
		for name, modules := range sections {
			for _, m := range modules {
				if err == nil && (name == "" || m.Class == "" || m.Flag == "") {
					t.Errorf("%q: section %q, %+v", text, name, m)
				}
			}
		}
	})
}
