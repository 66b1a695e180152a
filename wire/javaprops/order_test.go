package javaprops

import (
	"fmt"
	"strings"
	"testing"
)

// TestHashOrder compares with the order in which Java 17 hands out the same keys.
func TestHashOrder(t *testing.T) {
	for n, want := range map[int]string{
		3:  "2 1 3 version",
		5:  "2 1 5 4 3 version",
		12: "version 10 11 2 1 12 6 5 4 3 9 8 7",
		20: "18 19 16 17 version 10 11 20 2 14 1 15 12 13 6 5 4 3 9 8 7",
	} {
		var props []Property
		for i := range n {
			props = append(props, Property{Key: fmt.Sprintf("server.%d", i+1)})
		}
		props = append(props, Property{Key: "version"})
		HashOrder(props)
		var keys []string
		for _, p := range props {
			keys = append(keys, strings.TrimPrefix(p.Key, "server."))
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%d servers: got %s, want %s", n, got, want)
		}
	}
}
