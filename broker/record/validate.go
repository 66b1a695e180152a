package record

import (
	"errors"
	"math"

	"holt/broker/kerror"
)

// Origin says who wrote a batch. Followers' copies are not validated but checked (Batch.Check).
type Origin int8

const (
	// Client is a Produce request.
	Client Origin = iota
	// Coordinator is this broker's own group or transaction coordinator, which may write several
	// batches at once, and control batches.
	Coordinator
)

// ValidateOptions are what a batch is judged by: the request's facts and the topic's settings.
type ValidateOptions struct {
	Origin Origin
	// ProduceVersion is the version of the Produce request; it matters to a Client's zstd.
	ProduceVersion int16
	// MaxBatchBytes is max.message.bytes, SegmentBytes segment.bytes; 0: no limit.
	MaxBatchBytes int
	SegmentBytes  int
	// Compacted: cleanup.policy contains compact, so that each record needs a key.
	Compacted bool
	// TimestampType is message.timestamp.type; Now is the leader's wall clock.
	TimestampType TimestampType
	Now           int64
	// TimestampBeforeMax and TimestampAfterMax are message.timestamp.before.max.ms and
	// message.timestamp.after.max.ms, used with CreateTime; 0: no limit.
	TimestampBeforeMax int64
	TimestampAfterMax  int64
	// Compression is compression.type with its level. Nil, and KeepCodec, stand for "producer".
	Compression *Compression
	// Compressor is of use with Compression; it may be nil.
	Compressor *Compressor
	// TrustCompressed takes a compressed batch by its header and CRC where no check needs its
	// records, which saves decompressing it. A client that lies in its offset deltas is then not
	// found out; consumers see what it wrote.
	TrustCompressed bool
	// Decompressor is needed for compressed batches.
	Decompressor *Decompressor
}

// Validate judges produced batches and returns what is to be stored, still without offsets and
// leader epoch: b, patched in place where the topic's timestamp type or a wrong greatest
// timestamp ask for it, or new memory where the topic has a codec of its own. An Invalid leaves b
// as it was, and nothing of it may be stored.
//
// A client's request holds exactly one batch per partition. The checks, their order and their
// codes are those of Kafka 3.9 (ProduceRequest.validateRecords, UnifiedLog.
// analyzeAndValidateRecords, LogValidator), with the differences that doc.go lists.
func Validate(b []byte, o ValidateOptions) ([]byte, *Invalid) {
	if o.Origin == Coordinator {
		return validateOwn(b, o)
	}
	batch, bad := onlyBatch(b, o)
	if bad != nil {
		return nil, bad
	}
	if batch.BaseOffset() != 0 {
		return nil, invalid(kerror.InvalidRecord, "the base offset is %d; a client's is 0", batch.BaseOffset())
	}
	if bad := checkWhole(batch, o); bad != nil {
		return nil, bad
	}
	if bad := checkHeader(batch); bad != nil {
		return nil, bad
	}
	return validateRecords(batch, o)
}

// onlyBatch returns the one batch of format v2 that a request may hold. What is cut off behind it
// is dropped, as Kafka does.
func onlyBatch(b []byte, o ValidateOptions) (Batch, *Invalid) {
	size, bad := entrySize(b)
	if bad != nil {
		return nil, bad
	}
	switch {
	case size == 0:
		return nil, invalid(kerror.InvalidRecord, "no whole record batch")
	case b[posMagic] != magicV2:
		return nil, invalid(kerror.InvalidRecord, "message sets of format %d are not taken, only batches of format 2", b[posMagic])
	case size < HeaderSize:
		return nil, invalid(kerror.CorruptMessage, "the record batch has %d bytes, less than a header", size)
	}
	batch := Batch(b[:size:size])
	if batch.Codec() == Zstd && o.ProduceVersion < 7 {
		return nil, invalid(kerror.UnsupportedCompressionType, "zstd needs Produce version 7")
	}
	switch more, bad := entrySize(b[size:]); {
	case bad != nil:
		return nil, bad
	case more > 0:
		return nil, invalid(kerror.InvalidRecord, "more than one record batch for a partition")
	}
	return batch, nil
}

