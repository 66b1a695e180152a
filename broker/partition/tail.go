package partition

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"holt/broker/record"
)

// The end of a log is kept in memory so that followers and consumers that keep
// up cost no system call. It lies in chunks, which batches are copied to. Larger
// ones stay where they are if their Memory is lent, until they are committed: the
// followers copy them right away, and sending them from there takes half of what
// sendfile does, which goes page by page. Others are left to the page cache.
const (
	chunkMin = 4 << 10
	chunkMax = 64 << 10
	// lentFactor is how many times more a log may keep of lent memory, of which it
	// needs what its followers are behind by: some requests.
	lentFactor = 4
	// markBytes is the distance between places in a chunk that are known by offset.
	markBytes = 4 << 10
)

// Memory is what batches that are appended lie in. Whoever has acquired it may read them until he
// releases it; nobody changes them meanwhile.
type Memory interface {
	Acquire()
	Release()
	// Size is how many bytes are in use as long as anybody needs one of them.
	Size() int
}

// chunk is a run of batches in memory. It counts its users: its log, as long as
// it belongs to its tail, and readers. Bytes once written never change.
type chunk struct {
	pool *tailPool
	lent Memory // that buf, one batch, lies in; nil if buf is the chunk's
	size int    // of the memory, for all logs together
	room int    // of buf, for the log
	buf  []byte // grown by the log's writer only, within its capacity; guarded by tail.mu
	base int64  // offset before which nothing is in buf
	next int64  // guarded by tail.mu
	// marks are batches by their last offset and place, ascending; guarded by tail.mu.
	marks []chunkMark
	refs  atomic.Int32
	owned atomic.Bool // by a log
}

type chunkMark struct {
	last int64
	pos  int32
}

// acquire takes a reference unless the chunk is gone.
func (c *chunk) acquire() bool {
	for {
		n := c.refs.Load()
		if n == 0 {
			return false
		}
		if c.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *chunk) release() {
	switch n := c.refs.Add(-1); {
	case n == 0:
		c.pool.recycle(c)
	case n < 0:
		panic("partition: slice released twice")
	}
}

// disown drops the log's reference, once.
func (c *chunk) disown() {
	if c.owned.Swap(false) {
		c.pool.disowned(c.size)
		c.release()
	}
}

// tailPool bounds the chunks of all logs of a Dir together: the oldest goes
// first, whosever it is.
type tailPool struct {
	max int

	mu    sync.Mutex
	bytes int      // of chunks that logs own
	owned int      // how many these are
	queue []*chunk // as they were made; may hold disowned ones
	free  [][]byte // buffers of chunkMax
}

// freeMax is how many buffers are kept for reuse.
const freeMax = 64

// take returns a chunk of at least n bytes for the batches from base on.
func (p *tailPool) take(n int, base int64) *chunk {
	c := &chunk{pool: p, size: n, room: n, base: base, next: base}
	p.mu.Lock()
	if n == chunkMax && len(p.free) > 0 {
		c.buf = p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
	} else {
		c.buf = make([]byte, 0, n)
	}
	p.mu.Unlock()
	p.own(c)
	return c
}

// borrow returns a chunk that is a batch, where it lies.
func (p *tailPool) borrow(m Memory, b record.Batch) *chunk {
	m.Acquire()
	c := &chunk{pool: p, lent: m, size: m.Size(), room: len(b), buf: b[:len(b):len(b)], base: b.BaseOffset(), next: b.NextOffset()}
	c.marks = []chunkMark{{b.LastOffset(), 0}}
	p.own(c)
	return c
}

// own counts c as a log's, whose reference it gets.
func (p *tailPool) own(c *chunk) {
	c.refs.Store(1)
	c.owned.Store(true)
	var old []*chunk
	p.mu.Lock()
	p.bytes += c.size
	p.owned++
	p.queue = append(p.queue, c)
	for excess := p.bytes - p.max; excess > 0 && len(p.queue) > 1; {
		o := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		if o.owned.Load() {
			old = append(old, o)
			excess -= o.size
		}
	}
	p.mu.Unlock()
	for _, o := range old {
		o.disown()
	}
}

func (p *tailPool) disowned(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes -= n
	p.owned--
	if len(p.queue) > 2*p.owned+freeMax {
		p.queue = slices.DeleteFunc(p.queue, func(c *chunk) bool { return !c.owned.Load() })
	}
}

func (p *tailPool) recycle(c *chunk) {
	buf := c.buf
	c.buf = nil
	if c.lent != nil {
		c.lent.Release()
		return
	}
	if cap(buf) != chunkMax {
		return
	}
	p.mu.Lock()
	if len(p.free) < freeMax {
		p.free = append(p.free, buf[:0])
	}
	p.mu.Unlock()
}

// tail is the end of one log in memory: the chunks are contiguous and the last
// one ends where the log does.
type tail struct {
	mu     sync.Mutex
	chunks []*chunk
	bytes  int
	lent   atomic.Bool // some chunk may be lent
	used   atomic.Bool // since the Dir last looked for idle ones
}

// add appends batches, which are copied, but for large ones if they lie in m; m may be nil.
func (t *tail) add(p *tailPool, maxBytes int, b []byte, m Memory) {
	if maxBytes <= 0 || p.max <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		switch {
		case err != nil:
			t.resetLocked()
			return
		case len(batch) <= chunkMax:
			t.addLocked(p, batch)
		case m != nil && m.Size() <= p.max: // a request may be larger than all tails together
			t.borrowLocked(p, m, batch)
		default:
			t.resetLocked()
		}
		b = rest
	}
	if t.lent.Load() {
		maxBytes *= lentFactor
	}
	for t.bytes > maxBytes && len(t.chunks) > 1 {
		t.dropLocked()
	}
}

