package policy

import (
	"fmt"
	"slices"
	"strings"
)

// lattice maps a package, or a folder with "/*", to what it may import.
type lattice map[string][]string

func parseLattice(text string) (lattice, error) {
	l := lattice{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		pkg, imports, ok := strings.Cut(line, ":")
		if _, twice := l[pkg]; !ok || twice {
			return nil, fmt.Errorf("line %q: no colon, or a package that was there before", line)
		}
		l[pkg] = strings.Fields(imports)
	}
	return l, nil
}

// entry finds the line of a package: its own or that of a folder above it.
func (l lattice) entry(pkg string) ([]string, bool) {
	if imports, ok := l[pkg]; ok {
		return imports, true
	}
	for pattern, imports := range l {
		if matches(pattern, pkg) {
			return imports, true
		}
	}
	return nil, false
}

func matches(pattern, pkg string) bool {
	if folder, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(pkg, folder)
	}
	return pattern == pkg
}

// check returns a sentence for every import the lattice does not allow.
func (l lattice) check(files []file) []string {
	var wrong []string
	for _, f := range files {
		allowed, ok := l.entry(f.pkg)
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s: package %s is not in lattice.txt", f.where(), f.pkg))
			continue
		}
		if f.test {
			allowed = slices.Concat([]string{f.pkg}, allowed, l["tests"], l[f.pkg+" tests"])
		}
		for _, p := range f.imports() {
			ours, ok := strings.CutPrefix(p, module+"/")
			if ok && ours != "wire/metric" && !anyMatches(allowed, ours) {
				wrong = append(wrong, fmt.Sprintf("%s: %s must not import %s", f.where(), f.pkg, ours))
			}
		}
	}
	return wrong
}

func anyMatches(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}
