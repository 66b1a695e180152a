package network

import (
	"errors"
	"sync"
	"time"
)

// frameWait is how long a connection waits for other connections' large frames to
// be done with before it is closed.
const frameWait = 10 * time.Second

var errNoMemory = errors.New("too many bytes of large requests in progress")

// budget is memory that all connections share. Full, it makes them wait, and then
// closes them: whoever holds some of it may itself be waiting for more.
type budget struct {
	mu   sync.Mutex
	left int64
	more chan struct{} // closed and replaced when something is given back; nil if nobody waits
}

func (b *budget) take(n int64) error {
	if n == 0 {
		return nil
	}
	var timeout <-chan time.Time
	b.mu.Lock()
	for b.left < n {
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		if timeout == nil {
			t := time.NewTimer(frameWait)
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-more:
		case <-timeout:
			return errNoMemory
		}
		b.mu.Lock()
	}
	b.left -= n
	b.mu.Unlock()
	return nil
}

func (b *budget) give(n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	b.left += n
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	b.mu.Unlock()
}
