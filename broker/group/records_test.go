package group

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

// TestBytes compares records with bytes written down by hand from Kafka's schemas (OffsetCommitKey.json,
// OffsetCommitValue.json, GroupMetadataKey.json, GroupMetadataValue.json).
func TestBytes(t *testing.T) {
	check := func(what string, got []byte, want string) {
		t.Helper()
		if !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s:\ngot  %x\nwant %x", what, got, unhex(t, want))
		}
	}
	tp := topicPartition{"top", 7}
	check("key of an offset", appendOffsetKey(nil, "grp", tp), `
		0001                version
		0003 677270         group
		0003 746f70         topic
		00000007            partition`)
	check("key of a group", appendGroupKey(nil, "grp"), `0002 0003 677270`)

	v := committed{offset: 258, leaderEpoch: 5, metadata: "m", commitTime: 1000000, expireTime: -1}
	check("offset", v.appendTo(nil), `
		0003                version
		0000000000000102    offset
		00000005            leader epoch
		0001 6d             metadata
		00000000000f4240    commit time`)
	v.expireTime = 1000001
	check("offset that expires", v.appendTo(nil), `
		0001                version
		0000000000000102    offset
		0001 6d             metadata
		00000000000f4240    commit time
		00000000000f4241    expiry`)

	g := newGroup("grp", 1000000)
	instance := "i"
	m := &member{id: "c-1", instance: &instance, client: Client{"c", "/h"}, rebalanceMillis: 60000, sessionMillis: 10000,
		protocols: []protocol{{"range", []byte{1, 2}}}}
	g.add(m, "consumer")
	g.nextGeneration(1000000)
	check("group", appendGroupValue(nil, g, func(*member) []byte { return []byte{9} }), `
		0003                    version
		0008 636f6e73756d6572   protocol type
		00000001                generation
		0005 72616e6765         protocol
		0003 632d31             leader
		00000000000f4240        since
		00000001                members
		0003 632d31             id
		0001 69                 instance
		0001 63                 client
		0002 2f68               host
		0000ea60                rebalance timeout
		00002710                session timeout
		00000002 0102           subscription
		00000001 09             assignment`)

	e := newGroup("grp", 1000000)
	e.protocolType = "consumer"
	e.nextGeneration(1000000)
	check("empty group", appendGroupValue(nil, e, nil), `
		0003 0008 636f6e73756d6572 00000001
		ffff                    no protocol
		ffff                    no leader
		00000000000f4240
		00000000                members`)
}

