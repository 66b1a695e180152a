package partition

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"holt/broker/record"
)

// The end of a log is kept in memory so that followers and consumers that keep
// up cost no system call. It lies in chunks; batches larger than a chunk are
// left to the page cache and sendfile, which is as cheap then.
const (
	chunkMin = 4 << 10
	chunkMax = 64 << 10
	// markBytes is the distance between places in a chunk that are known by offset.
	markBytes = 4 << 10
)

// chunk is a run of batches in memory. It counts its users: its log, as long as
// it belongs to its tail, and readers. Bytes once written never change.
type chunk struct {
	pool *tailPool
	size int    // of buf's capacity
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
	c := &chunk{pool: p, size: n, base: base, next: base}
	var old []*chunk
	p.mu.Lock()
	if n == chunkMax && len(p.free) > 0 {
		c.buf = p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
	} else {
		c.buf = make([]byte, 0, n)
	}
	p.bytes += n
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
	c.refs.Store(1)
	c.owned.Store(true)
	for _, o := range old {
		o.disown()
	}
	return c
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
	used   atomic.Bool // since the Dir last looked for idle ones
}

// add appends batches, which are copied.
func (t *tail) add(p *tailPool, maxBytes int, b []byte) {
	if maxBytes <= 0 || p.max <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if err != nil || len(batch) > chunkMax {
			t.resetLocked()
			if err != nil {
				return
			}
		} else {
			t.addLocked(p, batch)
		}
		b = rest
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
	t.bytes -= c.size
	c.disown()
}

func (t *tail) resetLocked() {
	for _, c := range t.chunks {
		c.disown()
	}
	t.chunks, t.bytes = nil, 0
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
