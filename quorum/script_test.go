package quorum_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/quorum/quorumtest"
)

// TestScripts runs testdata. The language is described at
// quorumtest.RunScript; go test -rewrite writes the answers down anew.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		quorumtest.RunScript(t, path, quorumtest.Options{})
	})
}
