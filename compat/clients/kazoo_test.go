package clients

import (
	"testing"

	"holt/compat/target"
)

// systemPython is the interpreter that sees Debian's python3-kazoo; one from elsewhere on the
// path would not.
const systemPython = "/usr/bin/python3"

func TestKazoo(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{
		Check:   []string{systemPython, "-c", "import kazoo"},
		Package: "python3-kazoo",
	})
	runScript(t, three(t), systemPython, "testdata/kazoo_suite.py")
}
