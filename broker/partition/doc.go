// Package partition keeps the logs of a broker's partitions on disk, in the files that Kafka uses, so that
// its tools read them and a directory may be taken over from it.
//
// # Files
//
//	log.dirs entry (Dir)
//	├─ .lock                              nobody else has the directory open
//	├─ meta.properties                    whose it is: broker.id, cluster.id
//	├─ .kafka_cleanshutdown               nothing needs to be recovered
//	├─ recovery-point-offset-checkpoint   of each log, before which offset all is durable
//	├─ log-start-offset-checkpoint        where it begins
//	├─ replication-offset-checkpoint      its high watermark
//	├─ cleaner-offset-checkpoint          before which offset it is compacted
//	├─ topic-0/                           a Log
//	│  ├─ partition.metadata              the topic's id
//	│  ├─ leader-epoch-checkpoint         where each leader epoch begins
//	│  ├─ 00000000000000000000.log        a segment: batches v2, byte for byte, named by its first offset
//	│  ├─ 00000000000000000000.index      last offset of a batch (less the first) ─▶ its place
//	│  ├─ 00000000000000000000.timeindex  greatest timestamp so far ─▶ offset
//	│  ├─ 00000000000000000000.txnindex   aborted transactions by their markers
//	│  ├─ 00000000000000004711.snapshot   the producers' state before that offset
//	│  └─ 00000000000000004711.log ...    the active segment, the only one that is written to
//	└─ topic-1.7f3a…-delete/              removed when nobody can be reading it any more
//
// # Offsets
//
//	start            high watermark        flushed       end
//	  │ readable by consumers │                │           │
//	──●───────────────────────○────────────────○───────────○
//	           └ last stable offset: before the first transaction that is open
//
// The start only rises but for TruncateFullyAt, and is durable before it has risen: what DeleteRecords took does
// not come back. The end and the high watermark fall by truncation only.
//
// # Durability
//
// An append is one write to the page cache, as Kafka's, of a busy segment to blocks that were allocated ahead (reserve).
// OnFlushed tells when records are on stable storage; those that ask while the disk is busy share the next sync. The
// recovery point follows what was synced with its indexes and names, and falls, durably, before a truncation.
//
// # Recovery
//
// After a crash every segment is read that ends behind the recovery point, and its indexes are made anew. A
// batch that is not whole ends the log and is cut off if a crash explains it: nothing intact follows, or the
// block was never written. Anything else is a *DamageError, and nothing is changed. Segments
// behind a gap go too: they were not durable either; unless compaction left the gap, as a segment before it that lacks
// offsets itself, behind the log's start, tells, or the checkpoint of what was compacted. A segment that lacks offsets is
// durable before the next begins, so that its end is not what a crash has lost.
//
// # Compaction
//
// With cleanup.policy=compact, a goroutine rewrites the log with the greatest part of dirty bytes: a record stays
// if none of the dirty part has its key and comes later; tombstones stay for delete.retention.ms after their first
// pass, markers too, and records of aborted transactions go. Offsets never change. A batch that tells
// its producer's last sequence and the last batch of a segment stay, without records if need be.
//
//	.log ×n ──▶ .log.cleaned, synced ──▶ .log.swap ──▶ old ones removed ──▶ .log
//	            a crash: removed          a crash: opening finishes it
//
// The memory is bounded (CleanerBytes): where the keys do not fit the pass ends earlier. So is what it reads and writes
// in a second, if that is asked for.
//
// # Concurrency
//
// Appends to a log follow one another. Readers need no lock but for a moment: they see a slice of segments that is
// replaced, never changed, and hold files open that are removed meanwhile. The end of a log is kept in memory
// as it is written (tail), bounded for a log and for the Dir, until it is compacted; large batches where they lie, if
// their Memory is lent, until they are committed.
//
// # Failures
//
// The first error of the disk ends all writing to the Dir (FailedError): nobody knows what the disk holds, and a
// sync that failed may report success the next time. Reading goes on.
//
// Not here: who leads, follows, and may read what.
package partition
