package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"
)

// The widths of entries, which tell the three kinds of index apart; see doc.go.
const (
	offsetWidth = 8
	timeWidth   = 12
	txnWidth    = 34
)

// pendingMax is how many bytes of entries are kept in memory before they are
// written: indexes cost a write for every few hundred entries, not for each.
const pendingMax = 4 << 10

// index is a file of entries of one width, ascending. The last ones may be in
// memory only: a crash loses them, and recovery makes them anew. One goroutine
// writes, any may search.
type index struct {
	width int
	file  lazyFile

	mu      sync.Mutex
	loaded  bool
	n       int    // entries in the file; what lies behind them is garbage
	pending []byte // entries that follow
	// ragged: the file may be longer than n entries.
	ragged bool
}

func (x *index) init(width int) { x.width = width }

// loadLocked looks how many entries the file has.
func (x *index) loadLocked(d disk, name string) error {
	if x.loaded {
		return nil
	}
	size, err := d.size(name)
	if err != nil {
		return err
	}
	x.n, x.loaded = int(size)/x.width, true
	x.ragged = int(size)%x.width != 0
	return nil
}

// count returns the number of entries.
func (x *index) count(d disk, name string) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.loadLocked(d, name); err != nil {
		return 0, err
	}
	return x.n + len(x.pending)/x.width, nil
}

// reset makes the index empty without looking at the file.
func (x *index) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.n, x.pending, x.loaded, x.ragged = 0, nil, true, true
}

// add appends an entry; write has to be called now and then.
func (x *index) add(d disk, name string, entry []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.loadLocked(d, name); err != nil {
		return err
	}
	x.pending = append(x.pending, entry...)
	if len(x.pending) < pendingMax {
		return nil
	}
	return x.writeLocked(d, name)
}

// writeLocked writes the pending entries to the file.
func (x *index) writeLocked(d disk, name string) error {
	if len(x.pending) == 0 {
		return nil
	}
	h, err := x.file.acquire(d, name)
	if err != nil {
		return err
	}
	_, err = h.WriteAt(x.pending, int64(x.n*x.width))
	if err := errors.Join(err, h.release()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	x.n += len(x.pending) / x.width
	x.pending = nil
	return nil
}

// settle writes what is pending, cuts garbage off the end, and makes the file
// durable if sync is set. A file that would be empty and does not exist is only
// made if keep is set.
func (x *index) settle(d disk, name string, sync, keep bool) error {
	x.mu.Lock()
	h, err := x.settleLocked(d, name, keep)
	x.mu.Unlock()
	if h == nil || err != nil {
		return err
	}
	if sync { // not under the lock: the log goes on being written and read
		err = h.SyncData()
	}
	if err := errors.Join(err, h.release()); err != nil {
		return fmt.Errorf("sync %s: %w", name, err)
	}
	return nil
}

// settleLocked is settle without the sync; it returns the file unless there is
// none.
func (x *index) settleLocked(d disk, name string, keep bool) (*handle, error) {
	if err := x.loadLocked(d, name); err != nil {
		return nil, err
	}
	if !keep && x.n == 0 && len(x.pending) == 0 {
		if !x.ragged {
			return nil, nil
		}
		x.ragged = false
		return nil, errors.Join(x.file.close(), d.remove(name))
	}
	if err := x.writeLocked(d, name); err != nil {
		return nil, err
	}
	if err := x.trimLocked(d, name); err != nil {
		return nil, err
	}
	return x.file.acquire(d, name)
}

// trimLocked cuts off what lies behind the last entry.
func (x *index) trimLocked(d disk, name string) error {
	if !x.ragged {
		return nil
	}
	h, err := x.file.acquire(d, name)
	if err != nil {
		return err
	}
	st, err := h.Stat()
	if err == nil && st.Size() != int64(x.n*x.width) {
		err = d.cut(name, h, int64(x.n*x.width))
	}
	if err := errors.Join(err, h.release()); err != nil {
		return fmt.Errorf("truncate %s: %w", name, err)
	}
	x.ragged = false
	return x.file.close() // cut may have put another file in its place
}

// last returns the last entry, nil if there is none.
func (x *index) last(d disk, name string) ([]byte, error) {
	_, e, err := x.search(d, name, func([]byte) bool { return true })
	return e, err
}

// search returns the last entry for which before is true, and its number; -1
// and nil if there is none. before is true for some first entries and false for
// all others.
func (x *index) search(d disk, name string, before func(entry []byte) bool) (int, []byte, error) {
	x.mu.Lock()
	if err := x.loadLocked(d, name); err != nil {
		x.mu.Unlock()
		return -1, nil, err
	}
	n := x.n
	if i := firstNot(x.pending, x.width, before); i > 0 {
		e := append([]byte(nil), x.pending[(i-1)*x.width:i*x.width]...)
		x.mu.Unlock()
		return n + i - 1, e, nil
	}
	x.mu.Unlock()
	if n == 0 {
		return -1, nil, nil
	}
	h, err := x.file.acquire(d, name)
	if err != nil {
		return -1, nil, err
	}
	i, e, err := searchFile(h, n, x.width, before)
	return i, e, errors.Join(err, h.release())
}

// firstNot returns the number of entries for which before is true.
func firstNot(entries []byte, width int, before func([]byte) bool) int {
	return sort.Search(len(entries)/width, func(i int) bool { return !before(entries[i*width : (i+1)*width]) })
}

// searchFile narrows the range down by single entries and reads the rest at once.
func searchFile(h *handle, n, width int, before func([]byte) bool) (int, []byte, error) {
	const block = 1 << 10
	buf := make([]byte, block)
	lo, hi := 0, n // entries below lo are before, those from hi on are not
	for (hi-lo)*width > block {
		mid := lo + (hi-lo)/2
		if err := readFull(h, buf[:width], int64(mid*width)); err != nil {
			return -1, nil, err
		}
		if before(buf[:width]) {
			lo = mid // mid itself is read again below, as the answer perhaps
		} else {
			hi = mid
		}
	}
	buf = buf[:(hi-lo)*width]
	if err := readFull(h, buf, int64(lo*width)); err != nil {
		return -1, nil, err
	}
	i := firstNot(buf, width, before)
	if i == 0 {
		return -1, nil, nil // lo is 0 then
	}
	return lo + i - 1, buf[(i-1)*width : i*width], nil
}

// entries returns all entries from number i on.
func (x *index) entries(d disk, name string, i int) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.loadLocked(d, name); err != nil {
		return nil, err
	}
	if i >= x.n {
		return append([]byte(nil), x.pending[min((i-x.n)*x.width, len(x.pending)):]...), nil
	}
	b := make([]byte, (x.n-i)*x.width, (x.n-i)*x.width+len(x.pending))
	h, err := x.file.acquire(d, name)
	if err != nil {
		return nil, err
	}
	err = readFull(h, b, int64(i*x.width))
	return append(b, x.pending...), errors.Join(err, h.release())
}

