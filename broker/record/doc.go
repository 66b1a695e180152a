// Package record reads, judges, patches and builds Kafka's record batches of
// format v2, the one unit that producers send, partitions store and consumers
// fetch, byte for byte the same.
//
// # Format
//
// All numbers are big-endian; those of the records are zig-zag varints.
//
//	 0 baseOffset i64        ┐ written by the leader, in place:
//	 8 batchLength i32       │ outside the CRC; the length is of
//	12 leaderEpoch i32       │ what follows it
//	16 magic i8 = 2          │
//	17 crc u32               ┘ CRC-32C of all that follows it
//	21 attributes i16        codec (0-2) · log append time (3) · transactional (4) · control (5) · delete horizon (6)
//	23 lastOffsetDelta i32
//	27 baseTimestamp i64     or the delete horizon
//	35 maxTimestamp i64
//	43 producerId i64 · 51 producerEpoch i16 · 53 baseSequence i32
//	57 count i32
//	61 records…              as one compressed block if a codec is set
//
//	record:  length · attributes i8 · timestamp delta · offset delta · key · value · headers
//
// # The way of a batch
//
//	Produce ──▶ Validate ──▶ SetBaseOffset, SetPartitionLeaderEpoch ──▶ stored
//	             │ one batch, header, CRC, records where needed           │
//	             ▼                                                        ├─▶ followers: Next, Check
//	          *Invalid (a code for the client)                            ├─▶ consumers, as it is
//	                                                                      └─▶ compaction: Records, Filter
//
// A [Batch] is bytes, not a decoded struct: its accessors read the header where
// it lies, and nothing is encoded again but where a topic asks for another
// codec ([Recompress]) or compaction drops records ([Filter]).
//
// # Bytes from outside
//
// [Next] and [SizeOf] tell a torn tail (io.ErrUnexpectedEOF) from damage
// (*[CorruptError]), [Batch.Check] compares the CRC, [Batch.Records] bounds
// checks everything, and a [Decompressor] has a limit and never believes an
// announced size. [Search] looks for what is intact behind damage. No input
// panics once it went through Next.
//
// # Validation
//
// [Validate] answers as Kafka 3.9.2 does; testdata/verdicts.txt has its own
// answers. Differs from Kafka:
//   - records whose offset deltas are not 0, 1, 2, … are refused with
//     INVALID_RECORD; Kafka stores them, or fails while it tries to mend them;
//   - records that cannot be decompressed are INVALID_RECORD, where Kafka answers
//     UNKNOWN_SERVER_ERROR, and a negative length in a compressed record is not
//     overlooked;
//   - sizes and timestamps at the end of their range do not overflow;
//   - records that decompress to more than the Decompressor's limit are
//     MESSAGE_TOO_LARGE.
//
// # Goroutines
//
// Everything but [Decompressor] is for one goroutine at a time; a Batch that
// nobody patches may be read by many. Nothing here starts a goroutine, does IO
// or knows a clock.
//
// Not here: the log on disk (broker/partition), producers' sequences over
// several batches (there too), message formats 0 and 1 beyond saying no.
package record
