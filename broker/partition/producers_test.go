package partition_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/kerror"
	"holt/broker/partition"
	"holt/broker/record"
)

// stored is a batch as the model of a log with producers has it.
type stored struct {
	first, last   int64
	id            int64
	epoch         int16
	sequence      int32
	txn           bool
	marker        bool
	commit        bool
	coordinator   int32
	epochOfLeader int32
}

func (s stored) lastSequence() int32 { return s.sequence + int32(s.last-s.first) }

// told is what the batches of one producer come to.
type told struct {
	epoch       int16
	window      []stored // the last five of the epoch
	coordinator int32
	txnFirst    int64
}

func (p *told) next() int32 {
	if len(p.window) == 0 {
		return 0
	}
	return p.window[len(p.window)-1].lastSequence() + 1
}

// txnSpan is a transaction, ended or open (last is -1).
type txnSpan struct {
	id          int64
	first, last int64
	aborted     bool
}

// produced is a random run over a log with idempotent and transactional producers.
type produced struct {
	run
	all []stored
	hw  int64
	// reloaded is where the log ended when the producers' states were read last. As in Kafka, snapshots do
	// not have transactions that ended and whose marker is not committed.
	reloaded int64
}

// derive computes from all batches what the log should know: slowly, and from nothing else.
func (x *produced) derive() (map[int64]*told, []txnSpan) {
	producers, spans := map[int64]*told{}, []txnSpan{}
	for _, s := range x.all {
		p := producers[s.id]
		if p == nil {
			p = &told{epoch: -1, coordinator: -1, txnFirst: -1}
			producers[s.id] = p
		}
		if s.epoch != p.epoch {
			p.epoch, p.window = s.epoch, nil
		}
		if s.marker {
			p.coordinator = max(p.coordinator, s.coordinator)
			if p.txnFirst >= 0 {
				spans = append(spans, txnSpan{s.id, p.txnFirst, s.last, !s.commit})
				p.txnFirst = -1
			}
			continue
		}
		if p.window = append(p.window, s); len(p.window) > 5 {
			p.window = p.window[1:]
		}
		if s.txn && p.txnFirst < 0 {
			p.txnFirst = s.first
		}
	}
	for id, p := range producers {
		if p.txnFirst >= 0 {
			spans = append(spans, txnSpan{id, p.txnFirst, -1, false})
		}
	}
	return producers, spans
}

// TestProducersRandom has idempotent and transactional producers append what they should and what they
// should not, while the log is closed, cut, and its power fails. What each is answered, the last stable
// offset, the aborted transactions and the producers' states must be those that a model computes from all
// batches.
func TestProducersRandom(t *testing.T) {
	for i := range *seeds {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		if *only != 0 {
			seed = *only
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			(&produced{run: run{T: t, r: rand.New(rand.NewPCG(seed, 3))}}).steps(400)
		})
	}
}

func (x *produced) steps(n int) {
	x.fs = vfs.NewCrashableMem()
	if err := errors.Join(x.fs.MkdirAll("/data", 0o755), syncDir(x.fs, "/")); err != nil {
		x.Fatal(err)
	}
	x.cfg = partition.Defaults()
	x.cfg.SegmentBytes, x.cfg.IndexIntervalBytes = 3000, 200
	x.open()
	var err error
	if x.log, err = x.dir.Create(name, [16]byte{1, 2}, x.cfg); err != nil {
		x.Fatal(err)
	}
	for range n {
		x.step()
		x.check()
	}
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
}

func (x *produced) step() {
	x.Helper()
	switch k := x.r.IntN(100); {
	case k < 45:
		x.follow()
	case k < 60:
		x.repeat()
	case k < 68:
		x.wrong()
	case k < 80:
		x.marker()
	case k < 86:
		x.hw += x.r.Int64N(x.m.end - x.hw + 1)
		x.log.SetHighWatermark(x.hw)
	case k < 90:
		if err := x.log.Flush(); err != nil {
			x.Fatal(err)
		}
		x.m.flushed = x.m.end
	case k < 94:
		if err := x.dir.Close(); err != nil {
			x.Fatal(err)
		}
		x.open()
		x.m.flushed, x.reloaded = x.m.end, x.m.end
	case k < 97:
		x.cut(x.hw + x.r.Int64N(x.m.end-x.hw+1))
	default:
		x.powerFails()
	}
}

// put appends a batch of a producer and returns what came of it.
func (x *produced) put(s stored, n int) (partition.Appended, kerror.Code) {
	x.Helper()
	b := record.NewBuilder(record.BuilderOptions{Transactional: s.txn, Producer: &record.Producer{ID: s.id, Epoch: s.epoch, BaseSequence: s.sequence}})
	for range n {
		b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, x.r.IntN(100))})
	}
	batch, err := b.Build()
	if err != nil {
		x.Fatal(err)
	}
	at, invalid, err := x.log.AppendAsLeader(batch, partition.AppendOptions{LeaderEpoch: x.epoch, Now: 5, Origin: record.Client, ProduceVersion: 9})
	if err != nil {
		x.Fatal(err)
	}
	if invalid != nil {
		return at, invalid.Code
	}
	return at, kerror.OK
}

