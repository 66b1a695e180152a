package shell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/command"
	"holt/cmd/zkcli/internal/render"
)

// formatCases have each command, with how many results it tells programs: none for
// one that has nothing to tell but its exit code. DIR is a directory for files.
var formatCases = [...]struct {
	line    string
	results int
	keys    string // of the first result, in order
}{
	{"create /c data", 1, "path"},
	{"create -s -e /t/n- data world:anyone:r", 1, "path"},
	{"get -s /t", 1, "path data stat"},
	{"get /binary", 1, "path data_b64 stat"},
	{"set -s /t data", 1, "path stat"},
	{"stat /t", 1, "path stat"},
	{"ls -s /t", 1, "path children stat"},
	{"ls -R /t", 3, "path"},
	{"tree /t", 3, "path depth numChildren dataLength dataVersion"},
	{"find -name a /t", 1, "path depth numChildren dataLength dataVersion"},
	{"du /t", 3, "path nodes bytes"},
	{"delete /gone", 1, "path deleted"},
	{"deleteall /goneall", 1, "path deleted"},
	{"getAcl -s /t", 1, "path acl stat"},
	{"setAcl -s /t world:anyone:cdrwa", 1, "path stat"},
	{"addauth digest a:b", 0, ""},
	{"whoami", 1, "identities"},
	{"sync /t", 1, "path code"},
	{"getEphemerals /t", 1, "ephemerals"},
	{"getAllChildrenNumber /t", 1, "path count"},
	{"setquota -n 5 /gone", 0, ""},
	{"listquota /t", 1, "path limits usage"},
	{"delquota -n /t", 0, ""},
	{"config -s", 1, "config stat"},
	{"reconfig -remove 3", 0, ""},
	{"version", 1, "version"},
	{"addWatch -m PERSISTENT /t", 0, ""},
	{"removewatches /gone", 0, ""},
	{"close", 0, ""},
	{"watch -n 1 -t 1 /t", 0, ""},
	{"cp /t /copy", 1, "path created updated same skipped"},
	{"mv /goneall /moved", 1, "source target nodes atomic"},
	{"export /t", 1, "format version root nodes"},
	{"export /t DIR/t.json", 1, "path file nodes"},
	{"import /imported DIR/in.json", 1, "path created updated same skipped"},
}

// TestFormats runs each command with -o json and -o yaml: every result is one
// document, the same in both but for times and ids.
func TestFormats(t *testing.T) {
	used := map[string]bool{}
	for _, tc := range formatCases {
		words := cmdline.Split(tc.line)
		used[words[0]] = true
		t.Run(tc.line, func(t *testing.T) {
			var shapes [2]string
			for i, format := range []render.Format{render.JSON, render.YAML} {
				out, code := runFormat(t, tc.line, format)
				documents, err := decode(format, out)
				if err != nil {
					t.Fatalf("%s: %v in\n%s", format, err, out)
				}
				if len(documents) != tc.results {
					t.Errorf("%s: exit code %d, %d results, want %d:\n%s", format, code, len(documents), tc.results, out)
				}
				shapes[i] = shape(documents)
				if i == 0 && len(documents) > 0 {
					if got := firstKeys(out); got != tc.keys {
						t.Errorf("%s: keys %q, want %q:\n%s", format, got, tc.keys, out)
					}
				}
			}
			if shapes[0] != shapes[1] {
				t.Errorf("json is %s\nand yaml is %s", shapes[0], shapes[1])
			}
		})
	}
	for _, c := range command.All() {
		if !used[c.Name] {
			t.Errorf("the command %s is not tried", c.Name)
		}
	}
}

// runFormat runs a line on a small tree of its own and returns what programs get.
func runFormat(t *testing.T, line string, format render.Format) (out []byte, code int) {
	t.Helper()
	s := newScript(t)
	for _, setup := range []string{
		"create /t data", "create /t/a x", "create -e /t/b x", "create /binary", "set -b /binary /w==",
		"create /gone", "create /goneall", "create /goneall/x", "get -w /gone", "setquota -n 5 /t",
	} {
		if code := s.shell.Run(t.Context(), cmdline.Split(setup)); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", setup, code, s.page.take())
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "in.json"), []byte(`{"format":"znodes","version":1,"root":"/","nodes":[{"path":"/","data":"x"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	s.out.Format, s.out.Out, s.out.Err = format, &stdout, &stderr
	code = s.shell.Run(t.Context(), cmdline.Split(strings.ReplaceAll(line, "DIR", s.dir)))
	t.Logf("%s: %s", format, stderr.Bytes())
	return stdout.Bytes(), code
}

// decode reads the documents of a format.
func decode(format render.Format, text []byte) (documents []any, err error) {
	if format == render.YAML {
		for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var doc any
			if err := dec.Decode(&doc); err == io.EOF {
				return documents, nil
			} else if err != nil {
				return nil, err
			}
			documents = append(documents, doc)
		}
	}
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var doc any
		if err := dec.Decode(&doc); err == io.EOF {
			return documents, nil
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, doc)
	}
}

// shape is a value with its keys and the kinds of its values.
func shape(v any) string {
	switch v := v.(type) {
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, shape(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case map[string]any, map[any]any:
		var parts []string
		for _, k := range reflect.ValueOf(v).MapKeys() {
			parts = append(parts, fmt.Sprint(k.Interface())+":"+shape(reflect.ValueOf(v).MapIndex(k).Interface()))
		}
		return "{" + strings.Join(slices.Sorted(slices.Values(parts)), " ") + "}"
	case float64, int, int64:
		return "number"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// firstKeys are those of the first document, in order, as JSON.
func firstKeys(text []byte) string {
	dec := json.NewDecoder(bytes.NewReader(text))
	var names []string
	for depth, key := 0, false; ; {
		token, err := dec.Token()
		if err != nil {
			return strings.Join(names, " ")
		}
		switch {
		case token == json.Delim('{') || token == json.Delim('['):
			depth++
			key = depth == 1
			continue
		case token == json.Delim('}') || token == json.Delim(']'):
			if depth--; depth == 0 {
				return strings.Join(names, " ")
			}
			key = depth == 1
			continue
		case depth == 1 && key:
			names = append(names, token.(string))
		}
		key = depth == 1 && !key
	}
}
