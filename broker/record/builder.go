package record

import (
	"encoding/binary"
	"fmt"
)

// BuilderOptions are the fields of a batch that do not follow from its records.
type BuilderOptions struct {
	BaseOffset           int64
	PartitionLeaderEpoch int32
	Compression          Compression
	Compressor           *Compressor // may be nil
	// TimestampType is LogAppendTime with that time in LogAppendTime, or CreateTime.
	TimestampType TimestampType
	LogAppendTime int64
	// Producer is nil for a batch that is neither idempotent nor transactional.
	Producer      *Producer
	Transactional bool // needs a Producer
	Control       bool
}

// Producer is the idempotent or transactional producer of a batch.
type Producer struct {
	ID           int64
	Epoch        int16
	BaseSequence int32 // of the first record; NoSequence in markers and coordinators' batches
}

// Builder makes a batch of records. It is for one goroutine.
type Builder struct {
	o         BuilderOptions
	buf       []byte // room for the header, then the records as they are uncompressed
	count     int32
	lastDelta int32 // of the last record, or a later one that is not there
	baseTime  int64
	maxTime   int64
	baseFixed bool // baseTime is not the first record's
}

// NewBuilder returns a builder of one batch.
func NewBuilder(o BuilderOptions) *Builder {
	b := &Builder{}
	b.Reset(o)
	return b
}

// Reset begins another batch. Memory of the builder that no batch took is used again.
func (b *Builder) Reset(o BuilderOptions) {
	*b = Builder{o: o, buf: b.buf[:0], lastDelta: -1, baseTime: NoTimestamp, maxTime: NoTimestamp}
	b.buf = append(b.buf, make([]byte, HeaderSize)...)
}

// Count returns the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// Size returns the length that the batch has now, or would have without compression.
func (b *Builder) Size() int { return len(b.buf) }

// SizeWith returns what Size would be after Append(r): an upper bound, a few bytes above at most.
func (b *Builder) SizeWith(r Record) int {
	body := b.bodyLen(r, b.lastDelta+1)
	return len(b.buf) + varintLen(int64(body)) + body
}

// Append adds a record at the next offset; r.Offset does not matter. r's memory is copied.
func (b *Builder) Append(r Record) { b.append(r, b.lastDelta+1) }

// AppendAt adds a record at its own offset, which has to be beyond the last one's: for batches
// that compaction leaves gaps in.
func (b *Builder) AppendAt(r Record) {
	delta := r.Offset - b.o.BaseOffset
	if delta <= int64(b.lastDelta) || delta > fieldMax {
		panic(fmt.Sprintf("record: offset %d after %d", r.Offset, b.o.BaseOffset+int64(b.lastDelta)))
	}
	b.append(r, int32(delta))
}

func (b *Builder) append(r Record, delta int32) {
	if b.count == 0 && !b.baseFixed {
		b.baseTime = r.Timestamp
	}
	b.maxTime = max(b.maxTime, r.Timestamp)
	buf := appendVarint(b.buf, int64(b.bodyLen(r, delta)))
	buf = append(buf, 0) // attributes
	buf = appendVarint(buf, r.Timestamp-b.baseTime)
	buf = appendVarint(buf, int64(delta))
	buf = appendNullable(buf, r.Key)
	buf = appendNullable(buf, r.Value)
	buf = appendVarint(buf, int64(len(r.Headers)))
	for _, h := range r.Headers {
		buf = append(appendVarint(buf, int64(len(h.Key))), h.Key...)
		buf = appendNullable(buf, h.Value)
	}
	b.buf = buf
	b.count++
	b.lastDelta = delta
}

// bodyLen returns the length of a record without the field that says it.
func (b *Builder) bodyLen(r Record, delta int32) int {
	base := b.baseTime
	if b.count == 0 && !b.baseFixed {
		base = r.Timestamp
	}
	n := 1 + varintLen(r.Timestamp-base) + varintLen(int64(delta)) + nullableLen(r.Key) + nullableLen(r.Value) +
		varintLen(int64(len(r.Headers)))
	for _, h := range r.Headers {
		n += varintLen(int64(len(h.Key))) + len(h.Key) + nullableLen(h.Value)
	}
	return n
}

// Build returns the batch, of one record at least, and its memory; the builder is empty until
// Reset. The error is the
// codec's: without compression there is none.
func (b *Builder) Build() (Batch, error) {
	batch := Batch(b.buf)
	b.buf = nil
	if b.o.Compression.Codec != Uncompressed && b.count > 0 {
		out, err := b.o.Compressor.compress(make([]byte, HeaderSize, HeaderSize+len(batch)/2), batch[HeaderSize:], b.o.Compression)
		if err != nil {
			return nil, fmt.Errorf("compress %d records by %v: %w", b.count, b.o.Compression.Codec, err)
		}
		b.buf, batch = batch, out // the uncompressed records' memory is used again
	}
	b.writeHeader(batch)
	return batch, nil
}

func (b *Builder) writeHeader(batch Batch) {
	attrs := uint16(0)
	if b.count > 0 {
		attrs = uint16(b.o.Compression.Codec)
	}
	if b.o.TimestampType == LogAppendTime {
		attrs |= attrLogAppendTime
		b.maxTime = b.o.LogAppendTime
	}
	if b.o.Transactional {
		attrs |= attrTransactional
	}
	if b.o.Control {
		attrs |= attrControl
	}
	p := Producer{ID: NoProducer, Epoch: -1, BaseSequence: NoSequence}
	if b.o.Producer != nil {
		p = *b.o.Producer
	}
	batch.SetBaseOffset(b.o.BaseOffset)
	batch.setSize(len(batch))
	batch.SetPartitionLeaderEpoch(b.o.PartitionLeaderEpoch)
	batch[posMagic] = magicV2
	binary.BigEndian.PutUint16(batch[posAttributes:], attrs)
	batch.putInt32(posLastDelta, b.lastDelta)
	batch.putInt64(posBaseTime, b.baseTime)
	batch.putInt64(posMaxTime, b.maxTime)
	batch.putInt64(posProducerID, p.ID)
	binary.BigEndian.PutUint16(batch[posEpoch:], uint16(p.Epoch))
	batch.putInt32(posSequence, p.BaseSequence)
	batch.putInt32(posCount, b.count)
	batch.seal()
}

func (b Batch) setCodec(c Codec) {
	attrs := b.Attributes()&^attrCodec | int16(c)
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attrs))
}

func (b Batch) setHorizon() {
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(b.Attributes()|attrDeleteHorizon))
	b.seal()
}

func (b Batch) setSize(size int)          { b.putInt32(posLength, int32(size-lengthBase)) }
func (b Batch) putInt32(pos int, v int32) { binary.BigEndian.PutUint32(b[pos:], uint32(v)) }
func (b Batch) putInt64(pos int, v int64) { binary.BigEndian.PutUint64(b[pos:], uint64(v)) }
