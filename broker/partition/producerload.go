package partition

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"go.uber.org/zap"

	"holt/broker/record"
)

// snapshotOffsets returns the offsets of the log's producer snapshots, ascending.
func (l *Log) snapshotOffsets() ([]int64, error) {
	names, err := l.fs.List(l.path)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", l.path, err)
	}
	var all []int64
	for _, name := range names {
		if offset, suffix, ok := parseOffsetName(name); ok && suffix == suffixSnapshot {
			all = append(all, offset)
		}
	}
	slices.Sort(all)
	return all, nil
}

// dropSnapshots removes the snapshots that match.
func (l *Log) dropSnapshots(match func(offset int64) bool) error {
	all, err := l.snapshotOffsets()
	for _, offset := range all {
		if err == nil && match(offset) {
			err = l.fs.remove(l.file(offsetName(offset, suffixSnapshot)))
		}
	}
	return err
}

// loadProducers makes the producers' state of what the log has: of the newest snapshot, and the batches
// behind it. l.writing is held, or nobody knows the log yet.
func (l *Log) loadProducers() error {
	ps, err := l.newestSnapshot(l.end.Load())
	if err != nil {
		return err
	}
	l.producers = *ps
	if err := l.replay(ps.next, math.MaxInt64, func(b record.Batch) { l.producers.apply(b) }); err != nil {
		return fmt.Errorf("read producers: %w", err)
	}
	l.producers.settle(l.highWatermark.Load())
	l.unstable.Store(l.producers.unstable())
	return nil
}

// newestSnapshot returns the state of the newest good snapshot that is not behind limit, or an empty one
// at the log's start.
func (l *Log) newestSnapshot(limit int64) (*producers, error) {
	all, err := l.snapshotOffsets()
	if err != nil {
		return nil, err
	}
	first := l.view()[0].base
	for _, offset := range slices.Backward(all) {
		if offset > limit || offset < first {
			continue
		}
		name := l.file(offsetName(offset, suffixSnapshot))
		b, err := l.fs.read(name)
		if err != nil {
			return nil, err
		}
		ps, err := decodeSnapshot(b, offset)
		if err == nil {
			return ps, nil
		}
		l.logger().Warn("producer snapshot is of no use", zap.String("file", name), zap.Error(err))
	}
	return &producers{next: first}, nil
}

// replay visits the batches from an offset on, in the segments that begin before another: their headers,
// and the whole of markers. All of these segments are sound.
func (l *Log) replay(from, before int64, visit func(record.Batch)) error {
	segments := l.view()
	for _, s := range segments[l.segmentOf(segments, from):] {
		if s.base >= before {
			break
		}
		if err := s.replay(from, visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *segment) replay(from int64, visit func(record.Batch)) error {
	if s.size.Load() == 0 {
		return nil
	}
	pos, err := s.near(from)
	if err != nil {
		return err
	}
	h, err := s.open()
	if err != nil {
		return err
	}
	for sc := scanHeaders(h, pos, s.size.Load()); err == nil; {
		var b record.Batch
		var at int64
		if b, at, err = sc.next(); err != nil {
			break
		}
		if b.LastOffset() < from {
			continue
		}
		if b.IsControl() {
			b, err = readBatch(h, at, b.Size())
		}
		if err == nil {
			visit(b)
		}
	}
	if err == io.EOF {
		err = nil
	}
	if err = errors.Join(err, h.release()); err != nil {
		return fmt.Errorf("read %s: %w", s.name(suffixLog), err)
	}
	return nil
}
