package partition

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"holt/broker/record"
)

// keyOffsets has the last offset of each key of the dirty part of a log. Keys are known by 16 bytes of
// a hash in which nobody finds two that are the same.
type keyOffsets struct {
	max  int
	last map[keyHash]int64
}

type keyHash [16]byte

// keyBytes is about what a key costs in the map.
const keyBytes = 56

func newKeyOffsets(bytes int) *keyOffsets {
	return &keyOffsets{max: max(bytes/keyBytes, 1), last: make(map[keyHash]int64)}
}

func hashKey(key []byte) keyHash {
	sum := sha256.Sum256(key)
	return keyHash(sum[:16])
}

func (k *keyOffsets) put(key []byte, offset int64) { k.last[hashKey(key)] = offset }

// hides reports whether a later record has the key.
func (k *keyOffsets) hides(key []byte, offset int64) bool {
	last, ok := k.last[hashKey(key)]
	return ok && last > offset
}

func (k *keyOffsets) fits(records int) bool { return len(k.last)+records <= k.max }

// collect reads the dirty part's keys until there is no room, and says how far it came.
func (c *compaction) collect() error {
	c.latest = newKeyOffsets(c.log.dir.options.CleanerBytes)
	cleaned := c.log.cleaned.Load()
	c.upper = c.ends[len(c.ends)-1]
	for i, s := range c.segments {
		if c.ends[i] <= cleaned {
			continue
		}
		full, err := c.collectSegment(s, cleaned)
		if err != nil {
			return fmt.Errorf("compact %s: %w", s.name(suffixLog), err)
		}
		if full {
			return nil
		}
	}
	return nil
}

func (c *compaction) collectSegment(s *segment, from int64) (full bool, err error) {
	err = s.scan(func(b record.Batch) error {
		if err := c.pace.spend(c.ctx, len(b)); err != nil {
			return err
		}
		if full || b.LastOffset() < from || b.IsControl() || c.isAborted(b) {
			return nil
		}
		if len(c.latest.last) > 0 && !c.latest.fits(int(b.Count())) {
			full, c.upper = true, b.BaseOffset()
			return io.EOF
		}
		for r, err := range b.Records(c.log.dir.options.Decompressor) {
			if err != nil {
				return err
			}
			if r.Key != nil {
				c.latest.put(r.Key, r.Offset)
			}
		}
		return nil
	})
	return full, err
}

// scan visits the segment's batches until visit returns an error; io.EOF is none.
func (s *segment) scan(visit func(record.Batch) error) error {
	h, err := s.open()
	if err != nil {
		return err
	}
	for sc := scanBatches(h, 0, s.size.Load()); err == nil; {
		var b record.Batch
		if b, _, err = sc.next(); err == nil {
			err = visit(b)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, h.release())
}
