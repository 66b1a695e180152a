package txn

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// unhex reads lines of hex digits, each with a comment after two spaces.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  ")
		digits.WriteString(strings.ReplaceAll(line, " ", ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBytes compares records with bytes written down by hand from Kafka's schemas (TransactionLogKey.json,
// TransactionLogValue.json).
func TestBytes(t *testing.T) {
	check := func(what string, got []byte, want string) {
		t.Helper()
		if !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s:\ngot  %x\nwant %x", what, got, unhex(t, want))
		}
	}
	check("key", appendKey(nil, "tx"), `0000 0002 7478`)
	f := facts{producerID: 1000, epoch: 3, timeout: 60000, state: Empty, lastUpdate: 1000000, start: -1}
	check("empty", f.appendTo(nil), `
		0000                version
		00000000000003e8    producer id
		0003                epoch
		0000ea60            timeout
		00                  Empty
		ffffffff            no partitions
		00000000000f4240    last update
		ffffffffffffffff    start`)
	f.state, f.start = PrepareCommit, 1000000
	f.partitions = partitionSet{{"b", 2}: {}, {"a", 1}: {}, {"b", 0}: {}}
	check("decided", f.appendTo(nil), `
		0000 00000000000003e8 0003 0000ea60
		02                  PrepareCommit
		00000002            topics
		0001 61             topic
		00000001 00000001   partitions
		0001 62
		00000002 00000000 00000002
		00000000000f4240 00000000000f4240`)
	f.state, f.partitions = CompleteCommit, partitionSet{}
	check("complete", f.appendTo(nil), `
		0000 00000000000003e8 0003 0000ea60 04
		00000000            topics: none, which is not null
		00000000000f4240 00000000000f4240`)
}

func TestRead(t *testing.T) {
	v := kmsg.NewTxnMetadataValue()
	v.Version = 1
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis, v.State, v.PreviousProducerID = 5, 6, 7, kmsg.TransactionState(Ongoing), 4
	v.Topics = []kmsg.TxnMetadataValueTopic{{Topic: "t", Partitions: []int32{1, 2}}}
	f, err := readValue(v.AppendTo(nil)) // as Kafka 4 writes it
	if err != nil || f.producerID != 5 || f.epoch != 6 || f.timeout != 7 || f.state != Ongoing || len(f.partitions) != 2 || f.lastProducerID != 4 {
		t.Fatalf("%+v, %v", f, err)
	}
	good := f.appendTo(nil)
	state := bytes.Clone(good)
	state[16] = 6
	version := bytes.Clone(good)
	version[1] = 9
	for _, c := range []struct {
		name       string
		key, value []byte
		bad        bool
	}{
		{"good", appendKey(nil, "t"), good, false},
		{"no key", nil, good, true},
		{"key cut short", []byte{0, 0, 0, 9, 'x'}, good, true},
		{"key of a later version", []byte{0, 7, 1, 2}, []byte{1}, false},
		{"value cut short", appendKey(nil, "t"), good[:20], true},
		{"a state that is none in the log", appendKey(nil, "t"), state, true},
		{"value of a later version", appendKey(nil, "t"), version, true},
		{"gone", appendKey(nil, "t"), nil, false},
	} {
		b := record.NewBuilder(record.BuilderOptions{})
		b.Append(record.Record{Key: c.key, Value: c.value})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		core := newCore(Config{}.withDefaults(), 0, 1, new(journal.Outbox), nil)
		if err := core.Replay(batch); (err != nil) != c.bad {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, c := range []struct{ code, want kerror.Code }{
		{kerror.OK, kerror.OK},
		{kerror.NotEnoughReplicas, kerror.CoordinatorNotAvailable},
		{kerror.RequestTimedOut, kerror.CoordinatorNotAvailable},
		{kerror.NotLeaderOrFollower, kerror.NotCoordinator},
		{kerror.KafkaStorageError, kerror.NotCoordinator},
		{kerror.MessageTooLarge, kerror.UnknownServerError},
		{kerror.CorruptMessage, kerror.CorruptMessage},
	} {
		if got := appendCode(c.code); got != c.want {
			t.Errorf("%v: %v, want %v", c.code, got, c.want)
		}
	}
}

// FuzzReplay feeds keys and values to a core: no panic, and what is taken can be served.
func FuzzReplay(f *testing.F) {
	x := facts{producerID: 1, epoch: 2, timeout: 3, state: PrepareAbort, partitions: partitionSet{{"t", 0}: {}}, start: 5}
	f.Add(appendKey(nil, "t"), x.appendTo(nil))
	x.state = Ongoing
	f.Add(appendKey(nil, "t"), x.appendTo(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		b := record.NewBuilder(record.BuilderOptions{})
		b.Append(record.Record{Key: key, Value: value})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		out := new(journal.Outbox)
		c := newCore(Config{}.withDefaults(), 0, 1, out, func(Markers) {})
		if c.Replay(batch) != nil {
			return
		}
		c.Loaded(journal.Instant{})
		for id := range c.txns {
			c.describe(id, new(kmsg.DescribeTransactionsResponseTransactionState))
		}
		c.Tick(journal.Instant{Up: 1 << 60, Unix: 1 << 60})
		c.Unload()
	})
}