// cut keeps the first n entries. The file is shortened later, by settle, since
// somebody may be searching it.
func (x *index) cut(d disk, name string, n int) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.loadLocked(d, name); err != nil {
		return err
	}
	if n >= x.n {
		x.pending = x.pending[:min((n-x.n)*x.width, len(x.pending))]
		return nil
	}
	x.n, x.pending, x.ragged = n, nil, true
	return nil
}

// readFull reads len(b) bytes at off.
func readFull(f interface {
	ReadAt([]byte, int64) (int, error)
}, b []byte, off int64) error {
	if n, err := f.ReadAt(b, off); n < len(b) {
		return fmt.Errorf("read %d bytes at %d: %w", len(b), off, unexpected(err))
	}
	return nil
}

// offsetEntry says where the batch that ends with an offset lies.
func offsetEntry(b []byte, rel, pos int64) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(rel))
	return binary.BigEndian.AppendUint32(b, uint32(pos))
}

func entryOffset(e []byte) int64   { return int64(binary.BigEndian.Uint32(e)) }
func entryPosition(e []byte) int64 { return int64(binary.BigEndian.Uint32(e[4:])) }

// timeEntry says that no batch up to the one that ends with an offset has a
// timestamp greater than that one's.
func timeEntry(b []byte, timestamp, rel int64) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(timestamp))
	return binary.BigEndian.AppendUint32(b, uint32(rel))
}

func entryTime(e []byte) int64       { return int64(binary.BigEndian.Uint64(e)) }
func entryTimeOffset(e []byte) int64 { return int64(binary.BigEndian.Uint32(e[8:])) }

// abortedTxn is an entry of the transaction index.
type abortedTxn struct {
	producer, first, last, stable int64
}

func (a abortedTxn) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, 0)
	for _, v := range [...]int64{a.producer, a.first, a.last, a.stable} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func decodeAborted(e []byte) abortedTxn {
	v := func(i int) int64 { return int64(binary.BigEndian.Uint64(e[2+8*i:])) }
	return abortedTxn{producer: v(0), first: v(1), last: v(2), stable: v(3)}
}
