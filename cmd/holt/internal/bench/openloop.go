package bench

import (
	"errors"
	"time"

	"holt/wire"
)

// openLoop sends a request every interval, the first after offset, and reads replies in a
// second goroutine. At most Config.Outstanding are in flight; those that fall due meanwhile wait
// and are charged for it.
func (l *lane) openLoop(offset, interval time.Duration) error {
	inFlight := make(chan request, l.run.cfg.Outstanding)
	ended := make(chan error, 1)
	go func() { ended <- l.readReplies(inFlight) }()
	if err := l.sendOnTime(offset, interval, inFlight, ended); err != nil {
		return errors.Join(err, l.s.conn.Close())
	}
	return <-ended
}

// sendOnTime sends until the run ends, and then closes the session and inFlight. It gives up
// when ended, which readReplies ends with, has an error.
func (l *lane) sendOnTime(offset, interval time.Duration, inFlight chan<- request, ended chan error) error {
	defer close(inFlight)
	due := int64(offset)
	for l.run.more() {
		now := l.run.now()
		if due > now {
			// At most until the session needs a sign of life.
			time.Sleep(time.Duration(min(due-now, int64(l.s.timeout/3))))
			if now = l.run.now(); due > now {
				l.ping()
			}
		}
		for ; due <= now; due += int64(interval) {
			q, ok := l.request(due)
			if !ok {
				break
			}
			select {
			case inFlight <- q:
				continue
			default:
			}
			// What must be answered to make room may not even be sent yet.
			if err := l.s.flush(); err != nil {
				return err
			}
			select {
			case inFlight <- q:
			case err := <-ended:
				return err
			}
		}
		if err := l.s.flush(); err != nil {
			return err
		}
	}
	l.s.put(wire.OpCloseSession, nil)
	return l.s.flush()
}

// ping puts a ping into the output; the replies' reader takes no notice of its answer.
func (l *lane) ping() {
	b, mark := wire.BeginFrame(l.s.out)
	b = (&wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing}).AppendTo(b)
	l.s.out = wire.EndFrame(b, mark)
}

// readReplies accounts for replies until the session is closed.
func (l *lane) readReplies(inFlight <-chan request) error {
	for {
		h, err := l.s.next()
		if err != nil {
			return err
		}
		if h.Xid < 0 {
			continue // a notification or the answer to a ping
		}
		q, ok := <-inFlight
		if !ok {
			return l.s.conn.Close() // that was the answer to closeSession
		}
		l.reply(q, h.Err, l.run.now())
	}
}
