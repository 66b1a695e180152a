package partition_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

// lent is memory that is overwritten as soon as nobody uses it.
type lent struct {
	b     []byte
	users int
}

func (m *lent) Acquire() { m.users++ }

func (m *lent) Release() {
	if m.users--; m.users == 0 {
		clear(m.b)
	}
}

func (m *lent) Size() int { return cap(m.b) }

// lender appends to a log batches of all sizes, in memory that is lent or not.
type lender struct {
	*testing.T
	r    *rand.Rand
	log  *partition.Log
	all  []byte // the log
	ends []int  // of its batches, in all
	lent []*lent
}

// batch returns one of about n bytes.
func (x *lender) batch(n int) []byte {
	b := record.NewBuilder(record.BuilderOptions{})
	b.Append(record.Record{Timestamp: 1, Value: bytes.Repeat([]byte{byte(x.r.IntN(256))}, n)})
	batch, err := b.Build()
	if err != nil {
		x.Fatal(err)
	}
	return batch
}

// append appends one batch, whose offset is its number, from memory of a size.
func (x *lender) append(n, size int, lend bool) {
	x.Helper()
	batch := x.batch(n)
	m := &lent{b: append(make([]byte, 0, max(size, len(batch))), batch...), users: 1}
	o := partition.AppendOptions{Now: 5, Origin: record.Client, ProduceVersion: 9}
	if lend {
		o.Memory = m
	}
	if _, invalid, err := x.log.AppendAsLeader(m.b, o); invalid != nil || err != nil {
		x.Fatal(invalid, err)
	}
	x.all = append(x.all, m.b...)
	x.ends = append(x.ends, len(x.all))
	x.lent = append(x.lent, m)
	m.Release()
}

// pinned is how much memory the log and its readers have.
func (x *lender) pinned() (n int) {
	for _, m := range x.lent {
		if m.users > 0 {
			n += m.Size()
		}
	}
	return n
}

func openLender(t *testing.T, seed uint64, o partition.Options) (*lender, *partition.Dir) {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	o.FS = fs
	d, err := partition.Open("/data/logs", o)
	if err != nil {
		t.Fatal(err)
	}
	x := &lender{T: t, r: rand.New(rand.NewPCG(seed, 0))}
	if x.log, err = d.Create(name, [16]byte{1}, partition.Defaults()); err != nil {
		t.Fatal(err)
	}
	return x, d
}

// TestLentMemory: whatever is lent, truncated and committed, a slice has the log's bytes as long as it is held, and
// in the end all memory is given back.
func TestLentMemory(t *testing.T) {
	for range *seeds {
		seed := rand.Uint64()
		if *only != 0 {
			seed = *only
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			x, d := openLender(t, seed, partition.Options{TailBytesPerLog: 200_000, TailBytes: 600_000})
			type held struct {
				s    partition.Slice
				want []byte
			}
			var slices []held
			check := func(h held) {
				t.Helper()
				got, err := h.s.AppendTo(nil)
				if err := errors.Join(err, h.s.Release()); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, h.want) {
					t.Fatalf("a slice of %d bytes is not what was appended (%d)", len(got), len(h.want))
				}
			}
			for range 200 {
				end := len(x.ends)
				switch k := x.r.IntN(10); {
				case k < 4 || end == 0:
					x.append(x.r.IntN(200_000), x.r.IntN(400_000), x.r.IntN(4) > 0)
				case k < 7:
					from := x.r.IntN(end)
					s, err := x.log.Read(int64(from), 300_000, int64(end), true)
					if err != nil {
						t.Fatal(err)
					}
					start := 0
					if from > 0 {
						start = x.ends[from-1]
					}
					h := held{s, bytes.Clone(x.all[start : start+s.Len()])}
					if s.Parts() == nil { // of a file: may be truncated
						check(h)
						continue
					}
					slices = append(slices, h)
				case k < 8 && len(slices) > 0:
					i := x.r.IntN(len(slices))
					check(slices[i])
					slices = append(slices[:i], slices[i+1:]...)
				case k < 9:
					x.log.SetHighWatermark(int64(x.r.IntN(end + 1)))
				default:
					hw := int(x.log.HighWatermark())
					to := hw + x.r.IntN(end-hw+1)
					if err := x.log.TruncateTo(int64(to)); err != nil {
						t.Fatal(err)
					}
					x.ends = x.ends[:to]
					x.all = x.all[:lastOf(x.ends)]
				}
			}
			for _, h := range slices {
				check(h)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if n := x.pinned(); n > 0 {
				t.Errorf("%d bytes of lent memory are not given back", n)
			}
		})
	}
}

func lastOf(ends []int) int {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}

// TestLentUntilCommitted: followers find large batches in memory, which goes back when they are committed; and
// what nobody fetches does not hold more than was allowed.
func TestLentUntilCommitted(t *testing.T) {
	x, d := openLender(t, 1, partition.Options{TailBytesPerLog: 200_000, TailBytes: 1_500_000})
	inMemory := func(from int64) bool {
		t.Helper()
		s, err := x.log.Read(from, 1<<20, x.log.EndOffset(), true)
		if err != nil {
			t.Fatal(err)
		}
		parts := s.Parts()
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		return parts != nil
	}
	for range 3 {
		x.append(100_000, 200_000, true)
	}
	if !inMemory(0) || x.pinned() != 600_000 {
		t.Fatalf("three batches appended: %d bytes held, in memory %v", x.pinned(), inMemory(0))
	}
	x.log.SetHighWatermark(2)
	if !inMemory(2) || inMemory(1) || x.pinned() != 200_000 {
		t.Fatalf("two committed: %d bytes held", x.pinned())
	}
	x.append(10, 100, true) // is copied
	x.log.SetHighWatermark(3)
	if !inMemory(3) || x.pinned() != 0 {
		t.Fatalf("three committed: %d bytes held", x.pinned())
	}
	for range 20 {
		x.append(100_000, 100_100, true)
	}
	if n := x.pinned(); n < 500_000 || n > 800_000 {
		t.Errorf("%d bytes held for one log, 800000 allowed", n)
	}
	for range 20 {
		x.append(100_000, 400_000, true) // and more memory than bytes
	}
	if n := x.pinned(); n < 1_000_000 || n > 1_500_000 {
		t.Errorf("%d bytes held, 1500000 allowed", n)
	}
	x.append(100_000, 1_500_001, true)
	if n := x.pinned(); n > 0 {
		t.Errorf("%d bytes held for a request larger than is allowed", n)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
