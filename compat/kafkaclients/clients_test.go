package kafkaclients

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"holt/compat/kafka"
	"holt/compat/target"
)

var (
	only = flag.String("clients", "", "clients to run, with commas; empty runs all")
	page = flag.String("page", "", "file that receives the table of clients and checks: docs/kafka-clients.md")
)

// TestClients runs all suites, two at a time (see -parallel), restarts the brokers, and runs the
// second stage of all.
func TestClients(t *testing.T) {
	target.Kind(t)
	clients := chosen(t)
	var names []string
	for _, c := range clients {
		names = append(names, c.name)
	}
	c := brokers(t, kafka.Config{})
	makeTopics(t, c, names)
	all := make(map[string]map[string]result)
	all["first"] = stage(t, c, clients, "first")
	t.Run("stored", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) { inspect(t, c, name, all["first"]) })
		}
	})
	restart(t, c)
	all["again"] = stage(t, c, clients, "again")
	text := render(clients, all)
	t.Log("\n" + text)
	if *page != "" {
		check(t, os.WriteFile(*page, []byte(pageHead+text+pageTail+skipTable(readSkips(t))), 0o644))
	}
}

// stage runs one stage of all clients and returns the results by client and check, as "kcat gzip".
func stage(t *testing.T, c *kafka.Cluster, clients []client, name string) map[string]result {
	var mu sync.Mutex
	all := make(map[string]result)
	t.Run(name, func(t *testing.T) {
		for _, cl := range clients {
			t.Run(cl.name, func(t *testing.T) {
				t.Parallel()
				results := cl.run(t, c.Bootstrap(), name)
				mu.Lock()
				defer mu.Unlock()
				for check, r := range results {
					all[cl.name+" "+check] = r
				}
			})
		}
	})
	return all
}

// chosen installs the clients that -clients names and returns them. Those that take longest come
// first, so that none is left over at the end.
func chosen(t *testing.T) []client {
	makers := []struct {
		names string
		make  func(*testing.T) []client
	}{
		{"tools-3 tools-4 java-3 java-4", javaClients},
		{"sarama franz-go segmentio", goClients},
		{"kcat", kcat},
		{"confluent kafka-python", pythonClients},
		{"kafkajs", javaScriptClients},
	}
	wanted := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	want := func(name string) bool { return len(wanted) == 0 || slices.Contains(wanted, name) }
	var clients []client
	for _, m := range makers {
		if !slices.ContainsFunc(strings.Fields(m.names), want) {
			continue
		}
		for _, c := range m.make(t) {
			if want(c.name) {
				clients = append(clients, c)
			}
		}
	}
	if len(clients) == 0 {
		t.Fatalf("-clients=%s names no client", *only)
	}
	return clients
}

func kcat(t *testing.T) []client {
	target.Require(t, target.Tool{Check: []string{"kcat", "-V"}, Package: "kcat"})
	version := regexp.MustCompile(`librdkafka ([\d.]+)`).FindStringSubmatch(do(t, "", "kcat", "-V"))
	if version == nil {
		t.Fatal("kcat -V names no librdkafka")
	}
	return []client{{"kcat", "librdkafka " + version[1], []string{"python3", "testdata/kcat_suite.py"}, []string{"PYTHONDONTWRITEBYTECODE=1"}}}
}

func pythonClients(t *testing.T) []client {
	python, env := python(t)
	return []client{
		{"confluent", confluentVersion, []string{python, "testdata/confluent_suite.py"}, env},
		{"kafka-python", kafkaPythonVersion, []string{python, "testdata/kafkapython_suite.py"}, env},
	}
}

func javaScriptClients(t *testing.T) []client {
	node, env := javaScript(t)
	return []client{{"kafkajs", kafkaJSVersion, []string{node, "testdata/kafkajs_suite.cjs"}, env}}
}

func javaClients(t *testing.T) []client {
	var tools, libraries []client
	for _, j := range kafkaJars(t) {
		major := j.version[:1]
		env := []string{"TOOLS_CLASSPATH=" + j.classPath, "TOOLS_MAJOR=" + major, "TOOLS_LOG4J=" + j.log4j, "PYTHONDONTWRITEBYTECODE=1"}
		tools = append(tools, client{"tools-" + major, j.version, []string{"python3", "testdata/tools_suite.py"}, env})
		argv := []string{"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j.configuration=file:" + j.log4j, "-cp", j.classPath, "testdata/JavaSuite.java"}
		libraries = append(libraries, client{"java-" + major, j.version, argv, nil})
	}
	return append(tools, libraries...)
}

func goClients(t *testing.T) []client {
	return []client{
		{"sarama", goVersion(t, "github.com/IBM/sarama"), []string{goClient(t, "sarama")}, nil},
		{"franz-go", goVersion(t, "github.com/twmb/franz-go"), []string{goClient(t, "franz")}, nil},
		{"segmentio", goVersion(t, "github.com/segmentio/kafka-go"), []string{goClient(t, "segmentio")}, nil},
	}
}
