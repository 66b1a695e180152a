package page

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// scripts says where the tests of a section are and how they use an item; %s is its name.
func scripts(section string) (globs []string, use string) {
	switch section {
	case "op":
		return []string{"compat/compare/testdata/*.txt"}, `(?m)^[^#\n]*(^|[^\w-])%s( |$)`
	case "word":
		return []string{"compat/compare/testdata/words*.txt"}, `(?m)^word %s\b`
	case "cli":
		return []string{"compat/zkcli/testdata/[os]*.txt", "cmd/zkcli/internal/shell/testdata/*.txt"}, `(?m)^([^#\n]*SERVER )?(run |send )?%s( |$)`
	}
	return nil, ""
}

// mostShown is the number of scripts that the page names for an item.
const mostShown = 3

// find returns the scripts below root that use it most.
func find(root string, it item) ([]string, error) {
	globs, pattern := scripts(it.section)
	use, err := regexp.Compile(fmt.Sprintf(pattern, regexp.QuoteMeta(it.name)))
	if err != nil {
		return nil, err
	}
	var found []using
	for _, glob := range globs {
		paths, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil {
			return nil, err
		}
		if found, err = count(found, use, root, paths); err != nil {
			return nil, err
		}
	}
	return top(found), nil
}

// using is a script and how often it uses an item.
type using struct {
	path  string
	times int
}

// count adds to found those of paths in which use matches.
func count(found []using, use *regexp.Regexp, root string, paths []string) ([]using, error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if n := len(use.FindAllIndex(text, -1)); n > 0 {
			found = append(found, using{strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(root)+"/"), n})
		}
	}
	return found, nil
}

// top returns the paths with the most uses.
func top(found []using) []string {
	slices.SortStableFunc(found, func(a, b using) int { return cmp.Compare(b.times, a.times) })
	var paths []string
	for _, u := range found[:min(len(found), mostShown)] {
		paths = append(paths, u.path)
	}
	return paths
}
