package properties

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"holt/broker/setting"
)

const pagePath = "../../docs/broker-configuration.md"

// TestConfigurationPage keeps docs/broker-configuration.md to what the code does: its
// tables are made from those of this package and of package setting. The flag
// -rewrite, which package datadriven defines, writes it anew.
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

const pageHead = `# Configuration of the broker

Generated from the code by ` + "`make docs`" + `; a test keeps it true.

` + "`holt broker server.properties`" + ` reads the file of an Apache Kafka 3.9 broker in ZooKeeper mode as it is. An unknown key or a bad value is refused with file, line, cause
and remedy. Before the name of a setting that begins with ` + "`ssl.`" + ` or ` + "`sasl.`" + `, and before ` + "`max.connections`, `max.connection.creation.rate` and `connections.max.reauth.ms`" + `,
may stand ` + "`listener.name.NAME.`" + `, with the listener's name in lower case, and then it is for that listener alone; ` + "`sasl.jaas.config`" + ` and ` + "`connections.max.reauth.ms`" + ` may also have the
mechanism before them, as ` + "`listener.name.external.plain.sasl.jaas.config`" + `.

`

func configurationPage() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("## Settings of a broker\n\nThose that are cluster-wide or per-broker may also be changed while brokers run, by `kafka-configs`.\n\n| setting | type | default | update | meaning |\n|---|---|---|---|---|\n")
	for _, s := range setting.BrokerSettings() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, s.Type, defaultText(s), s.Update, s.Doc)
	}
	b.WriteString("\n## Settings of a topic\n\n| setting | type | default | instead, of the broker | meaning |\n|---|---|---|---|---|\n")
	for _, s := range setting.TopicSettings() {
		var names []string
		for _, syn := range s.Synonyms {
			names = append(names, "`"+syn.Name+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, s.Type, defaultText(s), strings.Join(names, ", "), s.Doc)
	}
	var refused, noted strings.Builder
	for _, k := range keyTable() {
		if k.refuse != "" {
			fmt.Fprintf(&refused, "| %s | %s |\n", keyName(k.name), k.refuse)
		} else {
			fmt.Fprintf(&noted, "| %s | %s |\n", keyName(k.name), k.note)
		}
	}
	b.WriteString("\n## Keys that are refused when on\n\nStarting without what they ask for would mislead. Switched off they are fine.\n\n| key | why |\n|---|---|\n" + refused.String())
	b.WriteString("\n## Keys that are accepted\n\nHolt says this about each of them when it starts.\n\n| key | what Holt does |\n|---|---|\n" + noted.String())
	return b.String()
}

func defaultText(s setting.Setting) string {
	switch s.Default {
	case setting.None, "":
		return ""
	}
	return "`" + s.Default + "`"
}

func keyName(name string) string {
	if strings.HasSuffix(name, ".") {
		return "`" + name + "`*"
	}
	return "`" + name + "`"
}
