package ratio

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := Median(tc.values); got != tc.want {
			t.Errorf("Median(%v) = %v, want %v", tc.values, got, tc.want)
		}
	}
}

func TestCells(t *testing.T) {
	for _, c := range []struct {
		r    Row
		want string
	}{
		{Row{"get", "CPU", "µs", 3.1415, 15, AtMost(1./3, "1/3")}, "get|CPU|3.14 µs|15 µs|0.209|≤ 1/3|yes"},
		{Row{"get", "CPU", "µs", 5.1, 15, AtMost(1./3, "1/3")}, "get|CPU|5.1 µs|15 µs|0.34|≤ 1/3|NO"},
		{Row{"set", "rate", "/s", 300, 100, AtLeast(3, "3")}, "set|rate|300 /s|100 /s|3|≥ 3|yes"},
		{Row{"set", "rate", "/s", 299, 100, AtLeast(3, "3")}, "set|rate|299 /s|100 /s|2.99|≥ 3|NO"},
		{Row{"set", "rate", "/s", 299, 0, AtLeast(3, "3")}, "set|rate|299 /s|–||≥ 3|"},
		{Row{"set", "p99", "ms", 0, 10, AtMost(0.5, "1/2")}, "set|p99|–|10 ms||≤ 1/2|"},
		{Row{"fill", "restart", "ms", 1500, 0, AtMostOwn(1000, "1 s")}, "fill|restart|1500 ms|–||≤ 1 s|NO"},
		{Row{"kill", "errors", "", 0, 8, AtMostOwn(0, "0")}, "kill|errors|0|8|0|≤ 0|yes"},
		{Row{"kill", "errors", "", 1, 8, AtMostOwn(0, "0")}, "kill|errors|1|8|0.125|≤ 0|NO"},
		{Row{"get", "rate", "/s", 100, 1, Bound{}}, "get|rate|100 /s|1 /s|100||"},
	} {
		if got := strings.Join(c.r.cells(), "|"); got != c.want {
			t.Errorf("cells = %s, want %s", got, c.want)
		}
	}
}

func TestWrite(t *testing.T) {
	table := Table{Other: "Kafka", Machine: "2 cores"}
	table.Add("produce", "CPU", "ms", 1, 4, AtMost(0.5, "1/2"))
	const lines = "| load | figure | Holt | Kafka | ratio | must | met |\n|---|---|---|---|---|---|---|\n" +
		"| produce | CPU | 1 ms | 4 ms | 0.25 | ≤ 1/2 | yes |\n"
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := table.WriteSection(file, "x", "more\n"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n<!-- x: begin -->\n", ", 2 cores.\n\n" + lines + "\nmore\n<!-- x: end -->\nafter\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("page lacks %q:\n%s", want, b)
		}
	}
	var text strings.Builder
	if err := table.WriteText(&text); err != nil || !strings.HasPrefix(text.String(), "2 cores\nload") || strings.Count(text.String(), "\n") != 3 {
		t.Errorf("text: %v\n%s", err, text.String())
	}
	if got, want := replaceSection("a\n", "x", "new\n"), "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\n"; got != want {
		t.Errorf("a page without marks becomes %q, want %q", got, want)
	}
}

func TestSelected(t *testing.T) {
	var r Run
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	r.Flags(fs, "names")
	if !r.Selected("set") {
		t.Error("without -only all are selected")
	}
	if err := fs.Parse([]string{"-only", "set,produce-1"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"set": true, "set3": false, "get": false, "produce-1-100": true, "produce-3-100": false} {
		if r.Selected(name) != want {
			t.Errorf("Selected(%q) = %v", name, !want)
		}
	}
}
