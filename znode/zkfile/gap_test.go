package zkfile

import (
	"testing"

	"holt/wire"
)

func TestFollows(t *testing.T) {
	for _, c := range []struct {
		before, after wire.Zxid
		want          bool
	}{
		{0, 1, true},
		{0, 2, false},
		{7, 8, true},
		{7, 7, true}, // once more
		{7, 3, true},
		{7, 9, false},
		{0x100000007, 0x200000001, true},
		{0x100000007, 0x500000001, true}, // epochs without a transaction
		{0x100000007, 0x200000002, false},
		{0x1ffffffff, 0x200000001, true},
		{0, 0x100000001, true},
		{0, 0x100000013, false},
	} {
		if got := follows(c.before, c.after); got != c.want {
			t.Errorf("%s, then %s: %t", c.before, c.after, got)
		}
	}
}
