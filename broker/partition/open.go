package partition

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"holt/broker/record"
)

// newLog returns a log without segments.
func (d *Dir) newLog(n Name, c Config) *Log {
	l := &Log{dir: d, fs: d.fs, name: n, path: d.fs.PathJoin(d.path, n.String()), jitter: rand.Float64()}
	l.config.Store(&c)
	l.unstable.Store(noOffset)
	l.lastFlush.Store(time.Now().UnixMilli())
	return l
}

// make makes the files of a log that begins at offset 0.
func (d *Dir) make(n Name, id [16]byte, c Config) (*Log, error) {
	l := d.newLog(n, c)
	l.id = id
	if err := d.fs.MkdirAll(l.path, 0o755); err != nil {
		return nil, err
	}
	s := newSegment(l, 0)
	if err := l.create(s, time.Now().UnixMilli()); err != nil {
		return nil, err
	}
	l.segments = []*segment{s}
	if id != [16]byte{} {
		if err := d.fs.replace(l.file(filePartition), encodePartition(id)); err != nil {
			return nil, err
		}
	}
	return l, errors.Join(d.fs.syncDir(l.path), d.fs.syncDir(d.path))
}

// partition.metadata has the topic's id as Kafka prints ids: 16 bytes in base64 for URLs, unpadded.
func encodePartition(id [16]byte) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", base64.RawURLEncoding.EncodeToString(id[:]))
}

func decodePartition(b []byte) (id [16]byte, err error) {
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "version" && value != "0":
			return id, fmt.Errorf("version %q where only 0 is known", value)
		case key == "topic_id":
			raw, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil || len(raw) != len(id) {
				return id, fmt.Errorf("topic_id %q is no id", value)
			}
			copy(id[:], raw)
			return id, nil
		}
	}
	return id, errors.New("there is no topic_id")
}

// load opens a log that is there.
func (d *Dir) load(n Name, clean bool) (*Log, error) {
	l := d.newLog(n, d.options.Config(n.Topic))
	b, err := d.fs.read(l.file(filePartition))
	if err == nil {
		l.id, err = decodePartition(b)
	}
	if err != nil && !missing(err) {
		return nil, fmt.Errorf("read %s: %w", l.file(filePartition), err)
	}
	bases, err := l.tidy()
	if err != nil {
		return nil, err
	}
	started := d.checkpoints.get(kindStart, n, 0)
	if err := l.openSegments(bases, started); err != nil {
		return nil, err
	}
	if err := l.dropReturned(started); err != nil {
		return nil, err
	}
	l.start.Store(max(started, l.segments[0].base))
	if err := l.loadEpochs(); err != nil {
		return nil, err
	}
	recovered := d.checkpoints.get(kindRecovery, n, 0)
	if err := l.recover(recovered, clean); err != nil {
		return nil, err
	}
	end := l.end.Load()
	if l.start.Load() > end { // the tail that was deleted by DeleteRecords was never flushed
		if err := l.restart(l.start.Load(), l.start.Load()); err != nil {
			return nil, err
		}
		end = l.end.Load()
	}
	hw := d.checkpoints.get(kindHighWatermark, n, 0)
	l.highWatermark.Store(max(min(hw, end), l.start.Load()))
	l.cleaned.Store(min(d.checkpoints.get(kindCleaner, n, 0), end))
	l.flushed.Store(min(recovered, end))
	if clean {
		l.flushed.Store(end)
	} else {
		l.namesDirty = true // files that were made before the crash
	}
	l.recovery.Store(l.flushed.Load())
	if err := l.loadProducers(); err != nil {
		return nil, err
	}
	l.producers.cutStart(l.start.Load())
	return l, nil
}