// TestOldVersions reads values that other releases of Kafka wrote.
func TestOldVersions(t *testing.T) {
	for version := int16(0); version <= 4; version++ {
		k := kmsg.NewOffsetCommitValue()
		k.Version, k.Offset, k.LeaderEpoch, k.Metadata, k.CommitTimestamp, k.ExpireTimestamp = version, 5, 3, "m", 10, 20
		v, err := readOffsetValue(k.AppendTo(nil))
		want := committed{offset: 5, leaderEpoch: -1, metadata: "m", commitTime: 10, expireTime: -1}
		if version >= 3 {
			want.leaderEpoch = 3
		}
		if version == 1 {
			want.expireTime = 20
		}
		if err != nil || v != want {
			t.Errorf("version %d: %+v, %v", version, v, err)
		}

		g := kmsg.NewGroupMetadataValue()
		g.Version, g.ProtocolType, g.Generation, g.CurrentStateTimestamp = version, "consumer", 4, 77
		g.Members = []kmsg.GroupMetadataValueMember{{MemberID: "m", RebalanceTimeoutMillis: 9, SessionTimeoutMillis: 8, Subscription: []byte{1}}}
		r, err := readGroupValue(g.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		since, rebalance := int64(-1), int32(8)
		if version >= 2 {
			since = 77
		}
		if version >= 1 {
			rebalance = 9
		}
		if r.Generation != 4 || r.CurrentStateTimestamp != since || r.Members[0].RebalanceTimeoutMillis != rebalance {
			t.Errorf("version %d: %+v", version, r)
		}
	}
}

func TestBadRecords(t *testing.T) {
	offset := appendOffsetKey(nil, "g", topicPartition{"t", 0})
	for _, c := range []struct {
		name       string
		key, value []byte
		bad        bool
	}{
		{"no key", nil, nil, true},
		{"short key", []byte{0}, nil, true},
		{"key cut short", offset[:5], nil, true},
		{"key of a later protocol", []byte{0, 3, 0, 1, 'g'}, []byte{1}, false},
		{"offset cut short", offset, []byte{0, 3, 0}, true},
		{"offset of a later version", offset, append([]byte{0, 9}, make([]byte, 40)...), true},
		{"group of a later version", appendGroupKey(nil, "g"), append([]byte{0, 9}, make([]byte, 40)...), true},
		{"group cut short", appendGroupKey(nil, "g"), []byte{0, 3, 0}, true},
		{"tombstone of nothing", offset, nil, false},
	} {
		b := record.NewBuilder(record.BuilderOptions{})
		b.Append(record.Record{Key: c.key, Value: c.value})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := newCore(Config{}.withDefaults(), new(journal.Outbox)).Replay(batch); (err != nil) != c.bad {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestCompressed loads a batch as Kafka may have written it.
func TestCompressed(t *testing.T) {
	b := record.NewBuilder(record.BuilderOptions{Compression: record.Compression{Codec: record.Gzip}})
	v := committed{offset: 5, expireTime: -1}
	b.Append(record.Record{Key: appendOffsetKey(nil, "g", topicPartition{"t", 0}), Value: v.appendTo(nil)})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(Config{}.withDefaults(), new(journal.Outbox))
	if err := c.Replay(batch); err != nil {
		t.Fatal(err)
	}
	if o := c.groups["g"].offsets[topicPartition{"t", 0}]; o.offset != 5 || !o.exists {
		t.Fatalf("%+v", o)
	}
}

func TestSubscriptions(t *testing.T) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 3, []string{"a", "bc"}
	good := m.AppendTo(nil)
	for _, c := range []struct {
		name string
		b    []byte
		want int // topics, -1: unknown
	}{
		{"two", good, 2},
		{"none", []byte{0, 0, 0, 0, 0, 0}, 0},
		{"a later version", append([]byte{0, 99}, good[2:]...), 2},
		{"version below 0", append([]byte{255, 255}, good[2:]...), -1},
		{"empty", nil, -1},
		{"null topics", []byte{0, 0, 255, 255, 255, 255}, -1},
		{"cut short", good[:9], -1},
		{"a count without contents", []byte{0, 0, 127, 255, 255, 255, 0, 1, 'a'}, -1},
		{"a size below 0", []byte{0, 0, 0, 0, 0, 1, 255, 254}, -1},
	} {
		topics := map[string]struct{}{}
		n := -1
		if addTopics(topics, c.b) {
			n = len(topics)
		}
		if n != c.want {
			t.Errorf("%s: %d topics, want %d", c.name, n, c.want)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, c := range []struct{ code, store, commit kerror.Code }{
		{kerror.OK, kerror.OK, kerror.OK},
		{kerror.NotEnoughReplicas, kerror.CoordinatorNotAvailable, kerror.CoordinatorNotAvailable},
		{kerror.NotEnoughReplicasAfterAppend, kerror.CoordinatorNotAvailable, kerror.CoordinatorNotAvailable},
		{kerror.UnknownTopicOrPartition, kerror.CoordinatorNotAvailable, kerror.CoordinatorNotAvailable},
		{kerror.NotLeaderOrFollower, kerror.NotCoordinator, kerror.NotCoordinator},
		{kerror.KafkaStorageError, kerror.NotCoordinator, kerror.NotCoordinator},
		{kerror.RequestTimedOut, kerror.RebalanceInProgress, kerror.RequestTimedOut},
		{kerror.MessageTooLarge, kerror.UnknownServerError, kerror.InvalidCommitOffsetSize},
		{kerror.RecordListTooLarge, kerror.UnknownServerError, kerror.InvalidCommitOffsetSize},
		{kerror.NetworkException, kerror.NetworkException, kerror.CoordinatorLoadInProgress},
		{kerror.InvalidTxnState, kerror.InvalidTxnState, kerror.InvalidTxnState},
	} {
		if s, m := storeCode(c.code), commitCode(c.code); s != c.store || m != c.commit {
			t.Errorf("%v: store %v, commit %v; want %v, %v", c.code, s, m, c.store, c.commit)
		}
	}
}

// FuzzReplay feeds keys and values to a core: no panic, and what is taken can be served.
func FuzzReplay(f *testing.F) {
	g := newGroup("g", 1)
	g.add(&member{id: "m", protocols: []protocol{{"range", []byte{0, 0, 0, 0, 0, 1, 0, 1, 't'}}}}, "consumer")
	g.nextGeneration(1)
	v := committed{offset: 5, expireTime: -1}
	f.Add(appendGroupKey(nil, "g"), appendGroupValue(nil, g, func(*member) []byte { return nil }), false)
	f.Add(appendOffsetKey(nil, "g", topicPartition{"t", 1}), v.appendTo(nil), true)
	f.Fuzz(func(t *testing.T, key, value []byte, txn bool) {
		o := record.BuilderOptions{}
		if txn {
			o = record.BuilderOptions{Transactional: true, Producer: &record.Producer{ID: 1, BaseSequence: record.NoSequence}}
		}
		b := record.NewBuilder(o)
		b.Append(record.Record{Key: key, Value: value})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		c := newCore(Config{NewID: func() string { return "x" }}.withDefaults(), new(journal.Outbox))
		if c.Replay(batch) != nil {
			return
		}
		c.Loaded(journal.Instant{})
		for name := range c.groups {
			c.describe(name, new(kmsg.DescribeGroupsResponseGroup))
			req := kmsg.NewOffsetFetchRequestGroup()
			req.Group = name
			c.fetch(&req, true, new(kmsg.OffsetFetchResponseGroup))
		}
		c.Tick(journal.Instant{Up: 1 << 60, Unix: 1 << 60})
		c.Unload()
	})
}
