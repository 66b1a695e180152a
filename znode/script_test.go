package znode_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/znode/store"
	"holt/znode/znodetest"
)

// TestScripts runs testdata with a cache that holds all and one that holds nothing.
func TestScripts(t *testing.T) {
	for _, opts := range []store.Options{{}, {CacheBytes: 1, MemTableBytes: 64 << 10, PageIndexMin: 3}} {
		datadriven.Walk(t, "testdata", func(t *testing.T, file string) { znodetest.RunScript(t, file, opts) })
	}
}
