package kafkaclients

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pageHead is what docs/kafka-clients.md says above the table.
const pageHead = `# Kafka clients

Which clients, unmodified, did what with three brokers of Holt: "make test-kafka-clients PAGE=docs/kafka-clients.md" wrote this page. "–": the
client has no such feature. What each column stands for is said in compat/kafkaclients/doc.go; "restart" is that committed offsets are there after
all brokers were stopped and started. tools-3 and tools-4 are Kafka's command-line tools (kafka-topics, kafka-configs, kafka-console-producer and
-consumer, kafka-consumer-groups, kafka-verifiable-producer and -consumer, kafka-transactions), java-3 and java-4 the library kafka-clients.

`

// pageTail is what it says below, with the lines of testdata/franzgo.txt at the end.
const pageTail = `
kafka-python's suite waits for the topic's partitions before a consumer joins its group: version 3.0.12 may forget a rejoin that a change of metadata
caused, with any broker (as Java's client did: KAFKA-9815), and is out of the group from then on.

## TLS and SASL

TestSecured, which "make test-kafka-clients" runs too, has Kafka's console clients in Java (3.9.2), kcat (librdkafka 2.0.2) and franz-go write and
read over TLS, over TLS with a certificate of the client's, and by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, in the clear and over TLS. The three
brokers have their certificates as PEM, PKCS12 and JKS, as openssl and keytool make them, authenticate to each other over SASL_SSL, and ask an
authorizer. Wrong passwords, missing certificates and topics of others are refused.

## franz-go's own tests

"make test-franz-go" runs all tests of franz-go's package kgo, as its module has them, against the same three brokers: topics, producing, consumer
groups with every balancer, static members, transactions from topic to topic, regular expressions, SCRAM. It fails if one fails, or skips itself
that is not listed here (compat/kafkaclients/testdata/franzgo.txt):

| tests that skip themselves | why |
|---|---|
`

// skipTable is the end of the page.
func skipTable(skips []skip) string {
	var b strings.Builder
	for _, s := range skips {
		fmt.Fprintf(&b, "| %s | %s |\n", strings.ReplaceAll(s.pattern, "*", `\*`), s.reason)
	}
	return b.String()
}

// render returns a table in Markdown: a line for each client, a column for each check.
func render(clients []client, results map[string]map[string]result) string {
	var b strings.Builder
	columns := slices.Concat(checks["first"], checks["again"])
	fmt.Fprintf(&b, "| client | version | %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)+2))
	for _, c := range clients {
		fmt.Fprintf(&b, "| %s | %s |", c.name, c.version)
		for _, stage := range []string{"first", "again"} {
			for _, name := range checks[stage] {
				fmt.Fprintf(&b, " %s |", mark(results[stage][c.name+" "+name].state))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func mark(state string) string {
	switch state {
	case "ok":
		return "yes"
	case "lacks":
		return "–"
	case "":
		return "not run"
	default:
		return "**no**"
	}
}

func TestTable(t *testing.T) {
	results, done := parse("noise\nok admin (0.1 s)\nFAIL gzip it broke\nlacks transaction no such thing\ndone\n")
	if !done || results["gzip"] != (result{"FAIL", "it broke"}) || len(results) != 3 {
		t.Errorf("parsed %v, done %v", results, done)
	}
	if _, done := parse("ok admin\n"); done {
		t.Error("a suite that broke off is taken for a whole one")
	}
	first := map[string]result{}
	for name, r := range results {
		first["c "+name] = r
	}
	got := render([]client{{name: "c", version: "1"}}, map[string]map[string]result{"first": first})
	want := "| c | 1 | yes | not run | **no** | not run | not run | not run | not run | not run | not run | – | not run | not run |\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("rendered\n%swant\n%s", got, want)
	}
}
