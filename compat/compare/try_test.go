package compare

import (
	"fmt"
	"os"
	"testing"
	"time"

	"holt/compat/ensemble"
)

func TestTry(t *testing.T) {
	b, err := os.ReadFile(os.Getenv("SCRIPT"))
	if err != nil {
		t.Skip(err)
	}
	s, err := Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	side := startProcess(t, ensemble.ZooKeeper, "original", nil)
	for range 2 {
		start := time.Now()
		tr, err := side.Run(t.Context(), s)
		fmt.Println(tr.Text(), err, time.Since(start))
	}
}
