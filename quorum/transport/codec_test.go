package transport

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// randomMessage fills in every field, or leaves it out.
func randomMessage(r *rand.Rand) *raftpb.Message {
	num := func() *uint64 { return new(r.Uint64() >> r.IntN(64)) }
	m := &raftpb.Message{
		Type: raftpb.MessageType(r.IntN(len(raftpb.MessageType_name))).Enum(),
		To:   num(), From: num(), Term: num(), LogTerm: num(), Index: num(), Commit: num(), Vote: num(), RejectHint: num(),
	}
	if r.IntN(2) == 0 {
		m.Reject = new(true)
	}
	if r.IntN(2) == 0 {
		m.Context = bytes.Repeat([]byte{byte(r.Uint32())}, 1+r.IntN(40))
	}
	for range r.IntN(4) {
		e := &raftpb.Entry{Type: raftpb.EntryType(r.IntN(3)).Enum(), Term: num(), Index: num()}
		if n := r.IntN(300); n > 0 {
			e.Data = bytes.Repeat([]byte{byte(n)}, n)
		}
		m.Entries = append(m.Entries, e)
	}
	if r.IntN(4) == 0 {
		m.Snapshot = &raftpb.Snapshot{
			Data:     []byte("members"),
			Metadata: &raftpb.SnapshotMetadata{Index: num(), Term: num(), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}},
		}
	}
	return m
}

func TestMessageRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		m := randomMessage(r)
		b, err := AppendMessage([]byte("before"), m)
		if err != nil {
			t.Fatal(err)
		}
		b = b[len("before"):]
		got, err := DecodeMessage(b)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if !proto.Equal(got, m) {
			t.Fatalf("got  %v\nwant %v", got, m)
		}
		if m.Snapshot == nil && len(b) > messageSize(m) {
			t.Fatalf("%d bytes, announced as %d", len(b), messageSize(m))
		}
		for n := range b {
			if _, err := DecodeMessage(b[:n]); err == nil {
				t.Fatalf("prefix of %d of %d bytes passes", n, len(b))
			}
		}
		if _, err := DecodeMessage(append(b[:len(b):len(b)], 0)); err == nil {
			t.Fatal("a byte too many passes")
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		b, err := AppendMessage(nil, randomMessage(r))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			return
		}
		again, err := AppendMessage(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeMessage(again); err != nil || !proto.Equal(got, m) {
			t.Fatalf("decoded %v, then %v (%v)", m, got, err)
		}
	})
}

func TestFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var sent [][]byte
	var items_ []outgoing
	for range 400 {
		p := bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(3000))
		sent = append(sent, p)
		items_ = append(items_, outgoing{payload: p})
	}
	b, err := encode(nil, laneApp, items_)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for rd := bytes.NewReader(b); rd.Len() > 0; frames++ {
		body, err := readFrame(rd)
		if err != nil {
			t.Fatal(err)
		}
		if err := items(body, func(item []byte) error {
			if !bytes.Equal(item, sent[0]) {
				t.Fatal("another item")
			}
			sent = sent[1:]
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) > 0 || frames < 2 {
		t.Errorf("%d items missing, %d frames", len(sent), frames)
	}
	for at := 0; at < len(b); at += 1 + at/8 {
		damaged := bytes.Clone(b)
		damaged[at] ^= 0x10
		rd := bytes.NewReader(damaged)
		var err error
		for err == nil && rd.Len() > 0 {
			_, err = readFrame(rd)
		}
		if err == nil {
			t.Errorf("damage at %d passes", at)
		}
	}
	// A length that lies must not reserve memory.
	if n := testing.AllocsPerRun(1, func() { readFrame(bytes.NewReader([]byte{7, 0, 0, 0, 0, 0, 0, 0, 1, 2})) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMessage(b *testing.B) {
	m := &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: new(uint64(2)), From: new(uint64(1)), Term: new(uint64(5)),
		LogTerm: new(uint64(5)), Index: new(uint64(1000)), Commit: new(uint64(999)),
		Entries: []*raftpb.Entry{{Type: raftpb.EntryNormal.Enum(), Term: new(uint64(5)), Index: new(uint64(1001)), Data: make([]byte, 1000)}},
	}
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf, _ = AppendMessage(buf[:0], m)
			if _, err := DecodeMessage(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], m)
			if err := proto.Unmarshal(buf, &raftpb.Message{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
