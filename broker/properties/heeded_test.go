package properties

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holt/broker/setting"
)

// TestSettingsAreHeeded: whatever is listed as a setting is looked up by its name somewhere in the broker, or its doc
// says that it is not heeded, which is noted to whoever sets it.
func TestSettingsAreHeeded(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, filepath.Join("..", "setting")) {
			return err
		}
		b, err := os.ReadFile(path)
		code.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	is := func(name string) bool {
		bare := strings.TrimPrefix(name, "ssl.") // looked up for a listener
		return strings.Contains(code.String(), `"`+name+`"`) || strings.Contains(code.String(), `get("`+bare+`")`)
	}
	for _, s := range setting.TopicSettings() {
		if !is(s.Name) && !strings.Contains(s.Doc, "not heeded") {
			t.Errorf("setting %s of topics: nothing heeds it, and its doc does not say so", s.Name)
		}
		for _, synonym := range s.Synonyms {
			used[synonym.Name] = true
		}
	}
	for _, s := range setting.BrokerSettings() {
		if !is(s.Name) && !used[s.Name] && !strings.Contains(s.Doc, "not heeded") {
			t.Errorf("setting %s of brokers: nothing heeds it, and its doc does not say so", s.Name)
		}
	}
}
