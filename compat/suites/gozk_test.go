package suites

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"holt/compat/target"
)

// TestGoZookeeper runs the tests of the module github.com/go-zookeeper/zk where it lies. They
// start ensembles of one and of three themselves.
func TestGoZookeeper(t *testing.T) {
	kind := target.Kind(t)
	bin, env := launcherAs(t, kind, "zkServer.sh")
	cmd := exec.Command("go", "test", "-json", "-count=1", "-timeout=9m", "github.com/go-zookeeper/zk")
	cmd.Env = append(env, "ZOOKEEPER_BIN_PATH="+bin)
	outcomes := readTestJSON(runSuite(t, cmd))
	report(t, "go-zookeeper", outcomes, 40)
}

// readTestJSON reads the outcomes from what go test -json printed.
func readTestJSON(text string) []outcome {
	said := make(map[string]*strings.Builder)
	var outcomes []outcome
	for line := range strings.Lines(text) {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal([]byte(line), &e) != nil {
			e.Action, e.Output = "output", line // of the build, when it fails
		}
		if said[e.Test] == nil {
			said[e.Test] = new(strings.Builder)
		}
		o := outcome{test: e.Test}
		switch e.Action {
		case "output":
			said[e.Test].WriteString(e.Output)
			continue
		case "pass":
			o.state = passed
		case "skip":
			o.state = skipped
		case "fail":
			o.state, o.output = failed, said[e.Test].String()
		default:
			continue
		}
		if e.Test != "" || o.state == failed && len(outcomes) == 0 {
			outcomes = append(outcomes, o)
		}
	}
	return outcomes
}
