package zoocfg

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

const pagePath = "../../docs/configuration.md"

// TestConfigurationPage keeps docs/configuration.md to what the code does: its
// tables are made from the key table. The flag -rewrite, which package
// datadriven defines, writes it anew.
func TestConfigurationPage(t *testing.T) {
	want := configurationPage()
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(pagePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the code says; write it anew by: make docs", pagePath)
	}
}

const pageHead = `# Configuration

Generated from the code by ` + "`make docs`" + `; a test keeps it true.

Holt reads the ` + "`zoo.cfg`" + ` of ZooKeeper 3.9 as it is, with ` + "`dynamicConfigFile`" + ` and ` + "`myid`" + `. A key that is a system property in ZooKeeper, as ` + "`zookeeper.skipACL`" + ` or ` + "`jute.maxbuffer`" + `, may
stand in the file without its prefix or be given by ` + "`-D`" + `. An unknown key or a bad value is refused with file, line, cause and remedy.

`

func configurationPage() string {
	var used, refused, noted strings.Builder
	for _, k := range keyTable() {
		switch {
		case k.set != nil:
			fmt.Fprintf(&used, "| %s | %s |\n", keyName(k.name), k.help)
		case k.refuse != "":
			fmt.Fprintf(&refused, "| %s | %s |\n", keyName(k.name), k.refuse)
		default:
			fmt.Fprintf(&noted, "| %s | %s |\n", keyName(k.name), k.note)
		}
	}
	return pageHead + "## Keys that are used\n\n| key | meaning |\n|---|---|\n" + used.String() +
		"\n## Keys that are refused when on\n\nStarting without what they ask for would mislead. Switched off they are fine.\n\n| key | why |\n|---|---|\n" + refused.String() +
		"\n## Keys that are accepted\n\nHolt says this about each of them when it starts.\n\n| key | what Holt does |\n|---|---|\n" + noted.String()
}

func keyName(name string) string {
	if strings.HasSuffix(name, ".") {
		return "`" + name + "`*"
	}
	return "`" + name + "`"
}
