package operators

import (
	"slices"
	"testing"
)

func TestShape(t *testing.T) {
	got, err := shape(`{"a" : 1, "b" : [ {"c" : 0.5}, {"c" : null} ], "d" : {"12" : [ "/x" ], "/p" : true}, "e" : 1.0E7}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/a: integer", "/b: list", "/b[]/c: float", "/b[]/c: null", "/b[]: object", "/d/ID: list", "/d/ID[]: string", "/d/PATH: bool", "/d: object", "/e: float", ": object"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if _, err := shape("{"); err == nil {
		t.Error("half a document has a shape")
	}
}

func TestMonitorName(t *testing.T) {
	known := map[string]string{"readlatency": "", "min_latency": "", "ack_latency": "", "node_created_watch_count": ""}
	for key, want := range map[string]string{
		"readlatency": "readlatency", "p999_readlatency": "readlatency", "avg_readlatency": "readlatency", "min_latency": "min_latency",
		"avg_2_ack_latency": "ack_latency", "cnt_node_created_watch_count": "node_created_watch_count", "other": "other", "avg_other": "other",
	} {
		if got := monitorName(key, known); got != want {
			t.Errorf("%s is of %s, want %s", key, got, want)
		}
	}
}

// TestLists makes sure that each reason is one, and no entry is there twice.
func TestLists(t *testing.T) {
	for name, list := range map[string]func() ([]Entry, error){"metrics": Metrics, "absent": Absent, "documents": Documents} {
		entries, err := list()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, e := range entries {
			if seen[e.Name] {
				t.Errorf("%s.txt: %s is there twice", name, e.Name)
			}
			if name != "metrics" && len(e.Text) < 15 {
				t.Errorf("%s.txt: %q is no reason for %s", name, e.Text, e.Name)
			}
			seen[e.Name] = true
		}
	}
}
