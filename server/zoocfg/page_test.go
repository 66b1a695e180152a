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
	want := configurationPage(keysOfZooKeeper(t))
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
Every key of ZooKeeper 3.9 is on this page, in one of two tables.

` + "```" + `
holt config check zoo.cfg            all that is wrong at once, or what Holt makes of each line; exit code 2 if it is refused
holt config show --origin zoo.cfg    the effective value of each key and where it comes from
` + "```" + `

Settings come from these places; a later one wins:

1. the default,
2. ` + "`zoo.cfg`" + `, and the file that ` + "`dynamicConfigFile`" + ` names; within a file the last line of a key,
3. ` + "`-Dname=value`" + ` in ` + "`$SERVER_JVMFLAGS`" + `, then in ` + "`$JVMFLAGS`" + `, in the order in which ` + "`zkServer.sh`" + ` hands them to Java,
4. ` + "`-D name=value`" + ` on the command line of ` + "`holt serve`" + `.

In ZooKeeper a line of the file wins over ` + "`-D`" + `; who asks for something on the command line means it. A name in ` + "`$JVMFLAGS`" + ` that is not known and does not begin with
` + "`zookeeper.`" + ` is another program's, and Holt only says so.

`

const pageTail = `
## Environment

| variable | what Holt does |
|---|---|
| ` + "`ZOOCFGDIR`, `ZOOCFG`" + ` | directory and name of the file that is read when none is named; default ` + "`./zoo.cfg`" + ` |
| ` + "`SERVER_JVMFLAGS`, `JVMFLAGS`" + ` | their ` + "`-Dname=value`" + ` are settings; everything else in them is for Java |
| ` + "`CLIENT_JVMFLAGS`" + ` | its ` + "`-Dzookeeper.ssl.*`" + ` are for ` + "`zkCli.sh`" + ` and ` + "`zkServer.sh status`" + ` |
| ` + "`ZOOPIDFILE`, `ZOO_LOG_DIR`, `ZOO_DATADIR_AUTOCREATE_DISABLE`" + ` | as in ZooKeeper, by ` + "`zkServer.sh`" + `: see [operations](operations.md#zkserversh) |
| ` + "`ZOO_MY_ID`, `ZOO_SERVERS`, `ZOO_CFG_EXTRA`" + `, ... | as in the official container image, by ` + "`holt entrypoint`" + `: see [operations](operations.md#containers) |
| ` + "`ZK_SERVER_HEAP`, `ZK_CLIENT_HEAP`, `JAVA_HOME`, `CLASSPATH`" + ` | not used: Holt is no Java program; its memory is bounded by its caches and ` + "`GOMEMLIMIT`" + ` |
| ` + "`JMXDISABLE`, `JMXPORT`, `JMXAUTH`, `JMXSSL`, `JMXLOG4J`, `JMXHOSTNAME`, `JMXLOCALONLY`" + ` | not used: Holt has no JMX; ask ` + "`/metrics`" + ` and the four-letter words |
| ` + "`ZOO_LOG4J_PROP`, `ZOO_LOG_FILE`" + ` | not used: Holt logs to standard error, and ` + "`--log-level`" + ` says what |
`

func configurationPage(names []string) string {
	var used, noted strings.Builder
	for _, k := range keyTable() {
		name := keyNames(k.name, names)
		switch {
		case k.set != nil:
			fmt.Fprintf(&used, "| %s | %s |\n", name, k.help)
		default:
			fmt.Fprintf(&noted, "| %s | %s |\n", name, k.note)
		}
	}
	return pageHead + "## Keys that are used\n\n| key | meaning |\n|---|---|\n" + used.String() +
		"\n## Keys that are accepted\n\nHolt says this about each of them when it starts.\n\n| key | what Holt does |\n|---|---|\n" + noted.String() + pageTail
}

// keyNames is a row's name for the page; a prefix is followed by the names of
// ZooKeeper's that it stands for.
func keyNames(row string, names []string) string {
	if !strings.HasSuffix(row, ".") {
		return "`" + row + "`"
	}
	var below []string
	for _, name := range names {
		if k, ok := lookup(name); ok && k.name == row {
			below = append(below, "`"+strings.TrimPrefix(name, row)+"`")
		}
	}
	if len(below) < 2 {
		return "`" + row + "`*"
	}
	return "`" + row + "` with " + strings.Join(below, ", ")
}
