package journal

import (
	"time"

	"holt/broker/kerror"
)

func (s *Shards[C]) now() Instant {
	return Instant{Up: time.Since(s.begin), Unix: time.Now().UnixMilli()}
}

// clock steps the cores that have something due.
func (s *Shards[C]) clock() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := s.tick()
		s.sleep.Store(int64(next))
		if s.earliest() < next { // changed before sleep was set
			continue
		}
		if next == Never {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(next-s.now().Up, 0))
		}
		select {
		case <-timer.C:
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
	}
}

// tick steps the cores that have something due, and returns when the next will.
func (s *Shards[C]) tick() time.Duration {
	for _, sh := range s.all() {
		if time.Duration(sh.next.Load()) > s.now().Up {
			continue
		}
		if core, code := sh.enter(); code == kerror.OK {
			core.Tick(s.now())
			sh.leave()
		}
	}
	return s.earliest()
}

func (s *Shards[C]) earliest() time.Duration {
	next := Never
	for _, sh := range s.all() {
		next = min(next, time.Duration(sh.next.Load()))
	}
	return next
}

// wakeBefore wakes the clock if it would sleep beyond a moment.
func (s *Shards[C]) wakeBefore(up int64) {
	if up >= s.sleep.Load() {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is woken already
	}
}
