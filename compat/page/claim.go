package page

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// applyClaims lets the lines of text change items, or add those that the code cannot list. A line
// has five fields between bars: section, item, state, tests, note. An empty field leaves what the
// item has; tests are files, or folder:TestName. Blank lines and those that begin with # are
// comments.
func applyClaims(items []item, text string) ([]item, error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "|")
		if len(f) != 5 {
			return nil, fmt.Errorf("claim in line %d: want five fields between bars", n)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		it := lookUp(items, f[0], f[1])
		if it == nil {
			if listed(f[0]) {
				return nil, fmt.Errorf("claim in line %d: there is no %s %q", n, f[0], f[1])
			}
			items = append(items, item{section: f[0], name: f[1], label: f[1]})
			it = &items[len(items)-1]
		}
		if f[2] != "" {
			it.state = f[2]
		}
		it.shown = append(it.shown, strings.Fields(f[3])...)
		if f[4] != "" {
			it.note = f[4]
		}
	}
	return items, nil
}

// listed tells whether the items of a section come from the code.
func listed(section string) bool {
	globs, _ := scripts(section)
	return globs != nil || section == "kafka"
}

func lookUp(items []item, section, name string) *item {
	for i := range items {
		if items[i].section == section && items[i].name == name {
			return &items[i]
		}
	}
	return nil
}

// checkTest returns an error unless the test that an item names exists below root.
func checkTest(root, shown string) error {
	dir, name, isFunc := strings.Cut(shown, ":")
	if !isFunc {
		_, err := os.Stat(filepath.Join(root, shown))
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		return err
	}
	declared := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(t \*testing\.T\)`)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if declared.Match(text) {
			return nil
		}
	}
	return fmt.Errorf("no %s in %s", name, dir)
}
