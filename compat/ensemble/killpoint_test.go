package ensemble

import (
	"fmt"
	"testing"
)

func TestParsePoints(t *testing.T) {
	const trace = `12 mkdirat(AT_FDCWD</tmp>, "/data", 0755) = 0
12 openat(AT_FDCWD</tmp>, "/data/a.tmp", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644) = 3</data/a.tmp>
13 openat(AT_FDCWD</tmp>, "/data/a", O_RDONLY|O_CLOEXEC) = 3</data/a>
13 openat(AT_FDCWD</tmp>, "/database/a", O_WRONLY|O_CREAT, 0644) = 3</database/a>
13 fsync(3</data/a.tmp>) = 0
13 fsync(3</data/a.tmp>) = 0
12 renameat(AT_FDCWD</tmp>, "/data/a.tmp", AT_FDCWD</tmp>, "/data/a") = 0
12 unlinkat(AT_FDCWD</tmp>, "/data/founding", 0 <unfinished ...>
12 <... unlinkat resumed>) = 0
12 fsync(4</data>) = 0
12 +++ exited with 0 +++
`
	want := "[mkdirat data openat a.tmp fsync a.tmp renameat a unlinkat founding fsync data]"
	if got := fmt.Sprint(parsePoints("/data", trace)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
