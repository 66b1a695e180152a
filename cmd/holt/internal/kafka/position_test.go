package kafka

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestParsePosition(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		in   string
		want position
		ok   bool
	}{
		{"start", position{kind: atStart}, true},
		{"earliest", position{kind: atStart}, true},
		{"end", position{kind: atEnd}, true},
		{"17", position{atOffset, 17}, true},
		{"+17", position{afterStart, 17}, true},
		{"-17", position{beforeEnd, 17}, true},
		{"@2026-11-22T10:00:00Z", position{atTime, now.Add(-2 * time.Hour).UnixMilli()}, true},
		{"@2026-11-22T10:00:00.5+01:00", position{atTime, now.Add(-3*time.Hour + 500*time.Millisecond).UnixMilli()}, true},
		{"@90m", position{atTime, now.Add(-90 * time.Minute).UnixMilli()}, true},
		{"@-90m", position{atTime, now.Add(-90 * time.Minute).UnixMilli()}, true},
		{"@1795000000", position{atTime, 1795000000000}, true},
		{"@1795000000123", position{atTime, 1795000000123}, true},
		{"@yesterday", position{}, false},
		{"@", position{}, false},
		{"", position{}, false},
		{"-", position{}, false},
		{"+-1", position{}, false},
		{"--1", position{}, false},
		{"1.5", position{}, false},
		{"99999999999999999999", position{}, false},
	} {
		got, err := parsePosition("--to", tc.in, now)
		if (err == nil) != tc.ok || err == nil && got != tc.want {
			t.Errorf("%q: got %v, %v; want %v, %v", tc.in, got, err, tc.want, tc.ok)
		}
	}
}

func TestWithinBounds(t *testing.T) {
	b := &bounds{start: map[int32]int64{0: 10}, end: map[int32]int64{0: 20}}
	for offset, want := range map[int64]int64{-5: 10, 10: 10, 15: 15, 20: 20, 21: 20} {
		if got := b.within(0, offset); got != want {
			t.Errorf("within(%d) = %d, want %d", offset, got, want)
		}
	}
}

func TestParseTopics(t *testing.T) {
	got, err := parseTopics([]string{"a", "b:0", "1", "c:2+4-5"})
	if err != nil || len(got) != 3 || got["a"] != nil || len(got["b"]) != 2 || len(got["c"]) != 3 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"a:x", "a:-1", "a:3-1", "a:0-99999999"} {
		if got, err := parseTopics([]string{bad}); err == nil {
			t.Errorf("%s: got %v", bad, got)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestSettled: a leader that does not know its offsets yet is asked again.
func TestSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []error{kerr.OffsetNotAvailable, kerr.OffsetNotAvailable, nil}
		asked := 0
		ask := func() (kadm.ListedOffsets, error) {
			asked++
			return kadm.ListedOffsets{"t": {0: {Offset: 7, Err: answers[min(asked, len(answers))-1]}}}, nil
		}
		if o, err := settled(t.Context(), ask); err != nil || o["t"][0].Offset != 7 || asked != 3 {
			t.Errorf("asked %d times: %v, %v", asked, o, err)
		}
		answers, asked = []error{kerr.OffsetNotAvailable}, 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := settled(ctx, ask); !errors.Is(err, kerr.OffsetNotAvailable) {
			t.Errorf("without an answer in time: %v", err)
		}
		answers, asked = []error{kerr.UnknownTopicOrPartition}, 0
		if _, err := settled(t.Context(), ask); !errors.Is(err, kerr.UnknownTopicOrPartition) || asked != 1 {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}
