package partition

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"holt/broker/record"
)

// clean compacts logs, one after the other, until Close.
func (d *Dir) clean() {
	tick := time.NewTicker(d.options.CleanerInterval)
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
		}
		for {
			l, err := d.dirtiest(time.Now().UnixMilli())
			if l != nil && err == nil {
				err = l.compact(d.ctx, time.Now().UnixMilli())
			}
			if err != nil && !errors.Is(err, ErrClosed) {
				d.fail(err)
				return
			}
			if l == nil || err != nil {
				break
			}
		}
	}
}

// dirtiest returns the log that needs compaction most, nil if none does: one that has waited for
// max.compaction.lag.ms, or that with the greatest part of dirty bytes.
func (d *Dir) dirtiest(now int64) (*Log, error) {
	var (
		best  *Log
		worst float64
	)
	for _, l := range d.Logs() {
		if l.Config().CleanupPolicy&Compact == 0 || l.uncleanable.Load() || l.Err() != nil {
			continue
		}
		ratio, err := l.dirt(now)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if ratio > worst {
			best, worst = l, ratio
		}
	}
	return best, nil
}

// overdue is the dirty ratio of a log that has waited for too long.
const overdue = 2

// dirt returns the part of dirty bytes in what may be compacted; 0 if it is not worth it.
func (l *Log) dirt(now int64) (float64, error) {
	segments := l.view()
	n, err := l.cleanable(segments, now)
	if err != nil {
		return 0, err
	}
	c, cleaned := l.config.Load(), l.cleaned.Load()
	var dirty, total int64
	late := false
	for i, s := range segments[:n] {
		size := s.size.Load()
		total += size
		if l.segmentEnd(segments, i) <= cleaned {
			continue
		}
		if dirty == 0 && c.MaxCompactionLagMillis != Never {
			first, err := s.firstTimestamp()
			if err != nil {
				return 0, err
			}
			late = first >= 0 && now-first > c.MaxCompactionLagMillis
		}
		dirty += size
	}
	switch {
	case dirty == 0:
		return 0, nil
	case late:
		return overdue, nil
	}
	if ratio := float64(dirty) / float64(total); ratio > c.MinCleanableRatio {
		return ratio, nil
	}
	return 0, nil
}

// cleanable returns how many of the first segments may be compacted: they are durable, their
// transactions are over, and min.compaction.lag.ms has passed.
func (l *Log) cleanable(segments []*segment, now int64) (int, error) {
	limit := min(l.LastStableOffset(), l.recovery.Load())
	lag := l.config.Load().MinCompactionLagMillis
	for i, s := range segments[:len(segments)-1] {
		if !s.hard.Load() || s.size.Load() == 0 || l.segmentEnd(segments, i) > limit {
			return i, nil
		}
		if lag <= 0 {
			continue
		}
		ts, _, err := s.maxTimestamp()
		if err != nil {
			return 0, err
		}
		if ts > now-lag {
			return i, nil
		}
	}
	return len(segments) - 1, nil
}

// compaction is one pass over a log.
type compaction struct {
	log         *Log
	ctx         context.Context
	now         int64
	config      Config
	segments    []*segment // those that may be rewritten
	ends        []int64    // and where they end
	truncations uint64
	latest      *keyOffsets
	upper       int64 // the keys of what is before it are in latest
	aborted     map[int64][]abortedTxn
	last        map[int64]lastBatch
	pace        pace
	open        map[int64]bool // producers of whose transactions there were batches since their last marker
}

// pace keeps reading and writing to so many bytes a second on average.
type pace struct {
	perSecond float64 // 0: no bound
	began     time.Time
	bytes     float64
}

// pauseMin is how far ahead of its pace a compaction may be.
const pauseMin = 10 * time.Millisecond