func (t *tail) addLocked(p *tailPool, b record.Batch) {
	c := t.activeLocked(len(b))
	if c == nil {
		n := chunkMin
		if len(t.chunks) > 0 {
			n = min(2*t.chunks[len(t.chunks)-1].size, chunkMax)
		}
		for n < len(b) {
			n *= 2
		}
		c = p.take(n, b.BaseOffset())
		c.refs.Add(1)
		t.chunks = append(t.chunks, c)
		t.bytes += n
	}
	if n := len(c.marks); n == 0 || len(c.buf)-int(c.marks[n-1].pos) >= markBytes {
		c.marks = append(c.marks, chunkMark{b.LastOffset(), int32(len(c.buf))})
	}
	c.buf = append(c.buf, b...)
	c.next = b.NextOffset()
	c.release()
}

func (t *tail) borrowLocked(p *tailPool, m Memory, b record.Batch) {
	if c := t.activeLocked(0); c != nil {
		c.release()
	}
	c := p.borrow(m, b)
	t.chunks = append(t.chunks, c)
	t.bytes += c.room
	t.lent.Store(true)
}

// committed gives lent memory back that ends at or before offset, with all before it.
func (t *tail) committed(offset int64) {
	if !t.lent.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n, left := 0, false
	for i, c := range t.chunks {
		switch {
		case c.lent == nil:
		case c.next <= offset:
			n = i + 1
		default:
			left = true
		}
	}
	for range n {
		t.dropLocked()
	}
	t.lent.Store(left)
}

// activeLocked returns the last chunk with a reference if it has room.
func (t *tail) activeLocked(n int) *chunk {
	if len(t.chunks) == 0 {
		return nil
	}
	c := t.chunks[len(t.chunks)-1]
	if !c.acquire() { // taken away, and so are all before it
		t.resetLocked()
		return nil
	}
	if !c.owned.Load() {
		t.resetLocked()
		c.release()
		return nil
	}
	if cap(c.buf)-len(c.buf) < n {
		c.release()
		return nil
	}
	return c
}

func (t *tail) dropLocked() {
	c := t.chunks[0]
	t.chunks[0] = nil
	t.chunks = t.chunks[1:]
	t.bytes -= c.room
	c.disown()
}

func (t *tail) resetLocked() {
	for _, c := range t.chunks {
		c.disown()
	}
	t.chunks, t.bytes = nil, 0
	t.lent.Store(false)
}

// dropBefore forgets the chunks that have batches before offset.
func (t *tail) dropBefore(offset int64) {
	t.mu.Lock()
	for len(t.chunks) > 0 && t.chunks[0].base < offset {
		t.dropLocked()
	}
	t.mu.Unlock()
}

func (t *tail) reset() {
	t.mu.Lock()
	t.resetLocked()
	t.mu.Unlock()
}

// read fills s with batches from the one that has offset from on: those below
// limit, up to maxBytes, the first in any case if minOne. It reports false if
// the tail does not reach back to from.
func (t *tail) read(s *Slice, from, limit int64, maxBytes int, minOne bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].next > from })
	if i == len(t.chunks) || i == 0 && from < t.chunks[0].base {
		return false
	}
	t.used.Store(true)
	for ; i < len(t.chunks); i++ {
		c := t.chunks[i]
		if !c.acquire() {
			return s.n > 0
		}
		part, next, more := c.cut(from, limit, maxBytes-s.n, minOne && s.n == 0)
		if len(part) == 0 {
			c.release()
			return true
		}
		s.addChunk(c, part, next)
		if !more {
			return true
		}
	}
	return true
}

// cut returns the batches of c that a read is due, the offset after them, and
// whether the read may go on in the next chunk.
func (c *chunk) cut(from, limit int64, maxBytes int, minOne bool) (part []byte, next int64, more bool) {
	start := 0
	next = c.next
	if from > c.base {
		start = c.find(from)
	}
	if len(c.buf)-start <= maxBytes && c.next <= limit {
		return c.buf[start:len(c.buf):len(c.buf)], c.next, true
	}
	end := start
	for end < len(c.buf) {
		b := record.Batch(c.buf[end:])
		size := b.Size()
		first := end == start && minOne
		if b.NextOffset() > limit || end-start+size > maxBytes && !first {
			break
		}
		end += size
		next = b.NextOffset()
	}
	return c.buf[start:end:end], next, false
}

// find returns the place of the first batch whose last offset is at least
// offset; there is one.
func (c *chunk) find(offset int64) int {
	i := sort.Search(len(c.marks), func(i int) bool { return c.marks[i].last > offset })
	pos := 0
	if i > 0 {
		pos = int(c.marks[i-1].pos)
	}
	for pos < len(c.buf) {
		b := record.Batch(c.buf[pos:])
		if b.LastOffset() >= offset {
			break
		}
		pos += b.Size()
	}
	return pos
}