// took notes a batch that was appended.
func (x *produced) took(s stored, at partition.Appended) {
	x.Helper()
	if at.FirstOffset != x.m.end || at.Duplicate {
		x.Fatalf("appended at %d, duplicate %v, want %d", at.FirstOffset, at.Duplicate, x.m.end)
	}
	s.first, s.last, s.epochOfLeader = at.FirstOffset, at.LastOffset, x.epoch
	x.all, x.m.end = append(x.all, s), at.LastOffset+1
}

// follow appends what a producer sends next: in its transaction if one is open, else in one or not.
func (x *produced) follow() {
	producers, _ := x.derive()
	s := stored{id: x.r.Int64N(4)}
	if p := producers[s.id]; p != nil {
		s.epoch, s.sequence = max(p.epoch, 0), p.next()
		s.txn = p.txnFirst >= 0
		if !s.txn && x.r.IntN(10) == 0 {
			s.epoch, s.sequence = s.epoch+1, 0
		}
	}
	s.txn = s.txn || s.id%2 == 1 && x.r.IntN(2) == 0
	at, code := x.put(s, 1+x.r.IntN(3))
	if code != kerror.OK {
		x.Fatalf("%+v is refused: %v", s, code)
	}
	x.took(s, at)
}

// repeat sends one of the last batches again, which has its offsets already.
func (x *produced) repeat() {
	producers, _ := x.derive()
	p := producers[x.r.Int64N(4)]
	if p == nil || len(p.window) == 0 {
		return
	}
	s := p.window[x.r.IntN(len(p.window))]
	at, code := x.put(s, int(s.last-s.first)+1)
	if code != kerror.OK || !at.Duplicate || at.FirstOffset != s.first || at.LastOffset != s.last {
		x.Fatalf("%+v again: %+v, %v", s, at, code)
	}
}

// wrong sends what must be refused.
func (x *produced) wrong() {
	producers, _ := x.derive()
	s := stored{id: x.r.Int64N(4)}
	p := producers[s.id]
	if p == nil || len(p.window) == 0 {
		return
	}
	s.epoch, s.sequence, s.txn = p.epoch, p.next(), p.txnFirst >= 0
	var want kerror.Code
	switch x.r.IntN(4) {
	case 0:
		s.sequence, want = s.sequence+1, kerror.OutOfOrderSequenceNumber
	case 1:
		s.epoch, s.sequence, want = s.epoch+1, 1, kerror.OutOfOrderSequenceNumber
	case 2:
		if s.epoch == 0 {
			return
		}
		s.epoch, want = s.epoch-1, kerror.InvalidProducerEpoch
	case 3:
		if !s.txn {
			return
		}
		s.txn, want = false, kerror.InvalidTxnState
	}
	if at, code := x.put(s, 1); code != want {
		x.Fatalf("%+v: %+v, %v, want %v", s, at, code, want)
	}
}

// marker ends a transaction, or is a stale coordinator's.
func (x *produced) marker() {
	producers, _ := x.derive()
	s := stored{id: 1 + 2*x.r.Int64N(2), marker: true, txn: true, commit: x.r.IntN(2) == 0, coordinator: x.r.Int32N(3)}
	want := kerror.OK
	if p := producers[s.id]; p != nil {
		s.epoch = max(p.epoch, 0) + int16(x.r.IntN(2))
		if s.coordinator < p.coordinator {
			want = kerror.TransactionCoordinatorFenced
		}
	}
	m := record.Marker{ProducerID: s.id, ProducerEpoch: s.epoch, CoordinatorEpoch: s.coordinator, Commit: s.commit, Timestamp: time.Now().UnixMilli()}
	at, invalid, err := x.log.AppendAsLeader(m.Batch(), partition.AppendOptions{LeaderEpoch: x.epoch, Now: 5, Origin: record.Coordinator})
	code := kerror.OK
	if invalid != nil {
		code = invalid.Code
	}
	if err != nil || code != want {
		x.Fatalf("%+v: %v, %v, want %v", s, code, err, want)
	}
	if code == kerror.OK {
		x.took(s, at)
	}
}

// cut truncates, as a follower does, to where a batch begins.
func (x *produced) cut(to int64) {
	for _, s := range x.all {
		if s.first < to && s.last >= to {
			to = s.first
		}
	}
	if to < x.hw {
		return
	}
	if err := x.log.TruncateTo(to); err != nil {
		x.Fatal(err)
	}
	x.forget(to)
}

