package record

import "fmt"

// Recompress returns the batch with its records compressed by c, in memory of its own; all else
// in the header is kept. The records are not looked into. An error is a *CorruptError or wraps
// ErrTooLarge.
func Recompress(b Batch, c Compression, z *Compressor, d *Decompressor) (Batch, error) {
	block, release, err := d.open(b)
	if err != nil {
		return nil, err
	}
	defer release()
	return rebuild(b, block, c, z)
}

// rebuild returns a batch of b's header and the records of block, compressed by c.
func rebuild(b Batch, block []byte, c Compression, z *Compressor) (Batch, error) {
	if b.Count() == 0 {
		c = Compression{} // nothing to compress, as compaction leaves it
	}
	size := HeaderSize + len(block)
	if c.Codec != Uncompressed {
		size = HeaderSize + len(block)/2
	}
	out, err := z.compress(append(make([]byte, 0, size), b[:HeaderSize]...), block, c)
	if err != nil {
		return nil, fmt.Errorf("compress batch at offset %d by %v: %w", b.BaseOffset(), c.Codec, err)
	}
	n := Batch(out)
	n.setCodec(c.Codec)
	n.setSize(len(n))
	n.seal()
	return n, nil
}

// FilterOptions say what Filter changes besides leaving records out.
type FilterOptions struct {
	// DeleteHorizon, unless it is NoTimestamp, is stamped on the batch if it has none yet: the
	// time from which its tombstones or its marker may go (KIP-534).
	DeleteHorizon int64
	Compressor    *Compressor // may be nil
	Decompressor  *Decompressor
}

// Filter returns the batch with those records that keep says, as compaction stores it: base and
// last offset, the producer's fields and the codec stay, so that offsets never move and a
// producer's last sequence is not forgotten; the greatest timestamp is that of the records left.
// The result has memory of its own, also when all records are kept; with none it is a header.
// What keep is given is valid during its call.
func Filter(b Batch, keep func(Record) bool, o FilterOptions) (Batch, error) {
	horizon, stamped := b.DeleteHorizon()
	if !stamped && o.DeleteHorizon != NoTimestamp {
		horizon, stamped = o.DeleteHorizon, true
	}
	n := NewBuilder(filterOptions(b, o.Compressor))
	if stamped {
		n.baseTime, n.baseFixed = horizon, true
	}
	for r, err := range b.Records(o.Decompressor) {
		if err != nil {
			return nil, err
		}
		if keep(r) {
			n.AppendAt(r)
		}
	}
	if n.count == 0 {
		n.maxTime = b.MaxTimestamp()
		if !stamped {
			n.baseTime = b.BaseTimestamp()
		}
	}
	n.lastDelta = b.LastOffsetDelta()
	out, err := n.Build()
	if err != nil {
		return nil, fmt.Errorf("filter batch at offset %d: %w", b.BaseOffset(), err)
	}
	if stamped {
		out.setHorizon()
	}
	return out, nil
}

func filterOptions(b Batch, z *Compressor) BuilderOptions {
	return BuilderOptions{
		BaseOffset:           b.BaseOffset(),
		PartitionLeaderEpoch: b.PartitionLeaderEpoch(),
		Compression:          Compression{Codec: b.Codec()},
		Compressor:           z,
		TimestampType:        b.TimestampType(),
		LogAppendTime:        b.MaxTimestamp(),
		Producer:             &Producer{b.ProducerID(), b.ProducerEpoch(), b.BaseSequence()},
		Transactional:        b.IsTransactional(),
		Control:              b.IsControl(),
	}
}