// tidy finishes what a crash interrupted, removes what is of no use, and returns the offsets of the segments.
func (l *Log) tidy() ([]int64, error) {
	names, err := l.fs.List(l.path)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", l.path, err)
	}
	if err := l.finishSwaps(names); err != nil {
		return nil, err
	}
	if names, err = l.fs.List(l.path); err != nil {
		return nil, fmt.Errorf("list %s: %w", l.path, err)
	}
	logs := map[int64]bool{}
	for _, name := range names {
		if offset, suffix, ok := parseOffsetName(name); ok && suffix == suffixLog {
			logs[offset] = true
		}
	}
	var bases []int64
	for _, name := range names {
		offset, suffix, ok := parseOffsetName(name)
		switch {
		case ok && suffix == suffixLog:
			bases = append(bases, offset)
		case strings.HasSuffix(name, suffixDeleted), strings.HasSuffix(name, suffixCleaned), strings.HasSuffix(name, suffixSwap), strings.HasSuffix(name, suffixTemporary),
			ok && slices.Contains(segmentSuffixes[:], suffix) && !logs[offset]: // an index without its log
			if err := l.fs.remove(l.file(name)); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// openSegments makes the segments of the files; an empty one if there are none.
func (l *Log) openSegments(bases []int64, started int64) error {
	for _, base := range bases {
		s := newSegment(l, base)
		size, err := l.fs.size(s.name(suffixLog))
		if err != nil {
			return err
		}
		s.size.Store(size)
		l.segments = append(l.segments, s)
	}
	if len(bases) > 0 {
		return nil
	}
	s := newSegment(l, started)
	if err := l.create(s, time.Now().UnixMilli()); err != nil {
		return err
	}
	l.segments = []*segment{s}
	return l.fs.syncDir(l.path)
}

// dropReturned removes the segments below the log's start. Some were removed before a crash, and are back as
// that was not durable: not all perhaps, so that they would look like a log with a gap.
func (l *Log) dropReturned(started int64) error {
	for len(l.segments) > 1 && l.segments[1].base <= started {
		s := l.segments[0]
		if err := errors.Join(s.retire(), s.remove("")); err != nil {
			return err
		}
		l.segments = l.segments[1:]
	}
	return nil
}

func (l *Log) loadEpochs() error {
	b, err := l.fs.read(l.file(fileEpochs))
	if missing(err) {
		return nil
	}
	if err == nil {
		l.epochs, err = decodeEpochs(b)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", l.file(fileEpochs), err)
	}
	return nil
}

// recover finds the log's end. After a crash it reads every segment that ends at or behind the offset before
// which all is durable, makes its indexes anew, and cuts off the torn end.
func (l *Log) recover(durable int64, clean bool) error {
	n := len(l.segments)
	first := n - 1
	if !clean {
		for first > 0 && l.segments[first].base >= durable {
			first--
		}
	}
	for i, s := range l.segments {
		s.created = time.Now().UnixMilli()
		s.hard.Store(i < first)
	}
	if clean {
		return l.resumeActive()
	}
	ps, err := l.newestSnapshot(l.segments[first].base)
	if err != nil {
		return err
	}
	l.producers = *ps
	if err := l.dropSnapshots(func(at int64) bool { return at > l.segments[first].base }); err != nil {
		return err
	}
	l.end.Store(l.segments[first].base)
	if err := l.replay(ps.next, l.segments[first].base, func(b record.Batch) { l.producers.apply(b) }); err != nil {
		return fmt.Errorf("read producers: %w", err)
	}
	l.epochs = l.epochs.cutEnd(l.segments[first].base) // the batches say which came
	// Before the recovery point nothing is lost. Nor is it before the place up to which the log was
	// compacted: that was made durable first. Kafka tells of recovery points once a minute only, so
	// that after a kill its compacted segments lie behind them, with gaps; and of what it compacted once it has
	// compacted all it wanted to, so that the segment before a gap has to be looked at, too.
	gapless := max(durable, l.dir.checkpoints.get(kindCleaner, l.name, 0))
	for i := first; i < len(l.segments); i++ {
		compacted, err := l.recoverSegment(i, durable)
		if err != nil {
			return err
		}
		if i+1 < len(l.segments) && (compacted || l.segments[i+1].base <= gapless) { // what is not there was compacted away
			l.end.Store(max(l.end.Load(), l.segments[i+1].base))
		} else if i+1 < len(l.segments) && max(l.end.Load(), l.start.Load()) != l.segments[i+1].base {
			if err := l.dropLost(i); err != nil {
				return err
			}
		}
	}
	l.epochsDirty, l.namesDirty = true, true
	return nil
}

// resumeActive takes the last segment of a log that was closed in order as it is.
func (l *Log) resumeActive() error {
	s := l.active()
	next, err := s.resume()
	if err != nil {
		return err
	}
	l.end.Store(next)
	return nil
}

// recoverSegment reads segment i and makes its indexes anew. compacted: it is whole, and lacks offsets. Compaction
// makes a segment durable before it takes the place of others, so that it ends where it ended.
func (l *Log) recoverSegment(i int, durable int64) (compacted bool, _ error) {
	s := l.segments[i]
	s.offsets.reset()
	s.times.reset()
	s.txns.reset()
	for _, x := range []*index{&s.offsets, &s.times, &s.txns} {
		x.ragged = true // what the files have is of before
	}
	h, err := s.open()
	if err != nil {
		return false, err
	}
	pos, err := l.recoverBatches(s, h)
	compacted = s.sparse
	var bad *record.CorruptError
	if errors.As(err, &bad) || errors.Is(err, io.ErrUnexpectedEOF) {
		compacted, err = false, l.torn(i, h, pos, durable, err)
	} else if err == nil {
		err = l.fs.trim(s.name(suffixLog), h, pos) // of what was reserved when it crashed
	}
	if err = errors.Join(err, h.release()); err != nil {
		return false, err
	}
	s.stamps.known = true
	if i < len(l.segments)-1 {
		return compacted, s.seal(true)
	}
	return compacted, nil
}

// sparse reports whether offsets from expected on are missing in a batch or before it.
func sparse(b record.Batch, expected int64) bool {
	return b.BaseOffset() > expected || int64(b.Count()) < b.NextOffset()-b.BaseOffset()
}

// recoverBatches counts the segment's batches in, and returns where it cannot go on.
func (l *Log) recoverBatches(s *segment, h *handle) (pos int64, err error) {
	c := l.config.Load()
	sc := scanBatches(h, 0, s.size.Load())
	expected := max(s.base, l.start.Load())
	for {
		b, at, err := sc.next()
		if err == io.EOF {
			return at, nil
		}
		if err == nil {
			err = b.Check()
		}
		if err == nil && b.BaseOffset() < l.end.Load() {
			err = &record.CorruptError{Reason: fmt.Sprintf("offset %d after %d", b.BaseOffset(), l.end.Load()-1)}
		}
		if err != nil {
			return at, err
		}
		s.sparse = s.sparse || sparse(b, expected)
		expected = max(b.NextOffset(), l.start.Load()) // what was deleted may leave a gap, too
		if e := b.PartitionLeaderEpoch(); e > l.epochs.latest() {
			l.epochs, _ = l.epochs.assign(e, b.BaseOffset())
		}
		if err := errors.Join(s.index(b, at, c.IndexIntervalBytes), l.count(s, b)); err != nil {
			return at, err
		}
		l.end.Store(b.NextOffset())
	}
}

// torn decides what becomes of a segment that has no batch at pos. A crash leaves a log that ends there, with a
// piece of a batch perhaps, or a block that was never written; then it is cut.
func (l *Log) torn(i int, h *handle, pos, durable int64, bad error) error {
	s := l.segments[i]
	damage := &DamageError{File: s.name(suffixLog), Pos: pos, Err: bad}
	if l.end.Load() < durable {
		return damage
	}
	rest := make([]byte, min(s.size.Load()-pos, searchMax))
	if err := readFull(h, rest, pos); err != nil {
		return err
	}
	if !unwritten(rest, pos) && record.Search(rest[1:], l.end.Load()) >= 0 {
		return damage
	}
	l.logger().Warn("end of the log is torn and cut off", zap.String("file", damage.File), zap.Int64("position", pos),
		zap.Int64("bytes", s.size.Load()-pos), zap.Int64("end", l.end.Load()), zap.NamedError("reason", bad))
	s.size.Store(pos)
	return errors.Join(l.fs.cut(damage.File, h, pos), s.file.close())
}

// searchMax is how much behind damage is looked at for intact batches; no batch is larger.
const searchMax = 64 << 20

// unwritten reports whether b, which lies at pos of a file, begins with a block that the disk never got.
func unwritten(b []byte, pos int64) bool {
	const block = 4 << 10
	n := min(block-int(pos%block), len(b))
	return bytes.Count(b[:n], []byte{0}) == n
}

// dropLost removes the segments behind i. The log has a gap before them: what a crash has lost was
// written before them, so that they were not durable either.
func (l *Log) dropLost(i int) error {
	for _, later := range slices.Backward(l.segments[i+1:]) {
		l.logger().Warn("segment behind the end of the log is removed: a crash lost what was before it", zap.Int64("end", l.end.Load()),
			zap.Int64("segment", later.base), zap.Int64("bytes", later.size.Load()))
		if err := errors.Join(later.retire(), later.remove(""), l.fs.syncDir(l.path)); err != nil {
			return err
		}
	}
	l.segments = l.segments[:i+1]
	return nil
}
