package operators

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// shape returns the names and types of a JSON document, one "path: type" each, sorted. Items of a list
// count together; names that are data, as session ids and paths, become ID and PATH.
func shape(text string) ([]string, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w in %s", err, text)
	}
	lines := make(map[string]bool)
	walk("", v, lines)
	return slices.Sorted(maps.Keys(lines)), nil
}

var number = regexp.MustCompile(`^-?[0-9]+$`)

func walk(path string, v any, lines map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			switch {
			case number.MatchString(name):
				name = "ID"
			case strings.HasPrefix(name, "/"):
				name = "PATH"
			}
			walk(path+"/"+name, value, lines)
		}
		lines[path+": object"] = true
	case []any:
		for _, item := range v {
			walk(path+"[]", item, lines)
		}
		lines[path+": list"] = true
	case json.Number:
		kind := "integer"
		if strings.ContainsAny(v.String(), ".E") {
			kind = "float"
		}
		lines[path+": "+kind] = true
	case nil:
		lines[path+": null"] = true
	default:
		lines[fmt.Sprintf("%s: %T", path, v)] = true
	}
}

// monitorName takes what mntr adds to the name of a metric off a key: avg_x and p99_x are of x, and so is
// 2_x of a set with a member 2.
func monitorName(key string, known map[string]string) string {
	if _, ok := known[key]; ok {
		return key
	}
	if _, rest, ok := strings.Cut(key, "_"); ok {
		switch prefix, _, _ := strings.Cut(key, "_"); prefix {
		case "avg", "min", "max", "cnt", "sum", "p50", "p95", "p99", "p999":
			return monitorName(rest, known)
		}
	}
	for name := range known {
		if strings.HasSuffix(key, "_"+name) {
			return name
		}
	}
	return key
}
