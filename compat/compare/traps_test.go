package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// proof is where a trap is shown that no script of this package can show: a text within a file, and why.
type proof struct{ file, text, why string }

// elsewhere are the traps for reimplementers of ZooKeeper (section 18 of the reference) that are shown
// by other tests. The others are named in testdata by their number.
func elsewhere() map[string]proof {
	return map[string]proof{
		"4": {"server/ensemble_test.go", "func TestMemberWithoutLeaderClosesItsClients(",
			"passwords are random in Holt, which Canon passes over; what counts is that any member knows them"},
		"11": {"server/apply/testdata/traps.txt", "# 11, 56:", "needs two members; the variant ensemble of TestRandom moves sessions too"},
		"13": {"compat/reconfig/testdata/reconfig.txt", "\nNoAuth\n", "about changes of members; that they are switched off is in ephemerals.txt"},
		"25": {"server/ensemble_test.go", "func TestNewLeaderGivesSessionsTheirFullTimeout(", "about followers and changes of the leader"},
		"32": {"znode/rules_test.go", "func TestEmptyACL(", "no request can store an empty ACL"},
		"42": {"server/zoocfg/testdata/scripts/bad.txt", "unknown key \"completelyDifferent\"", "about zoo.cfg; Holt refuses on purpose what the original takes for a property"},
		"43": {"server/zoocfg/testdata/scripts/sources.txt", "jute.maxbuffer=8192 (-D)", "about zoo.cfg"},
		"46": {"znode/rules_test.go", "func TestCountersAtTheEnd(", "takes two thousand million writes"},
		"50": {"znode/zkfile/golden_test.go", "func TestRewriteLogs(", "about the original's files"},
		"51": {"znode/zkfile/golden_test.go", "func TestFuzzyDigests(", "about the original's files"},
		"51b": {"compat/migration/record_test.go", "newNode(\"/not/either\", 0)",
			"about the original's files: a multi that fails in them, which TestLoadReleases of znode/zkfile reads"},
		"56": {"server/apply/testdata/traps.txt", "# 11, 56:",
			"what the original does with requests behind a closeSession is up to timing: it drops them, or answers UnknownSession"},
		"60": {"server/admin/commands_test.go", "func TestCommandErrors(", "about the AdminServer"},
	}
}

func TestTraps(t *testing.T) {
	text := scriptTexts(t)
	proofs := elsewhere()
	var traps []string
	for n := range 60 {
		traps = append(traps, fmt.Sprint(n+1))
	}
	for _, n := range append(traps, "51b") {
		shown := strings.Contains(text, "trap "+n+":") || strings.Contains(text, "trap "+n+".")
		at, ok := proofs[n]
		if ok == shown {
			t.Errorf("trap %s: has a script %v, is shown elsewhere %v", n, shown, ok)
		}
		if !ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(at.file)))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(b), at.text) {
			t.Errorf("trap %s: %s does not contain %q", n, at.file, at.text)
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