// entrySize returns the length of the batch, or message of an older format, that b begins with;
// 0 if b does not hold all of it.
func entrySize(b []byte) (int, *Invalid) {
	const messageMin = 14 // a message of format 0 without key and value
	if len(b) < headerPrefix {
		return 0, nil
	}
	length := int64(Batch(b).int32(posLength))
	if magic := int8(b[posMagic]); length < messageMin || magic < 0 || magic > magicV2 {
		return 0, invalid(kerror.CorruptMessage, "a record batch of length %d and format %d", length, magic)
	}
	if lengthBase+length > int64(len(b)) {
		return 0, nil
	}
	return int(lengthBase + length), nil
}

// checkWhole looks at what a batch of any origin has to keep.
func checkWhole(b Batch, o ValidateOptions) *Invalid {
	if bad := checkMax(b, o); bad != nil {
		return bad
	}
	if sum := b.computeCRC(); sum != b.CRC() {
		return invalid(kerror.CorruptMessage, "the record batch has CRC %08x, should have %08x", b.CRC(), sum)
	}
	return nil
}

func checkMax(b Batch, o ValidateOptions) *Invalid {
	if o.MaxBatchBytes > 0 && len(b) > o.MaxBatchBytes {
		return invalid(kerror.MessageTooLarge, "the record batch has %d bytes, more than max.message.bytes, %d", len(b), o.MaxBatchBytes)
	}
	return nil
}

// checkSegment comes last: records to blame are told first.
func checkSegment(b []byte, o ValidateOptions) *Invalid {
	if o.SegmentBytes > 0 && len(b) > o.SegmentBytes {
		return invalid(kerror.RecordListTooLarge, "the record batches have %d bytes, more than segment.bytes, %d", len(b), o.SegmentBytes)
	}
	return nil
}

// checkHeader looks at what only clients' batches must be like.
func checkHeader(b Batch) *Invalid {
	switch {
	case !b.Codec().Valid():
		// Kafka fails at the number itself, before it could say that it is not supported.
		return invalid(kerror.UnknownServerError, "no such compression: %d", int8(b.Codec()))
	case b.LastOffsetDelta() < 0:
		return invalid(kerror.InvalidRecord, "the last offset delta is %d", b.LastOffsetDelta())
	case b.Count() <= 0:
		return invalid(kerror.InvalidRecord, "the number of records is %d", b.Count())
	case int64(b.Count()) != int64(b.LastOffsetDelta())+1:
		return invalid(kerror.InvalidRecord, "%d records cannot have a last offset delta of %d", b.Count(), b.LastOffsetDelta())
	case b.IsControl():
		return invalid(kerror.InvalidRecord, "clients may not write control records")
	case b.HasProducer() && b.BaseSequence() < 0:
		return invalid(kerror.InvalidRecord, "sequence number %d of producer %d", b.BaseSequence(), b.ProducerID())
	}
	return nil
}

// validateOwn checks that the broker's own batches are whole and small enough.
func validateOwn(b []byte, o ValidateOptions) ([]byte, *Invalid) {
	for batch, err := range All(b) {
		if err == nil {
			err = batch.Check()
		}
		if err != nil {
			return nil, invalid(kerror.CorruptMessage, "%v", err)
		}
		if bad := checkMax(batch, o); bad != nil {
			return nil, bad
		}
	}
	if len(b) == 0 {
		return nil, invalid(kerror.InvalidRecord, "no whole record batch")
	}
	if bad := checkSegment(b, o); bad != nil {
		return nil, bad
	}
	return b, nil
}

// validateRecords looks at the records if it has to, and makes the batch what the topic stores.
func validateRecords(b Batch, o ValidateOptions) ([]byte, *Invalid) {
	convert := o.Compression != nil && o.Compression.Codec != KeepCodec && o.Compression.Codec != b.Codec()
	maxTimestamp := b.MaxTimestamp()
	block := b.records()
	if b.Codec() == Uncompressed || !o.TrustCompressed || convert || o.readsRecords() {
		opened, release, err := o.Decompressor.open(b)
		if err != nil {
			return nil, refusal(err)
		}
		defer release()
		block = opened
		var bad *Invalid
		if maxTimestamp, bad = checkRecords(b, block, o); bad != nil {
			return nil, bad
		}
	} else if bad := checkTrusted(b, o); bad != nil {
		return nil, bad
	}
	if convert {
		out, err := rebuild(b, block, *o.Compression, o.Compressor)
		if err != nil {
			return nil, invalid(kerror.UnknownServerError, "%v", err)
		}
		if bad := checkMax(out, o); bad != nil {
			return nil, bad
		}
		b = out
	}
	if bad := checkSegment(b, o); bad != nil {
		return nil, bad
	}
	if o.TimestampType == LogAppendTime {
		maxTimestamp = o.Now
	}
	b.setMaxTimestamp(o.TimestampType, maxTimestamp)
	return b, nil
}

