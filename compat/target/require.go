package target

import (
	"os"
	"os/exec"
	"testing"
)

// Tool is a program that a suite needs, and where it comes from.
type Tool struct {
	Check   []string // a command that succeeds when the tool is there
	Package string   // the Debian package that brings it
}

// Require makes sure that tool is there. As root it installs the package; otherwise, or when
// that does not help, the test fails with the line to type.
func Require(t testing.TB, tool Tool) {
	t.Helper()
	if exec.Command(tool.Check[0], tool.Check[1:]...).Run() == nil {
		return
	}
	if os.Geteuid() == 0 {
		install := exec.Command("sh", "-c", "apt-get update -qq; apt-get install -y -qq --no-install-recommends "+tool.Package)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := install.CombinedOutput(); err != nil {
			t.Logf("apt-get install %s: %v\n%s", tool.Package, err, out)
		}
		if exec.Command(tool.Check[0], tool.Check[1:]...).Run() == nil {
			return
		}
	}
	t.Fatalf("%q does not work: install it with 'apt-get install %s'", tool.Check, tool.Package)
}
