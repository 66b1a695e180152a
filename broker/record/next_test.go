package record

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestDamage(t *testing.T) {
	good := build(t, BuilderOptions{}, sample(5)...)
	for pos := range len(good) {
		b := Batch(bytes.Clone(good))
		b[pos] ^= 0x41
		batch, _, err := Next(b)
		if err == nil {
			err = batch.Check()
		}
		var damage *CorruptError
		switch outside := pos < posLength || pos >= posLeaderEpoch && pos < posMagic; {
		case outside && err != nil:
			t.Errorf("byte %d lies outside the CRC: %v", pos, err)
		case !outside && err != io.ErrUnexpectedEOF && !errors.As(err, &damage):
			t.Errorf("byte %d changed: %v", pos, err)
		}
	}
}

func TestCheckOfOtherLengths(t *testing.T) {
	good := build(t, BuilderOptions{}, sample(5)...)
	for name, b := range map[string]Batch{"empty": nil, "short": good[:30], "cut": good[:len(good)-1], "long": append(bytes.Clone(good), 0),
		"count negative": edit(good, func(b Batch) { b.putInt32(posCount, -1) }), "delta negative": edit(good, func(b Batch) { b.putInt32(posLastDelta, -1) })} {
		var damage *CorruptError
		if err := b.Check(); !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAll(t *testing.T) {
	one := build(t, BuilderOptions{BaseOffset: 10}, sample(2)...)
	two := build(t, BuilderOptions{BaseOffset: 12}, sample(3)...)
	log := append(bytes.Clone(one), two...)
	var offsets []int64
	for b, err := range All(log) {
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, b.BaseOffset())
	}
	if len(offsets) != 2 || offsets[0] != 10 || offsets[1] != 12 {
		t.Errorf("batches at %v", offsets)
	}
	var last error
	n := 0
	for _, last = range All(log[:len(log)-1]) {
		n++
	}
	if n != 2 || last != io.ErrUnexpectedEOF {
		t.Errorf("%d steps, the last with %v", n, last)
	}
}

// TestSearch damages the first of three batches and looks for the second.
func TestSearch(t *testing.T) {
	var log []byte
	var at []int
	for i := range int64(3) {
		at = append(at, len(log))
		log = append(log, build(t, BuilderOptions{BaseOffset: 100 + i*5}, sample(5)...)...)
	}
	if got := Search(log, 0); got != 0 {
		t.Errorf("undamaged: %d", got)
	}
	if got := Search(log, 101); got != at[1] {
		t.Errorf("from 101: %d, want %d", got, at[1])
	}
	for _, pos := range []int{posLength, posLength + 3, posMagic, posCRC, at[1] - 1} {
		damaged := bytes.Clone(log)
		damaged[pos] ^= 0x20
		if got := Search(damaged, 0); got != at[1] {
			t.Errorf("byte %d damaged: %d, want %d", pos, got, at[1])
		}
	}
	for name, tail := range map[string][]byte{
		"zeros": make([]byte, 5000), "all magic": bytes.Repeat([]byte{2}, 5000), "a batch cut short": log[:at[1]-1], "nothing": nil,
	} {
		if got := Search(tail, 0); got != -1 {
			t.Errorf("%s: a batch at %d", name, got)
		}
	}
}

func TestSetters(t *testing.T) {
	b := build(t, BuilderOptions{Producer: &Producer{ID: 5, Epoch: 2, BaseSequence: 9}}, sample(5)...)
	crc := b.CRC()
	b.SetBaseOffset(1 << 40)
	b.SetPartitionLeaderEpoch(77)
	if b.BaseOffset() != 1<<40 || b.NextOffset() != 1<<40+5 || b.PartitionLeaderEpoch() != 77 || b.CRC() != crc {
		t.Errorf("offset %d, next %d, epoch %d, CRC %x, was %x", b.BaseOffset(), b.NextOffset(), b.PartitionLeaderEpoch(), b.CRC(), crc)
	}
	b.SetLogAppendTime(4711)
	if err := b.Check(); err != nil || b.CRC() == crc {
		t.Errorf("after SetLogAppendTime: %v, CRC %x, was %x", err, b.CRC(), crc)
	}
	for _, r := range collect(t, b, nil) {
		if r.Timestamp != 4711 {
			t.Errorf("record at %d has time %d", r.Offset, r.Timestamp)
		}
	}
	if b.ProducerID() != 5 || b.Count() != 5 || b.BaseSequence() != 9 {
		t.Error("other fields changed")
	}
}

func TestAddSequence(t *testing.T) {
	const greatest = 1<<31 - 1
	for _, c := range []struct{ seq, n, want int32 }{{0, 0, 0}, {5, 7, 12}, {greatest, 0, greatest}, {greatest, 1, 0}, {greatest - 1, 3, 1}, {greatest, greatest, greatest - 1}} {
		if got := AddSequence(c.seq, c.n); got != c.want {
			t.Errorf("AddSequence(%d, %d) = %d, want %d", c.seq, c.n, got, c.want)
		}
	}
}
