package setting

// topicSettings are sorted by name. Defaults are Kafka 3.9's.
var topicSettings = [...]Setting{
	Setting{Name: "cleanup.policy", Type: List, Default: "delete",
		Doc:      "What becomes of old records: delete them by age and size, compact by key, or both.",
		Synonyms: []Synonym{{"log.cleanup.policy", 1}}}.
		oneOf("compact", "delete"),
	Setting{Name: "compression.gzip.level", Type: Int, Default: "-1",
		Doc:      "Level at which the broker compresses by gzip; -1: the library's default.",
		Synonyms: []Synonym{{"compression.gzip.level", 1}}}.
		ranged(-1, 9).formed(notZero),
	Setting{Name: "compression.lz4.level", Type: Int, Default: "9",
		Doc:      "Level at which the broker compresses by lz4.",
		Synonyms: []Synonym{{"compression.lz4.level", 1}}}.
		ranged(1, 17),
	Setting{Name: "compression.type", Type: String, Default: "producer",
		Doc:      "How records are compressed in the log; producer: as they came.",
		Synonyms: []Synonym{{"compression.type", 1}}}.
		oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
	Setting{Name: "compression.zstd.level", Type: Int, Default: "3",
		Doc:      "Level at which the broker compresses by zstd.",
		Synonyms: []Synonym{{"compression.zstd.level", 1}}}.
		ranged(-131072, 22),
	Setting{Name: "delete.retention.ms", Type: Long, Default: "86400000",
		Doc:      "How long compaction keeps the mark that a key was deleted, so that readers from the start see it.",
		Synonyms: []Synonym{{"log.cleaner.delete.retention.ms", 1}}}.
		atLeast(0),
	Setting{Name: "file.delete.delay.ms", Type: Long, Default: "60000",
		Doc:      "How long a segment's files stay after it was deleted.",
		Synonyms: []Synonym{{"log.segment.delete.delay.ms", 1}}}.
		atLeast(0),
	Setting{Name: "flush.messages", Type: Long, Default: "9223372036854775807",
		Doc:      "Force the log to disk after so many records.",
		Synonyms: []Synonym{{"log.flush.interval.messages", 1}}}.
		atLeast(1),
	Setting{Name: "flush.ms", Type: Long, Default: "9223372036854775807",
		Doc:      "Force the log to disk after so long.",
		Synonyms: []Synonym{{"log.flush.interval.ms", 1}}}.
		atLeast(0),
	Setting{Name: "follower.replication.throttled.replicas", Type: List, Default: "",
		Doc: "Replicas that fetch no faster than follower.replication.throttled.rate while they are out of sync: partition:broker, or * for all."}.formed(throttled),
	Setting{Name: "index.interval.bytes", Type: Int, Default: "4096",
		Doc:      "Bytes of log between two entries of an index.",
		Synonyms: []Synonym{{"log.index.interval.bytes", 1}}}.
		atLeast(0),
	Setting{Name: "leader.replication.throttled.replicas", Type: List, Default: "",
		Doc: "Replicas of leaders that serve followers out of sync no faster than leader.replication.throttled.rate: partition:broker, or * for all."}.formed(throttled),
	Setting{Name: "max.compaction.lag.ms", Type: Long, Default: "9223372036854775807",
		Doc:      "Longest time that a record stays uncompacted.",
		Synonyms: []Synonym{{"log.cleaner.max.compaction.lag.ms", 1}}}.
		atLeast(1),
	Setting{Name: "max.message.bytes", Type: Int, Default: "1048588",
		Doc:      "Largest batch of records, after compression.",
		Synonyms: []Synonym{{"message.max.bytes", 1}}}.
		atLeast(0),
	{Name: "message.downconversion.enable", Type: Boolean, Default: "true",
		Doc:      "Serve formats of old clients; shown, not heeded: no such format is served.",
		Synonyms: []Synonym{{"log.message.downconversion.enable", 1}}},
	Setting{Name: "message.format.version", Type: String, Default: "3.0-IV1",
		Doc:      "Format of records in the log; shown, not heeded: always the newest.",
		Synonyms: []Synonym{{"log.message.format.version", 1}}}.
		formed(release),
	Setting{Name: "message.timestamp.after.max.ms", Type: Long, Default: "9223372036854775807",
		Doc:      "How far ahead of the broker's clock a record's time may be.",
		Synonyms: []Synonym{{"log.message.timestamp.after.max.ms", 1}}}.
		atLeast(0),
	Setting{Name: "message.timestamp.before.max.ms", Type: Long, Default: "9223372036854775807",
		Doc:      "How far behind the broker's clock a record's time may be.",
		Synonyms: []Synonym{{"log.message.timestamp.before.max.ms", 1}}}.
		atLeast(0),
	Setting{Name: "message.timestamp.difference.max.ms", Type: Long, Default: "9223372036854775807",
		Doc:      "How far from the broker's clock a record's time may be, either way.",
		Synonyms: []Synonym{{"log.message.timestamp.difference.max.ms", 1}}}.
		atLeast(0),
	Setting{Name: "message.timestamp.type", Type: String, Default: "CreateTime",
		Doc:      "Which time a record has: when it was made, or when it was appended.",
		Synonyms: []Synonym{{"log.message.timestamp.type", 1}}}.
		oneOf("CreateTime", "LogAppendTime"),
	Setting{Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5",
		Doc:      "Part of a log that must be uncompacted before compaction begins.",
		Synonyms: []Synonym{{"log.cleaner.min.cleanable.ratio", 1}}}.
		ranged(0, 1),
	Setting{Name: "min.compaction.lag.ms", Type: Long, Default: "0",
		Doc:      "Time that a record stays uncompacted at least.",
		Synonyms: []Synonym{{"log.cleaner.min.compaction.lag.ms", 1}}}.
		atLeast(0),
	Setting{Name: "min.insync.replicas", Type: Int, Default: "1",
		Doc:      "Replicas that must have a record before a producer with acks=all hears of success.",
		Synonyms: []Synonym{{"min.insync.replicas", 1}}}.
		atLeast(1),
	{Name: "preallocate", Type: Boolean, Default: "false",
		Doc:      "Reserve a segment's space when it is made; shown, not heeded.",
		Synonyms: []Synonym{{"log.preallocate", 1}}},
	{Name: "retention.bytes", Type: Long, Default: "-1",
		Doc:      "Size of a partition beyond which its oldest segments go; -1: no limit.",
		Synonyms: []Synonym{{"log.retention.bytes", 1}}},
	Setting{Name: "retention.ms", Type: Long, Default: "604800000",
		Doc:      "Age at which records go; -1: never.",
		Synonyms: []Synonym{{"log.retention.ms", 1}, {"log.retention.minutes", 60000}, {"log.retention.hours", 3600000}}}.
		atLeast(-1),
	Setting{Name: "segment.bytes", Type: Int, Default: "1073741824",
		Doc:      "Size at which a segment is full and the next one begins.",
		Synonyms: []Synonym{{"log.segment.bytes", 1}}}.
		atLeast(14),
	Setting{Name: "segment.index.bytes", Type: Int, Default: "10485760",
		Doc:      "Size of a segment's index at which the next segment begins.",
		Synonyms: []Synonym{{"log.index.size.max.bytes", 1}}}.
		atLeast(4),
	Setting{Name: "segment.jitter.ms", Type: Long, Default: "0",
		Doc:      "Random time taken off segment.ms, so that not all segments end at once.",
		Synonyms: []Synonym{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", 3600000}}}.
		atLeast(0),
	Setting{Name: "segment.ms", Type: Long, Default: "604800000",
		Doc:      "Age at which a segment is full, though it is small.",
		Synonyms: []Synonym{{"log.roll.ms", 1}, {"log.roll.hours", 3600000}}}.
		atLeast(1),
	{Name: "unclean.leader.election.enable", Type: Boolean, Default: "false",
		Doc:      "Let a replica that is not in sync lead when no other is alive, at the cost of records.",
		Synonyms: []Synonym{{"unclean.leader.election.enable", 1}}},
}
