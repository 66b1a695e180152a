package migration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// TestKillsAtSteps kills an import, and a restore, at each system call by which it changes a file, as
// strace tells of a run that ends. Whatever is left, a member starts on nothing or on everything, and says
// what to do if it does neither; the same command again finishes the work.
func TestKillsAtSteps(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"strace", "-V"}, Package: "strace"})
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	const nodes = 50
	from := writeSnapshot(t, nodes)
	first, backups := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "backups")
	holt(t, "import", "--from-zookeeper", from, "--to", first)
	holt(t, "backup", "create", "--from", first, "--to", backups)
	for name, command := range map[string][]string{
		"import":  {"import", "--from-zookeeper", from, "--to"},
		"restore": {"backup", "restore", backups, "--myid", "1", "--to"},
	} {
		t.Run(name, func(t *testing.T) {
			s := steps{bin: bin, command: command, children: nodes - 2}
			s.run(t)
		})
	}
}

// steps are those of a command that makes a data directory.
type steps struct {
	bin      string
	command  []string // the directory follows
	children int32    // of /top in the end
}

func (s *steps) to(dir string) []string { return append(append([]string(nil), s.command...), dir) }

func (s *steps) run(t *testing.T) {
	const name = "data"
	model := filepath.Join(t.TempDir(), name)
	points, err := ensemble.KillPoints(model, s.bin, s.to(model)...)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, p := range points {
		dir := filepath.Join(t.TempDir(), name)
		at := p
		at.Paths = []string{dir + strings.TrimPrefix(p.Paths[0], model)}
		killed, out, err := at.Run(s.bin, s.to(dir)...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", p, err, out)
		}
		if !killed {
			found["passed by"]++ // a file of a name that is not the same each time
			continue
		}
		left := s.left(t, dir)
		found[left]++
		t.Logf("killed at %-28v: %s", p, left)
		s.again(t, dir, left == "whole")
		s.check(t, dir)
		if t.Failed() {
			return
		}
	}
	s.again(t, model, true)
	s.check(t, model)
	t.Logf("%d points: %v", len(points), found)
	if found["nothing"] == 0 || found["half"] < 10 || found["passed by"]*4 > len(points) {
		t.Errorf("too few of %d points: %v", len(points), found)
	}
}

// again runs the command on what there is: it refuses to touch a whole directory, and finishes any other.
func (s *steps) again(t *testing.T, dir string, whole bool) {
	t.Helper()
	out, err := exec.Command(s.bin, s.to(dir)...).CombinedOutput()
	if refused := strings.Contains(string(out), "holds a member's data already"); refused != whole || (err != nil) != whole {
		t.Errorf("the command again: %v\n%s", err, out)
	}
}

// left is what a kill has left: "nothing", "half" or "whole".
func (s *steps) left(t *testing.T, dir string) string {
	t.Helper()
	if refusesHalf(t, s.bin, dir) == 1 {
		return "half"
	}
	if _, err := os.Stat(filepath.Join(dir, "tree.current")); errors.Is(err, os.ErrNotExist) {
		return "nothing"
	} else if err != nil {
		t.Fatal(err)
	}
	return "whole"
}

// check starts a member on the directory.
func (s *steps) check(t *testing.T, dir string) {
	t.Helper()
	m := startHolt(t, dir, freePort(t))
	c := dial(t, m.addr, client.Options{})
	_, stat, err := c.GetChildren2(t.Context(), "/top", false)
	if err != nil || stat.NumChildren != s.children {
		t.Errorf("%d children, %v, want %d", stat.NumChildren, err, s.children)
	}
	must[string](t)(c.Create(t.Context(), "/later", nil, wire.OpenACL(), wire.ModePersistent))
	c.Abort()
	m.kill()
}
