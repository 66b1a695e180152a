package partition

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"holt/broker/record"
)

// keep does what is due now and then, until Close.
func (d *Dir) keep() {
	o := &d.options
	retention := time.NewTicker(o.RetentionInterval)
	defer retention.Stop()
	checkpoint := time.NewTicker(o.CheckpointInterval)
	defer checkpoint.Stop()
	highWatermark := time.NewTicker(o.HighWatermarkInterval)
	defer highWatermark.Stop()
	reaper := time.NewTicker(o.CleanerInterval)
	defer reaper.Stop()
	for {
		var err error
		select {
		case <-d.ctx.Done():
			return
		case <-retention.C:
			err = d.retain()
		case <-checkpoint.C:
			err = errors.Join(d.checkpoints.write(d, kindRecovery), d.checkpoints.write(d, kindStart))
		case <-highWatermark.C:
			err = d.checkpoints.write(d, kindHighWatermark)
		case <-reaper.C:
			err = d.reap()
		}
		if err != nil && !errors.Is(err, ErrClosed) {
			var failed *FailedError
			if !errors.As(err, &failed) {
				d.fail(err)
			}
			return
		}
	}
}

// retain drops what is too old or too much, forgets idle producers, and closes idle files.
func (d *Dir) retain() error {
	now := time.Now().UnixMilli()
	for _, l := range d.Logs() {
		if err := l.retain(now); err != nil && !errors.Is(err, ErrClosed) {
			return err
		}
	}
	return nil
}

func (l *Log) retain(now int64) error {
	if err := l.expire(now); err != nil {
		return err
	}
	l.writing.Lock()
	n := l.producers.expire(now, l.dir.options.ProducerExpirationMillis)
	l.writing.Unlock()
	if n > 0 {
		l.logger().Debug("idle producers forgotten", zap.Int("producers", n))
	}
	for _, s := range l.view() {
		if err := s.closeIdle(); err != nil {
			return l.fail(err)
		}
	}
	return nil
}

// expire drops the first segments that retention.ms, retention.bytes or DeleteRecords lets go of. None goes
// that is not committed as a whole.
func (l *Log) expire(now int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if err := l.dropBelowStart(); err != nil {
		return err
	}
	c := l.config.Load()
	if c.CleanupPolicy&Delete == 0 {
		return nil
	}
	segments, hw := l.view(), l.highWatermark.Load()
	excess := l.Size() - c.RetentionBytes
	n, why := 0, ""
	for ; n < len(segments); n++ {
		s := segments[n]
		size := s.size.Load()
		if size == 0 || l.segmentEnd(segments, n) > hw {
			break
		}
		old, err := s.outlived(now, c.RetentionMillis)
		if err != nil {
			return l.fail(err)
		}
		switch {
		case old:
			why = "retention.ms"
		case c.RetentionBytes >= 0 && excess >= size:
			why = "retention.bytes"
		default:
			size = -1
		}
		if size < 0 {
			break
		}
		excess -= size
	}
	if n == 0 {
		return nil
	}
	if n == len(segments) { // the active one too
		if err := l.roll(now); err != nil {
			return l.fail(err)
		}
	}
	to := l.view()[n].base
	l.logger().Info("old segments dropped", zap.Int("segments", n), zap.Int64("from", l.start.Load()), zap.Int64("to", to), zap.String("by", why))
	if to > l.start.Load() {
		if err := l.begin(to); err != nil {
			return err
		}
	}
	return l.dropFirst(n)
}

// segmentEnd returns the offset after the last one of segment i.
func (l *Log) segmentEnd(segments []*segment, i int) int64 {
	if i+1 < len(segments) {
		return segments[i+1].base
	}
	return l.end.Load()
}

// outlived reports whether all records of the segment are older than retention allows.
func (s *segment) outlived(now, retention int64) (bool, error) {
	if retention < 0 || retention == Never {
		return false, nil
	}
	ts, _, err := s.maxTimestamp()
	if err != nil {
		return false, err
	}
	if ts == record.NoTimestamp {
		s.stamps.Lock()
		ts = s.stamps.modified
		s.stamps.Unlock()
		if ts == 0 {
			return false, nil
		}
	}
	return now-ts > retention, nil
}
