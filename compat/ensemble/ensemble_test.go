package ensemble

import (
	"slices"
	"testing"
)

func TestOverride(t *testing.T) {
	got := override([]string{"tickTime=2000", "syncLimit=5"}, []string{"server.1=a", "tickTime=500", "server.2=b"})
	want := []string{"tickTime=500", "syncLimit=5", "server.1=a", "server.2=b"}
	if !slices.Equal(got, want) {
		t.Errorf("override = %q, want %q", got, want)
	}
}

func TestParseKind(t *testing.T) {
	for name, ok := range map[string]bool{"zookeeper": true, "holt": true, "": false, "etcd": false} {
		if _, err := ParseKind(name); (err == nil) != ok {
			t.Errorf("ParseKind(%q) = %v", name, err)
		}
	}
}