// spend counts bytes, and waits until so many may have been read and written.
func (p *pace) spend(ctx context.Context, bytes int) error {
	if p.perSecond <= 0 {
		return ctx.Err()
	}
	p.bytes += float64(bytes)
	due := p.bytes / p.perSecond // seconds, more than a Duration holds perhaps
	ahead := due - time.Since(p.began).Seconds()
	if ahead < pauseMin.Seconds() {
		return ctx.Err()
	}
	select {
	case <-time.After(time.Duration(min(ahead, 3600) * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lastBatch is the batch of a producer that has to stay: by it the sequence is known.
type lastBatch struct {
	offset int64 // noOffset: only its epoch is known, by a marker
	epoch  int16
}

// compact drops the records of which a later one has the key. A batch that cannot be read ends
// compaction of this log, not of others.
func (l *Log) compact(ctx context.Context, now int64) error {
	c := &compaction{log: l, ctx: ctx, now: now, config: l.Config(), pace: pace{perSecond: l.dir.options.CleanerBytesPerSecond, began: time.Now()}}
	err := c.run()
	var bad *record.CorruptError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGone): // truncated or expired meanwhile
		return nil
	case l.isClosed(), ctx.Err() != nil:
		return ErrClosed
	case errors.As(err, &bad), errors.Is(err, record.ErrTooLarge):
		l.uncleanable.Store(true)
		l.logger().Error("log cannot be compacted", zap.Error(err))
		return nil
	}
	return l.fail(err)
}

func (c *compaction) run() error {
	l := c.log
	if err := c.begin(); err != nil || len(c.segments) == 0 {
		return err
	}
	before := l.Size()
	if err := c.collect(); err != nil {
		return err
	}
	c.open = make(map[int64]bool)
	for i := 0; i < len(c.segments) && c.segments[i].base < c.upper; {
		n := c.group(i)
		if err := c.rewrite(i, n); err != nil {
			return err
		}
		i += n
	}
	l.writing.Lock()
	if l.seenTruncations() == c.truncations {
		l.cleaned.Store(c.upper)
	}
	l.writing.Unlock()
	l.logger().Info("log compacted", zap.Int64("to", c.upper), zap.Int64("bytes_before", before), zap.Int64("bytes", l.Size()))
	return l.dir.checkpoints.write(l.dir, kindCleaner)
}

// begin takes a view of the log.
func (c *compaction) begin() error {
	l := c.log
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	segments := l.view()
	n, err := l.cleanable(segments, c.now)
	if err != nil {
		return err
	}
	c.segments, c.truncations = segments[:n:n], l.seenTruncations()
	c.aborted = make(map[int64][]abortedTxn)
	for i, s := range c.segments {
		c.ends = append(c.ends, l.segmentEnd(segments, i))
		entries, err := s.txns.entries(l.fs, s.name(suffixTxnIndex), 0)
		if err != nil {
			return err
		}
		for ; len(entries) >= txnWidth; entries = entries[txnWidth:] {
			a := decodeAborted(entries)
			c.aborted[a.producer] = append(c.aborted[a.producer], a)
		}
	}
	c.last = make(map[int64]lastBatch, len(l.producers.byID))
	for id, p := range l.producers.byID {
		c.last[id] = lastBatch{p.lastOffset(), p.epoch}
	}
	return nil
}

func (l *Log) seenTruncations() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.truncations
}

// group returns how many segments from i on become one: as long as they fit into one.
func (c *compaction) group(i int) int {
	size, n := c.segments[i].size.Load(), 1
	for ; i+n < len(c.segments) && c.segments[i+n].base < c.upper; n++ {
		size += c.segments[i+n].size.Load()
		if size > int64(c.config.SegmentBytes) || c.ends[i+n]-c.segments[i].base > fieldMax {
			break
		}
	}
	return n
}

// fieldMax is how far offsets in a segment may be apart.
const fieldMax = 1<<31 - 1

// isAborted reports whether the batch's records are of an aborted transaction.
func (c *compaction) isAborted(b record.Batch) bool {
	if !b.IsTransactional() || b.IsControl() {
		return false
	}
	for _, a := range c.aborted[b.ProducerID()] {
		if b.BaseOffset() >= a.first && b.LastOffset() <= a.last {
			return true
		}
	}
	return false
}

// isLast reports whether the batch tells its producer's last sequence, or epoch.
func (c *compaction) isLast(b record.Batch) bool {
	if !b.HasProducer() {
		return false
	}
	p, ok := c.last[b.ProducerID()]
	if ok && p.offset == noOffset {
		return b.IsControl() && b.ProducerEpoch() == p.epoch
	}
	return ok && b.LastOffset() == p.offset
}