// readsRecords reports whether a check needs each record.
func (o *ValidateOptions) readsRecords() bool {
	return o.Compacted || o.TimestampType == CreateTime && o.TimestampBeforeMax > 0
}

// checkTrusted judges by the header what checkRecords would by the records.
func checkTrusted(b Batch, o ValidateOptions) *Invalid {
	switch {
	case o.TimestampType == CreateTime && o.tooLate(b.MaxTimestamp()):
		return invalid(kerror.InvalidTimestamp, "the greatest timestamp, %d, is out of range", b.MaxTimestamp())
	case o.TimestampType == LogAppendTime && b.TimestampType() == LogAppendTime:
		return invalid(kerror.InvalidTimestamp, "a producer may not set the type LogAppendTime")
	}
	return nil
}

// checkRecords judges each record and returns the greatest timestamp.
func checkRecords(b Batch, block []byte, o ValidateOptions) (int64, *Invalid) {
	c := newCursor(b, block)
	var v verdict
	greatest := NoTimestamp
	for i := int32(0); c.more(); i++ {
		if !c.skim() && !c.next() {
			return 0, refusal(c.err)
		}
		if c.delta != i {
			v.blame(kerror.InvalidRecord, i, "offset delta %d of record %d", c.delta, i)
		}
		o.judge(&v, b, &c.rec, i)
		greatest = max(greatest, c.rec.Timestamp)
	}
	if err := c.end(); err != nil {
		return 0, refusal(err)
	}
	return greatest, v.invalid()
}

// judge looks at one record by the topic's settings.
func (o *ValidateOptions) judge(v *verdict, b Batch, r *Record, i int32) {
	if o.Compacted && r.Key == nil {
		v.blame(kerror.InvalidRecord, i, "a compacted topic takes no record without a key")
		return
	}
	switch {
	case o.TimestampType == CreateTime && r.Timestamp != NoTimestamp:
		if o.tooEarly(r.Timestamp) || o.tooLate(r.Timestamp) {
			v.blame(kerror.InvalidTimestamp, i, "timestamp %d is out of the range around %d that the topic takes", r.Timestamp, o.Now)
		}
	case b.TimestampType() == LogAppendTime:
		v.blame(kerror.InvalidTimestamp, i, "a producer may not set the type LogAppendTime")
	}
}

func (o *ValidateOptions) tooEarly(ts int64) bool {
	return o.TimestampBeforeMax > 0 && apart(ts, o.Now) > o.TimestampBeforeMax
}

func (o *ValidateOptions) tooLate(ts int64) bool {
	return o.TimestampAfterMax > 0 && apart(o.Now, ts) > o.TimestampAfterMax
}

// apart returns to - from, or the greatest number where that is beyond it: a client chooses its
// timestamps freely.
func apart(from, to int64) int64 {
	if d := to - from; (d < to) == (from > 0) {
		return d
	}
	if to > from {
		return math.MaxInt64
	}
	return math.MinInt64
}

// verdict collects the records to blame.
type verdict struct {
	code    kerror.Code
	records []RecordError
}

func (v *verdict) blame(c kerror.Code, i int32, format string, args ...any) {
	if v.code != kerror.InvalidTimestamp { // which wins, as in Kafka
		v.code = c
	}
	if len(v.records) < recordErrorsMax {
		v.records = append(v.records, RecordError{Index: i, Message: invalid(c, format, args...).Message})
	}
}

func (v *verdict) invalid() *Invalid {
	if v.code == kerror.OK {
		return nil
	}
	return &Invalid{Code: v.code, Message: "some records of the batch were refused", Records: v.records}
}

// refusal tells a client of records that cannot be read. The CRC was right: the client wrote
// them so, and would write them so again.
func refusal(err error) *Invalid {
	var damage *CorruptError
	if errors.As(err, &damage) {
		return invalid(kerror.InvalidRecord, "%s", damage.Reason)
	}
	return invalid(kerror.MessageTooLarge, "%v", err)
}
