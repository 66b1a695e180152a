package partition

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"holt/broker/record"
)

// Options are what a [Dir] is opened with. The zero value is ready for use.
type Options struct {
	// FS is where the directory is; vfs.Default if nil.
	FS vfs.FS
	// Logger; nil: none.
	Logger *zap.Logger
	// Failed is called once, from a goroutine of its own, when the directory has failed: nothing more
	// is written to any of its logs. See Dir.Err. May be nil.
	Failed func(d *Dir, err error)
	// Config returns the settings of a topic when its logs are opened; nil: Defaults.
	Config func(topic string) Config

	// FlushOnAck (log.flush.on.ack) is only remembered here, for whoever acknowledges: see
	// Log.OnFlushed.
	FlushOnAck bool

	// TailBytesPerLog and TailBytes bound what is kept in memory of the ends of logs, of one and of
	// all together; 0: 1 MiB and 32 MiB, -1: nothing. Of memory that was lent to AppendAsLeader a log
	// keeps four times as much.
	TailBytesPerLog int
	TailBytes       int

	// RecoveryThreads (num.recovery.threads.per.data.dir) is how many logs are opened at a time; 0: 4.
	RecoveryThreads int

	// ProducerExpirationMillis (producer.id.expiration.ms) is how long an idle producer is
	// remembered; 0: 24 h.
	ProducerExpirationMillis int64

	// CleanerBytes (log.cleaner.dedupe.buffer.size) bounds the memory of compaction's map of keys, of
	// which there is one; 0: 32 MiB. It is only allocated while a log is compacted, and no larger
	// than the log needs.
	CleanerBytes int
	// CleanerInterval is how often to look for a log to compact [log.cleaner.backoff.ms]; 0: 15 s.
	CleanerInterval time.Duration
	// CleanerOff has no log compacted [log.cleaner.enable].
	CleanerOff bool
	// CleanerBytesPerSecond bounds what a compaction reads and writes [log.cleaner.io.max.bytes.per.second]; 0: nothing
	// does.
	CleanerBytesPerSecond float64

	// RetentionInterval [log.retention.check.interval.ms] is 5 min if 0; CheckpointInterval
	// [log.flush.offset.checkpoint.interval.ms] 60 s; HighWatermarkInterval
	// [replica.high.watermark.checkpoint.interval.ms] 5 s.
	RetentionInterval     time.Duration
	CheckpointInterval    time.Duration
	HighWatermarkInterval time.Duration

	// TrustCompressed is record.ValidateOptions.TrustCompressed.
	TrustCompressed bool
	// Decompressor and Compressor are shared by all logs; nil: ones of the Dir's own, the former with a
	// limit of 256 MiB.
	Decompressor *record.Decompressor
	Compressor   *record.Compressor
}

// decompressedMax bounds the records of one batch; Kafka has no bound but its heap.
const decompressedMax = 256 << 20

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Config == nil {
		o.Config = func(string) Config { return Defaults() }
	}
	orElse(&o.TailBytesPerLog, 1<<20)
	orElse(&o.TailBytes, 32<<20)
	orElse(&o.RecoveryThreads, 4)
	orElse(&o.ProducerExpirationMillis, 24*60*60*1000)
	orElse(&o.CleanerBytes, 32<<20)
	orElse(&o.CleanerInterval, 15*time.Second)
	orElse(&o.RetentionInterval, 5*time.Minute)
	orElse(&o.CheckpointInterval, time.Minute)
	orElse(&o.HighWatermarkInterval, 5*time.Second)
	if o.Decompressor == nil {
		o.Decompressor = record.NewDecompressor(decompressedMax)
	}
	if o.Compressor == nil {
		o.Compressor = new(record.Compressor)
	}
	return o
}

func orElse[T int | int64 | time.Duration](v *T, fallback T) {
	if *v == 0 {
		*v = fallback
	}
}
