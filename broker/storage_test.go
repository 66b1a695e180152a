package broker

import (
	"math"
	"testing"

	"holt/broker/setting"
)

// TestTimestampBounds: what is set for both directions counts where one has no bound of its own.
func TestTimestampBounds(t *testing.T) {
	for _, tc := range []struct {
		topic, file   map[string]string
		before, after int64
	}{
		{nil, nil, math.MaxInt64, math.MaxInt64},
		{map[string]string{"message.timestamp.difference.max.ms": "5"}, nil, 5, 5},
		{map[string]string{"message.timestamp.difference.max.ms": "5", "message.timestamp.after.max.ms": "7"}, nil, 5, 7},
		{nil, map[string]string{"log.message.timestamp.difference.max.ms": "9"}, 9, 9},
		{map[string]string{"message.timestamp.before.max.ms": "3"}, map[string]string{"log.message.timestamp.difference.max.ms": "9"}, 3, 9},
	} {
		l := &setting.Layers{Topic: tc.topic, File: tc.file}
		before, after := timestampBound(l, "message.timestamp.before.max.ms"), timestampBound(l, "message.timestamp.after.max.ms")
		if before != tc.before || after != tc.after {
			t.Errorf("%v, %v: %d before and %d after, want %d and %d", tc.topic, tc.file, before, after, tc.before, tc.after)
		}
	}
}