func (x *produced) forget(end int64) {
	x.all = slices.DeleteFunc(x.all, func(s stored) bool { return s.first >= end })
	x.m.end, x.m.flushed, x.hw, x.reloaded = end, min(x.m.flushed, end), min(x.hw, end), end
}

// powerFails keeps what was flushed, and some of the rest.
func (x *produced) powerFails() {
	x.Helper()
	fs := x.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: x.r.IntN(4) * 33, RNG: x.r})
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
	x.fs = fs
	x.open()
	end := x.log.EndOffset()
	if end < x.m.flushed || end > x.m.end {
		x.Fatalf("the log ends at %d after the power failed; %d of %d were durable", end, x.m.flushed, x.m.end)
	}
	x.forget(end)
	x.hw = x.log.HighWatermark()
}

// check compares all that the log knows of producers.
func (x *produced) check() {
	x.Helper()
	producers, spans := x.derive()
	stable, most := x.hw, x.hw
	var aborted []partition.AbortedTxn
	for _, s := range spans {
		if s.last < 0 || s.last >= x.hw {
			stable = min(stable, s.first)
			if s.last < 0 || s.last >= x.reloaded {
				most = min(most, s.first)
			}
		}
		if s.aborted {
			aborted = append(aborted, partition.AbortedTxn{ProducerID: s.id, FirstOffset: s.first})
		}
	}
	if got := x.log.LastStableOffset(); got < stable || got > most {
		x.Fatalf("last stable offset %d, want %d to %d (high watermark %d, %+v)", got, stable, most, x.hw, spans)
	}
	got, err := x.log.AbortedIn(x.log.StartOffset(), x.m.end)
	order := func(a, b partition.AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) }
	slices.SortFunc(got, order)
	slices.SortFunc(aborted, order)
	if err != nil || !slices.Equal(got, aborted) {
		x.Fatalf("aborted: %+v, %v, want %+v", got, err, aborted)
	}
	states := x.log.Producers()
	if len(states) != len(producers) {
		x.Fatalf("%d producers, want %d", len(states), len(producers))
	}
	for _, s := range states {
		p := producers[s.ID]
		want := partition.ProducerState{ID: s.ID, Epoch: p.epoch, LastSequence: p.next() - 1, LastTimestamp: s.LastTimestamp,
			CoordinatorEpoch: p.coordinator, TxnFirstOffset: p.txnFirst}
		if s != want {
			x.Fatalf("producer %+v, want %+v", s, want)
		}
	}
}

// TestGuards: the first batch of a transaction needs the guard that Verify gave, and a marker that comes in
// between voids it.
func TestGuards(t *testing.T) {
	x := &produced{run: run{T: t, r: rand.New(rand.NewPCG(1, 4))}}
	x.steps(0)
	x.open()
	put := func(sequence int32, guard uint64) kerror.Code {
		b := record.NewBuilder(record.BuilderOptions{Transactional: true, Producer: &record.Producer{ID: 9, BaseSequence: sequence}})
		b.Append(record.Record{Timestamp: time.Now().UnixMilli()})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		_, invalid, err := x.log.AppendAsLeader(batch, partition.AppendOptions{Now: 5, Origin: record.Client, ProduceVersion: 9, VerifyTxn: true, Guard: guard})
		if err != nil {
			t.Fatal(err)
		}
		if invalid != nil {
			return invalid.Code
		}
		return kerror.OK
	}
	marker := func() {
		m := record.Marker{ProducerID: 9, Commit: true, Timestamp: time.Now().UnixMilli()}
		if _, invalid, err := x.log.AppendAsLeader(m.Batch(), partition.AppendOptions{Now: 5, Origin: record.Coordinator}); invalid != nil || err != nil {
			t.Fatal(invalid, err)
		}
	}
	guard := x.log.Verify(9, 0)
	if guard == 0 || x.log.Verify(9, 0) != guard || x.log.Verify(9, 1) == guard {
		t.Error("guards")
	}
	guard = x.log.Verify(9, 0)
	marker()
	for i, want := range []struct {
		sequence int32
		guard    uint64
		code     kerror.Code
	}{
		{0, 0, kerror.InvalidTxnState}, {0, guard, kerror.InvalidTxnState}, {0, x.log.Verify(9, 0), kerror.OK}, {1, 0, kerror.OK},
	} {
		if code := put(want.sequence, want.guard); code != want.code {
			t.Errorf("batch %d: %v, want %v", i, code, want.code)
		}
	}
	if x.log.Verify(9, 0) != 0 {
		t.Error("a transaction that has begun needs no guard")
	}
	marker()
	if code := put(2, 0); code != kerror.InvalidTxnState {
		t.Errorf("after the end: %v", code)
	}
	if err := x.dir.Close(); err != nil {
		t.Fatal(err)
	}
}
