package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// position is a place in partitions, as a user names it.
type position struct {
	kind positionKind
	n    int64 // offset, distance, or Unix milliseconds
}

type positionKind int

const (
	atStart    positionKind = iota
	atEnd                   // the high watermark
	atOffset                // n
	afterStart              // n records after the start
	beforeEnd               // n records before the end
	atTime                  // first record of the time n or later
)

// timeLayouts are the times that are understood; those without a zone are local.
var timeLayouts = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// parsePosition reads start, end, 17, +17, -17, @time. A time is a date and a
// time of day, Unix seconds or milliseconds, or a duration, which is before now.
func parsePosition(flag, s string, now time.Time) (position, error) {
	switch s {
	case "start", "earliest", "beginning", "oldest":
		return position{kind: atStart}, nil
	case "end", "latest", "newest":
		return position{kind: atEnd}, nil
	}
	if text, ok := strings.CutPrefix(s, "@"); ok {
		ms, err := parseTime(text, now)
		return position{atTime, ms}, err
	}
	kind, digits := atOffset, s
	switch {
	case strings.HasPrefix(s, "+"):
		kind, digits = afterStart, s[1:]
	case strings.HasPrefix(s, "-"):
		kind, digits = beforeEnd, s[1:]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return position{}, usage("%s %s: not start, end, an offset, +n after the start, -n before the end or @time", flag, s)
	}
	return position{kind, n}, nil
}

func parseTime(s string, now time.Time) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		if n < 1e11 { // a date in 5138 as seconds, in 1973 as milliseconds
			n *= 1000
		}
		return n, nil
	}
	if d, err := time.ParseDuration(strings.TrimPrefix(s, "-")); err == nil {
		return now.Add(-d.Abs()).UnixMilli(), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, usage("@%s: not a time as 2026-11-22T10:00, 2026-11-22T10:00:00Z, Unix seconds or milliseconds, or 90m for that long ago", s)
}

// bounds are the first offset and the end of each partition of a topic.
type bounds struct {
	topic      string
	start, end map[int32]int64
}

func readBounds(ctx context.Context, adm *kadm.Client, topic string) (*bounds, error) {
	b := &bounds{topic, map[int32]int64{}, map[int32]int64{}}
	for _, list := range []struct {
		read func(context.Context, ...string) (kadm.ListedOffsets, error)
		into map[int32]int64
	}{{adm.ListStartOffsets, b.start}, {adm.ListEndOffsets, b.end}} {
		offsets, err := settled(ctx, func() (kadm.ListedOffsets, error) { return list.read(ctx, topic) })
		if err != nil {
			return nil, failure(err, "offsets of topic %s", topic)
		}
		for p, o := range offsets[topic] {
			list.into[p] = o.Offset
		}
	}
	return b, nil
}

// mustHave fails unless the topic has all of some partitions.
func (b *bounds) mustHave(partitions []int32) error {
	for _, p := range partitions {
		if _, ok := b.end[p]; !ok {
			return &Failure{codeNotFound, fmt.Errorf("topic %s has no partition %d, only 0 to %d", b.topic, p, len(b.end)-1)}
		}
	}
	return nil
}

// settled asks for offsets until the leaders know them, or ctx has ended: one that was just elected
// does not know its high watermark, and the client library takes OFFSET_NOT_AVAILABLE for the
// last word.
func settled(ctx context.Context, ask func() (kadm.ListedOffsets, error)) (kadm.ListedOffsets, error) {
	for {
		offsets, err := ask()
		if err == nil {
			err = offsets.Error()
		}
		if !errors.Is(err, kerr.OffsetNotAvailable) {
			return offsets, err
		}
		select {
		case <-time.After(leaderPause):
		case <-ctx.Done():
			return offsets, err
		}
	}
}

// resolve returns the offset that at is in each partition, within the bounds.
func (b *bounds) resolve(ctx context.Context, adm *kadm.Client, at position) (map[int32]int64, error) {
	out := map[int32]int64{}
	if at.kind == atTime {
		offsets, err := settled(ctx, func() (kadm.ListedOffsets, error) { return adm.ListOffsetsAfterMilli(ctx, at.n, b.topic) })
		if err != nil {
			return nil, failure(err, "offsets of topic %s at a time", b.topic)
		}
		for p := range b.end {
			out[p] = b.within(p, listed(offsets, b.topic, p))
		}
		return out, nil
	}
	for p, end := range b.end {
		switch at.kind {
		case atStart:
			out[p] = b.start[p]
		case atEnd:
			out[p] = end
		case atOffset:
			out[p] = b.within(p, at.n)
		case afterStart:
			out[p] = b.within(p, b.start[p]+at.n)
		case beforeEnd:
			out[p] = b.within(p, end-at.n)
		}
	}
	return out, nil
}

// within moves an offset into the bounds of partition p.
func (b *bounds) within(p int32, offset int64) int64 {
	return min(max(offset, b.start[p]), b.end[p])
}
