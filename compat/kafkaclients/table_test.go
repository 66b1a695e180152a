package kafkaclients

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
