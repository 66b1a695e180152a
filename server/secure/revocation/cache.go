package revocation

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// recheck is how long nobody is asked again (Java: URICertStore.CHECK_INTERVAL).
	recheck = 30 * time.Second
	// The bounds of what is remembered: what was used longest ago goes first. A list takes about
	// twice its size.
	listsMax      = 64
	listsBytesMax = 32 << 20
	answersMax    = 2048
)

// remembered is a list or an answer.
type remembered interface {
	valid(now time.Time) bool
	size() int
}

// cache remembers what was downloaded, and what could not be.
type cache[T remembered] struct {
	now             func() time.Time
	most, bytesMost int // bytesMost 0: no bound

	mu    sync.Mutex
	slots map[string]*slot[T]
	used  int64 // counts uses
	bytes int   // of all slots
}

// slot is one address's.
type slot[T remembered] struct {
	have atomic.Pointer[T] // nil: nothing. Whoever has the turn changes it
	// turn holds one token. Who has it may look at the two below, and download: the others
	// take what there is meanwhile, or wait for that instead of doing it, too.
	turn  chan struct{}
	asked time.Time
	err   error // of the last download

	used  int64 // guarded by cache.mu, as is the next
	bytes int
}

func newCache[T remembered](most, bytesMost int, now func() time.Time) *cache[T] {
	return &cache[T]{now: now, most: most, bytesMost: bytesMost, slots: map[string]*slot[T]{}}
}

// get returns what is remembered under key, or downloads it: download is given what was there
// before, or T's zero value. An old T that is still valid is returned instead of an error of download.
func (c *cache[T]) get(ctx context.Context, key string, download func(old T) (T, error)) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, errPatience
	}
	s := c.slot(key)
	select {
	case s.turn <- struct{}{}:
	default:
		// Somebody downloads. One handshake in half a minute may wait for a slow authority, but not all.
		if have, ok := s.valid(c.now()); ok {
			return have, nil
		}
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return none, errPatience
		}
	}
	defer func() { <-s.turn }()
	if s.stale(c.now()) {
		c.renew(ctx, key, s, download)
	}
	if have, ok := s.valid(c.now()); ok {
		return have, nil
	}
	if s.err == nil {
		s.err = errors.New("it has just become out of date")
	}
	return none, s.err
}

// valid is what there is, if that is good at the time.
func (s *slot[T]) valid(now time.Time) (have T, ok bool) {
	if p := s.have.Load(); p != nil && (*p).valid(now) {
		return *p, true
	}
	return have, false
}

// stale says whether to ask: long after the last time, or when what that gave is good no more.
func (s *slot[T]) stale(now time.Time) bool {
	_, valid := s.valid(now)
	age := now.Sub(s.asked)
	return s.asked.IsZero() || age < 0 || age >= recheck || s.err == nil && !valid
}

// renew downloads. The caller has the slot's turn.
func (c *cache[T]) renew(ctx context.Context, key string, s *slot[T], download func(old T) (T, error)) {
	var old T
	if p := s.have.Load(); p != nil {
		old = *p
	}
	fresh, err := download(old)
	s.err = err
	if err != nil && ctx.Err() != nil {
		s.asked = time.Time{} // this caller had no time left, which says nothing of the address
		return
	}
	s.asked = c.now()
	if err == nil {
		s.have.Store(&fresh)
		c.grown(key, s, fresh.size())
	}
}

// slot finds or makes the one of key.
func (c *cache[T]) slot(key string) *slot[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.slots[key]
	if s == nil {
		s = &slot[T]{turn: make(chan struct{}, 1)}
		c.slots[key] = s
	}
	c.used++
	s.used = c.used
	c.trimLocked()
	return s
}

// grown notes the size of what a slot holds now.
func (c *cache[T]) grown(key string, s *slot[T], size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slots[key] != s {
		return // it was dropped meanwhile; who waits for it still has it
	}
	c.bytes += size - s.bytes
	s.bytes = size
	c.trimLocked()
}

// trimLocked drops what was used longest ago, but never the last one.
func (c *cache[T]) trimLocked() {
	for len(c.slots) > 1 && (len(c.slots) > c.most || c.bytesMost > 0 && c.bytes > c.bytesMost) {
		var oldest string
		least := int64(-1)
		for key, s := range c.slots {
			if least < 0 || s.used < least {
				oldest, least = key, s.used
			}
		}
		c.bytes -= c.slots[oldest].bytes
		delete(c.slots, oldest)
	}
}
