package partition

import (
	"math"

	"holt/broker/record"
)

// Policy says what becomes of old records; the two may be combined.
type Policy uint8

const (
	// Delete drops whole segments by age and size.
	Delete Policy = 1 << iota
	// Compact keeps the last value of each key.
	Compact
)

// Never, as a time in milliseconds or a number of records, stands for what does
// not happen by itself: Kafka's default of flush.ms, flush.messages and others.
const Never int64 = math.MaxInt64

// Config are the settings of one topic that its logs heed, by Kafka's names.
// A Config begins as [Defaults]; its zero value is of no use. It may be changed
// at run time by [Log.SetConfig].
type Config struct {
	CleanupPolicy Policy // cleanup.policy

	// RetentionMillis (retention.ms) and RetentionBytes (retention.bytes) are the age and the size
	// beyond which segments go; -1: no limit.
	RetentionMillis int64
	RetentionBytes  int64

	// SegmentBytes, SegmentMillis, SegmentJitterMillis and SegmentIndexBytes say when a segment is
	// full (segment.*). The jitter of a log is a fixed part of SegmentJitterMillis.
	SegmentBytes        int
	SegmentMillis       int64
	SegmentJitterMillis int64
	SegmentIndexBytes   int
	IndexIntervalBytes  int // index.interval.bytes

	FileDeleteDelayMillis int64 // file.delete.delay.ms

	// FlushMessages (flush.messages) and FlushMillis (flush.ms) force the log to disk after so many
	// records or so long; Never: it is left to the system.
	FlushMessages int64
	FlushMillis   int64

	// MinCleanableRatio (min.cleanable.dirty.ratio), MinCompactionLagMillis, MaxCompactionLagMillis and
	// DeleteRetentionMillis steer compaction.
	MinCleanableRatio      float64
	MinCompactionLagMillis int64
	MaxCompactionLagMillis int64
	DeleteRetentionMillis  int64

	MaxMessageBytes          int                  // max.message.bytes
	TimestampType            record.TimestampType // message.timestamp.type
	TimestampBeforeMaxMillis int64                // message.timestamp.before.max.ms
	TimestampAfterMaxMillis  int64                // message.timestamp.after.max.ms
	Compression              record.Compression   // compression.type and its level

	// MinISR (min.insync.replicas) and UncleanElection are carried for the replication; a log does
	// not look at them.
	MinISR          int
	UncleanElection bool
}

// Defaults returns Kafka's defaults.
func Defaults() Config {
	const day = 24 * 60 * 60 * 1000
	return Config{
		CleanupPolicy:            Delete,
		RetentionMillis:          7 * day,
		RetentionBytes:           -1,
		SegmentBytes:             1 << 30,
		SegmentMillis:            7 * day,
		SegmentIndexBytes:        10 << 20,
		IndexIntervalBytes:       4 << 10,
		FileDeleteDelayMillis:    60_000,
		FlushMessages:            Never,
		FlushMillis:              Never,
		MinCleanableRatio:        0.5,
		MaxCompactionLagMillis:   Never,
		DeleteRetentionMillis:    day,
		MaxMessageBytes:          1<<20 + 12,
		TimestampBeforeMaxMillis: Never,
		TimestampAfterMaxMillis:  Never,
		Compression:              record.Compression{Codec: record.KeepCodec},
		MinISR:                   1,
	}
}

// limit turns a setting where Never means none into record's, where 0 does.
func limit(millis int64) int64 {
	if millis == Never {
		return 0
	}
	return max(millis, 1)
}
