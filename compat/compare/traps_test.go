package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the traps for reimplementers of ZooKeeper (section 18 of the reference) that no script
// shows, each with the reason. The others are named in testdata by their number.
func elsewhere() map[string]string {
	return map[string]string{
		"4":   "passwords are random in Holt, which Canon passes over; that any member knows them is shown by the variant ensemble of TestRandom",
		"11":  "needs two members: the variant ensemble of TestRandom moves sessions between them",
		"13":  "reconfiguration is switched off; that answer is in ephemerals.txt",
		"25":  "about followers and changes of the leader: compat/history, server tests",
		"32":  "no request can store an empty ACL: znode's tests",
		"42":  "about zoo.cfg: server/zoocfg",
		"43":  "about zoo.cfg: server/zoocfg",
		"46":  "takes two thousand million writes: znode's tests",
		"50":  "about files of the original, which Holt does not write yet",
		"51":  "about files of the original, which Holt does not write yet",
		"51b": "about files of the original, which Holt does not read yet",
		"56":  "what the original does with requests behind a closeSession is up to timing: it drops them, or answers UnknownSession",
		"60":  "about the AdminServer, which Holt does not have yet",
	}
}

func TestTraps(t *testing.T) {
	text := scriptTexts(t)
	reasons := elsewhere()
	var traps []string
	for n := range 60 {
		traps = append(traps, fmt.Sprint(n+1))
	}
	for _, n := range append(traps, "51b") {
		shown := strings.Contains(text, "trap "+n+":") || strings.Contains(text, "trap "+n+".")
		if _, ok := reasons[n]; ok == shown {
			t.Errorf("trap %s: has a script %v, has a reason for having none %v", n, shown, ok)
		}
	}
}

// TestAcceptedAreShown keeps the list of accepted differences from growing beyond what scripts show.
func TestAcceptedAreShown(t *testing.T) {
	text := scriptTexts(t)
	for _, a := range Accepted() {
		always := strings.HasSuffix(a.Name, "(always)")
		if shown := strings.Contains(text, "accept="+a.Name); shown == always {
			t.Errorf("%s: shown by a script %v", a.Name, shown)
		}
		if len(a.Reason) < 40 {
			t.Errorf("%s: the reason %q is none", a.Name, a.Reason)
		}
	}
}

// scriptTexts is the text of all scripts.
func scriptTexts(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	slices.Sort(files)
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
