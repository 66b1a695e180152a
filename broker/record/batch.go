package record

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// HeaderSize is the length of a batch without its records.
const HeaderSize = 61

// NoTimestamp, NoProducer and NoSequence stand for what a batch does not have.
const (
	NoTimestamp int64 = -1
	NoProducer  int64 = -1
	NoSequence  int32 = -1
)

// Where the fields of the header are; doc.go draws them.
const (
	posLength      = 8
	posLeaderEpoch = 12
	posMagic       = 16
	posCRC         = 17
	posAttributes  = 21 // the CRC covers everything from here on
	posLastDelta   = 23
	posBaseTime    = 27
	posMaxTime     = 35
	posProducerID  = 43
	posEpoch       = 51
	posSequence    = 53
	posCount       = 57

	lengthBase = posLeaderEpoch // the length field counts what follows it
	magicV2    = 2
)

// The bits of the attributes.
const (
	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

// castagnoli is the polynomial of the batch's checksum.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// TimestampType says whose clock a batch's timestamps are from.
type TimestampType int8

const (
	// CreateTime is the producer's clock, or what its application says.
	CreateTime TimestampType = 0
	// LogAppendTime is the leader's clock at the append; all records of a batch share it.
	LogAppendTime TimestampType = 1
)

// String returns the value of Kafka's setting message.timestamp.type.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// Batch is one record batch of format v2, as produced, stored and fetched. Its accessors look at
// the header only, so a Batch may also be the first HeaderSize bytes of one, read from a file to
// look for something; Check, Records and the setters that recompute the CRC need it whole.
//
// A Batch shorter than HeaderSize makes the accessors panic: bytes from outside become a Batch
// by Next, which looks first.
type Batch []byte

// BaseOffset returns the offset of the batch's first record, or of the place where it was
// before compaction took it out.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b)) }

// LastOffset returns the offset of the last record that the batch had when it was produced.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset returns the first offset after the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// LastOffsetDelta returns LastOffset - BaseOffset.
func (b Batch) LastOffsetDelta() int32 { return b.int32(posLastDelta) }

// Size returns the length of the whole batch as its header has it.
func (b Batch) Size() int { return lengthBase + int(b.int32(posLength)) }

// PartitionLeaderEpoch returns the epoch of the leader that appended the batch.
func (b Batch) PartitionLeaderEpoch() int32 { return b.int32(posLeaderEpoch) }

// Magic returns the format's version, 2 in whatever Next returned.
func (b Batch) Magic() int8 { return int8(b[posMagic]) }

// CRC returns the checksum that the header carries.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[posCRC:]) }

// Attributes returns the attribute bits as they are.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }

// Codec returns how the records are compressed. It may be one that does not exist (5 to 7).
func (b Batch) Codec() Codec { return Codec(b.Attributes() & attrCodec) }

// TimestampType returns whose clock the timestamps are from.
func (b Batch) TimestampType() TimestampType {
	if b.Attributes()&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional reports whether the batch belongs to a transaction. Its markers do too.
func (b Batch) IsTransactional() bool { return b.Attributes()&attrTransactional != 0 }

// Transactional reports whether bytes from outside, not looked at before, begin with a batch that
// belongs to a transaction, and are long enough for the accessors.
func Transactional(b []byte) bool {
	return len(b) >= HeaderSize && Batch(b).Magic() == magicV2 && Batch(b).IsTransactional()
}

// IsControl reports whether the batch holds a control record, such as a Marker, which consumers
// skip.
func (b Batch) IsControl() bool { return b.Attributes()&attrControl != 0 }

// DeleteHorizon returns the time from which compaction may drop the batch's tombstones and
// markers, and whether one was set (KIP-534).
func (b Batch) DeleteHorizon() (millis int64, ok bool) {
	if b.Attributes()&attrDeleteHorizon == 0 {
		return NoTimestamp, false
	}
	return b.BaseTimestamp(), true
}

// BaseTimestamp returns what the records' timestamp deltas count from: the first record's
// timestamp, or the delete horizon when the batch has one.
func (b Batch) BaseTimestamp() int64 { return b.int64(posBaseTime) }

// MaxTimestamp returns the greatest timestamp of the records, the time of the append if the type
// is LogAppendTime, NoTimestamp if there is none.
func (b Batch) MaxTimestamp() int64 { return b.int64(posMaxTime) }

// ProducerID returns the id of an idempotent or transactional producer, or NoProducer.
func (b Batch) ProducerID() int64 { return b.int64(posProducerID) }

// HasProducer reports whether an idempotent or transactional producer wrote the batch.
func (b Batch) HasProducer() bool { return b.ProducerID() > NoProducer }

// ProducerEpoch returns the producer's epoch, or -1.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[posEpoch:])) }

// BaseSequence returns the sequence number of the first record, or NoSequence.
func (b Batch) BaseSequence() int32 { return b.int32(posSequence) }

// LastSequence returns the sequence number of the last record, or NoSequence.
func (b Batch) LastSequence() int32 {
	if b.BaseSequence() < 0 {
		return NoSequence
	}
	return AddSequence(b.BaseSequence(), b.LastOffsetDelta())
}

// AddSequence returns the sequence number n records after seq; after the greatest comes 0. Both
// are at least 0.
func AddSequence(seq, n int32) int32 {
	return int32((int64(seq) + int64(n)) & math.MaxInt32)
}

// Count returns the number of records in the batch, which compaction makes smaller than
// LastOffsetDelta + 1, down to none.
func (b Batch) Count() int32 { return b.int32(posCount) }

// SetBaseOffset gives the batch its place in the log. The CRC does not cover it.
func (b Batch) SetBaseOffset(offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetPartitionLeaderEpoch stamps the batch with its leader's epoch. The CRC does not cover it.
func (b Batch) SetPartitionLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(epoch))
}

// SetLogAppendTime gives all records of the batch the leader's time and computes the CRC anew.
func (b Batch) SetLogAppendTime(millis int64) { b.setMaxTimestamp(LogAppendTime, millis) }

// setMaxTimestamp sets type and greatest timestamp, and computes the CRC anew if that changes
// anything.
func (b Batch) setMaxTimestamp(t TimestampType, millis int64) {
	if b.TimestampType() == t && b.MaxTimestamp() == millis {
		return
	}
	attrs := b.Attributes() &^ attrLogAppendTime
	if t == LogAppendTime {
		attrs |= attrLogAppendTime
	}
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attrs))
	binary.BigEndian.PutUint64(b[posMaxTime:], uint64(millis))
	b.seal()
}

// seal writes the CRC of a batch that is complete otherwise.
func (b Batch) seal() { binary.BigEndian.PutUint32(b[posCRC:], b.computeCRC()) }

func (b Batch) computeCRC() uint32 { return crc32.Checksum(b[posAttributes:b.Size()], castagnoli) }

// records returns the records as they are in the batch, compressed if it is.
func (b Batch) records() []byte { return b[HeaderSize:b.Size()] }

func (b Batch) int32(pos int) int32 { return int32(binary.BigEndian.Uint32(b[pos:])) }
func (b Batch) int64(pos int) int64 { return int64(binary.BigEndian.Uint64(b[pos:])) }
