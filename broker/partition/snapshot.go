package partition

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// A snapshot of the producers is Kafka's file, which remembers one batch of
// each producer, and after it what Kafka's readers never look at: the earlier
// batches of the window, so that a restart does not turn a repeated batch into
// an out-of-order one.
//
//	version i16=1 · crc u32 of all that follows · count i32 · entries
//	entry: producerId i64 · epoch i16 · lastSequence i32 · lastOffset i64 · offsetDelta i32 ·
//	       timestamp i64 · coordinatorEpoch i32 · txnFirstOffset i64
//	then:  "holtwin1" · for each entry: firstSequence i32 of the last batch · n u8 · n × earlier batch
//	batch: firstSequence i32 · lastSequence i32 · lastOffset i64 · offsetDelta i32 · timestamp i64
const (
	snapshotVersion = 1
	snapshotHeader  = 2 + 4 + 4
	snapshotEntry   = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
	snapshotBatch   = 4 + 4 + 8 + 4 + 8
	snapshotWindows = "holtwin1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeSnapshot returns the snapshot of ps.
func encodeSnapshot(ps *producers) []byte {
	be := binary.BigEndian
	all := ps.sorted()
	b := make([]byte, 0, snapshotHeader+len(all)*(snapshotEntry+8))
	b = be.AppendUint16(b, snapshotVersion)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, uint32(len(all)))
	for _, p := range all {
		var w written
		if p.n == 0 {
			w = written{lastSequence: -1, lastOffset: -1, timestamp: p.timestamp}
		} else {
			w = p.last[p.n-1]
		}
		b = be.AppendUint64(b, uint64(p.id))
		b = be.AppendUint16(b, uint16(p.epoch))
		b = be.AppendUint32(b, uint32(w.lastSequence))
		b = be.AppendUint64(b, uint64(w.lastOffset))
		b = be.AppendUint32(b, uint32(w.delta))
		b = be.AppendUint64(b, uint64(p.timestamp))
		b = be.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = be.AppendUint64(b, uint64(p.txnFirst))
	}
	b = append(b, snapshotWindows...)
	for _, p := range all {
		b = p.appendWindow(b)
	}
	be.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

func (p *producer) appendWindow(b []byte) []byte {
	be := binary.BigEndian
	if p.n == 0 {
		return append(be.AppendUint32(b, ^uint32(0)), 0)
	}
	b = be.AppendUint32(b, uint32(p.last[p.n-1].firstSequence))
	b = append(b, byte(p.n-1))
	for _, w := range p.last[:p.n-1] {
		b = be.AppendUint32(b, uint32(w.firstSequence))
		b = be.AppendUint32(b, uint32(w.lastSequence))
		b = be.AppendUint64(b, uint64(w.lastOffset))
		b = be.AppendUint32(b, uint32(w.delta))
		b = be.AppendUint64(b, uint64(w.timestamp))
	}
	return b
}

// reader takes numbers off bytes; short ones make it bad and yield zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, 8)
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) i16() int16 { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) i32() int32 { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) i64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

// decodeSnapshot returns the state that a snapshot at offset has; Kafka's have
// no windows beyond the last batch.
func decodeSnapshot(b []byte, offset int64) (*producers, error) {
	r := &reader{b: b}
	if v := r.i16(); v != snapshotVersion || r.bad {
		return nil, fmt.Errorf("producer snapshot of version %d", v)
	}
	if crc := uint32(r.i32()); r.bad || crc != crc32.Checksum(b[6:], castagnoli) {
		return nil, errors.New("producer snapshot has a wrong checksum")
	}
	n := int(r.i32())
	if n < 0 || n > len(r.b)/snapshotEntry {
		return nil, fmt.Errorf("producer snapshot announces %d entries in %d bytes", n, len(r.b))
	}
	ps := &producers{next: offset}
	order := make([]*producer, n)
	for i := range order {
		order[i] = ps.decodeEntry(r)
	}
	if string(r.b[:min(len(r.b), len(snapshotWindows))]) == snapshotWindows {
		r.take(len(snapshotWindows))
		for _, p := range order {
			p.decodeWindow(r)
		}
	}
	if r.bad {
		return nil, errors.New("producer snapshot is cut short")
	}
	slices.SortFunc(ps.open, func(a, b transaction) int { return cmp.Compare(a.first, b.first) })
	return ps, nil
}

func (ps *producers) decodeEntry(r *reader) *producer {
	p := ps.get(r.i64())
	p.epoch = r.i16()
	w := written{lastSequence: r.i32(), lastOffset: r.i64(), delta: r.i32()}
	p.timestamp = r.i64()
	p.coordinatorEpoch = r.i32()
	p.txnFirst = r.i64()
	if w.lastOffset >= 0 {
		w.timestamp = p.timestamp
		w.firstSequence = firstSequence(w)
		p.add(w)
	}
	if p.txnFirst >= 0 {
		ps.open = append(ps.open, transaction{producer: p.id, first: p.txnFirst, last: noOffset})
	} else {
		p.txnFirst = noOffset
	}
	return p
}

// firstSequence is what Kafka computes of an entry.
func firstSequence(w written) int32 {
	if w.lastSequence < 0 {
		return w.lastSequence
	}
	first := int64(w.lastSequence) - int64(w.delta)
	if first < 0 {
		first += 1 << 31
	}
	return int32(first)
}

func (p *producer) decodeWindow(r *reader) {
	first := r.i32()
	n := int(r.take(1)[0])
	if p.n == 0 || r.bad || n >= window {
		r.bad = r.bad || n > 0
		return
	}
	last := p.last[0]
	last.firstSequence = first
	p.n = 0
	for range n {
		p.add(written{firstSequence: r.i32(), lastSequence: r.i32(), lastOffset: r.i64(), delta: r.i32(), timestamp: r.i64()})
	}
	p.add(last)
}
