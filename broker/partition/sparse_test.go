package partition_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// rollFS calls rolled before each segment is made.
type rollFS struct {
	vfs.FS
	rolled func(file string)
}

func (f rollFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".log") {
		f.rolled(name)
	}
	return f.FS.Create(name, category)
}

// TestSparseSegmentIsDurable has a follower store what compaction has left of a leader's log. The power fails as its
// second segment begins: the first is all there. If its end were not, and the second were, nobody could tell what is
// missing between them from what was compacted. So it is if the follower was closed and opened in between. A log that
// lacks nothing does not wait for the disk.
func TestSparseSegmentIsDurable(t *testing.T) {
	for _, c := range []struct {
		name            string
		sparse, resumed bool
	}{{"sparse", true, false}, {"resumed", true, true}, {"dense", false, false}} {
		t.Run(c.name, func(t *testing.T) {
			leader := &run{T: t, r: rand.New(rand.NewPCG(11, 11))}
			leader.begin(nil)
			for range 100 {
				leader.append()
			}
			if err := leader.dir.Close(); err != nil {
				t.Fatal(err)
			}
			lost, rolls := 0, 0
			x := &run{T: t}
			x.begin(func(disk *vfs.MemFS) vfs.FS {
				return rollFS{disk, func(file string) {
					first := segmentFile(0, "log")
					if file == first {
						return
					}
					if rolls++; rolls == 1 {
						image := disk.CrashClone(vfs.CrashCloneCfg{})
						lost = len(readAll(t, disk, first)) - len(readAll(t, image, first))
					}
				}}
			})
			for i, b := range leader.m.batches {
				if c.sparse && i == 1 {
					continue // nothing but this is missing
				}
				if c.resumed && i == 3 {
					if err := x.dir.Close(); err != nil {
						t.Fatal(err)
					}
					x.open()
				}
				if err := x.log.AppendAsFollower(b, 1000); err != nil {
					t.Fatal(err)
				}
			}
			if err := x.dir.Close(); err != nil {
				t.Fatal(err)
			}
			if rolls == 0 || (lost > 0) == c.sparse {
				t.Errorf("%d segments, %d bytes of the first are not durable as the second begins", rolls+1, lost)
			}
		})
	}
}
