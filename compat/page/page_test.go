package page

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holt/compat/operators"
	"holt/compat/suites"
)

var rewrite = flag.Bool("rewrite", false, "write docs/compatibility.md anew")

// TestPage keeps docs/compatibility.md to what code, tests and claims say.
func TestPage(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	items, err := collect(t.Context(), root, read("compat/page/claims.txt"))
	if err != nil {
		t.Fatal(err)
	}
	exceptions, err := suites.ParseExceptions(read("compat/suites/testdata/exceptions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	absent, err := operators.Absent()
	if err != nil {
		t.Fatal(err)
	}
	all, err := operators.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	want := render(items, exceptions, len(all)-len(absent), absent)
	const page = "docs/compatibility.md"
	if *rewrite {
		if err := os.WriteFile(filepath.Join(root, page), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := read(page)
	if link.ReplaceAllString(got, "") != link.ReplaceAllString(want, "") {
		t.Errorf("%s is not what the code says; write it anew by: make docs", page)
	}
	for _, m := range link.FindAllStringSubmatch(got, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("%s: %v; write it anew by: make docs", page, err)
		}
	}
}

// link is one to a test. Which scripts use an item most changes with each script that is written,
// and the page need not be written anew for that.
var link = regexp.MustCompile(`\[[^]]*\]\(\.\./([^)]*)\)(?:, )?`)

func TestClaims(t *testing.T) {
	for claims, want := range map[string]string{
		"op | create | other | | why":       "",
		"scheme | new | as ZooKeeper | | ":  "",
		"op | nosuch | as ZooKeeper | | ":   `no op "nosuch"`,
		"# comment\n\nop | create | other":  "line 3",
		"word | nosuch | as ZooKeeper | | ": `no word "nosuch"`,
	} {
		items, err := applyClaims([]item{{section: "op", name: "create", state: stateSame}}, claims)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", claims, err, want)
			}
		} else if err != nil || items[len(items)-1].state == "" {
			t.Errorf("%q: %+v, %v", claims, items, err)
		}
	}
}

func TestCheckTest(t *testing.T) {
	for shown, ok := range map[string]bool{
		"page_test.go": true, ".:TestCheckTest": true, ".:TestAbsent": false, "absent.txt": false,
	} {
		if err := checkTest(".", shown); (err == nil) != ok {
			t.Errorf("%s: %v", shown, err)
		}
	}
}

func TestOpItems(t *testing.T) {
	names := make(map[string]bool)
	for _, it := range opItems() {
		names[it.name] = true
	}
	for _, name := range []string{"create", "closeSession", "whoAmI", "getChildrenPage"} {
		if !names[name] {
			t.Errorf("no op %s", name)
		}
	}
}
