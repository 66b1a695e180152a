package protocol

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const rounds = 60

// eachVersion runs f for every served version of a key with many random messages.
func eachVersion(t *testing.T, key Key, f func(t *testing.T, g gen, version int16)) {
	t.Helper()
	s, _ := key.spec()
	for version := int16(0); version <= s.max; version++ {
		for seed := range uint64(rounds) {
			if f(t, newGen(seed), version); t.Failed() {
				t.Fatalf("%s v%d, seed %d", key, version, seed)
			}
		}
	}
}

// withoutTags is what kmsg writes once unknown tags are forgotten.
func withoutTags(t *testing.T, req kmsg.Request) []byte {
	t.Helper()
	switch r := req.(type) {
	case *kmsg.ProduceRequest:
		r.UnknownTags = kmsg.Tags{}
		for i := range r.Topics {
			r.Topics[i].UnknownTags = kmsg.Tags{}
			for j := range r.Topics[i].Partitions {
				r.Topics[i].Partitions[j].UnknownTags = kmsg.Tags{}
			}
		}
	case *kmsg.FetchRequest:
		r.UnknownTags, r.ReplicaState.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
		for i := range r.Topics {
			r.Topics[i].UnknownTags = kmsg.Tags{}
			for j := range r.Topics[i].Partitions {
				r.Topics[i].Partitions[j].UnknownTags = kmsg.Tags{}
			}
		}
		for i := range r.ForgottenTopics {
			r.ForgottenTopics[i].UnknownTags = kmsg.Tags{}
		}
	}
	return req.AppendTo(nil)
}

func TestProduceRequestAsKmsg(t *testing.T) {
	var r ProduceRequest // used again for all
	eachVersion(t, Produce, func(t *testing.T, g gen, version int16) {
		want := g.produceRequest(version)
		if err := r.Decode(version, want.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if got := kmsgOfProduce(&r).AppendTo(nil); !bytes.Equal(got, withoutTags(t, want)) {
			t.Error("what was decoded differs")
		}
	})
}

func TestProduceResponseAsKmsg(t *testing.T) {
	eachVersion(t, Produce, func(t *testing.T, g gen, version int16) {
		k := g.produceResponse(version)
		got := produceResponseOf(k).AppendTo([]byte("before"), version, 42)
		if want := AppendResponse([]byte("before"), 42, k); !bytes.Equal(got, want) {
			t.Errorf("got %x\nwant %x", got, want)
		}
	})
}

func TestFetchRequestAsKmsg(t *testing.T) {
	var r FetchRequest
	eachVersion(t, Fetch, func(t *testing.T, g gen, version int16) {
		want := g.fetchRequest(version)
		if err := r.Decode(version, want.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		plain := withoutTags(t, want)
		if got := kmsgOfFetch(&r).AppendTo(nil); !bytes.Equal(got, plain) {
			t.Error("what was decoded differs")
		}
		if got, want := r.AppendTo(nil, 7, "me"), AppendRequest(nil, 7, "me", want); !bytes.Equal(got, want) {
			t.Errorf("got %x\nwant %x", got, want)
		}
	})
}

func TestFetchResponseAsKmsg(t *testing.T) {
	var parts Parts
	var back FetchResponse
	eachVersion(t, Fetch, func(t *testing.T, g gen, version int16) {
		k := g.fetchResponse(version)
		parts.Reset()
		fetchResponseOf(k).AppendTo(&parts, version, 42)
		got, err := parts.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := AppendResponse(nil, 42, k)
		if !bytes.Equal(got, want) {
			t.Fatalf("got %x\nwant %x", got, want)
		}
		if parts.Len() != len(want) {
			t.Errorf("Len is %d of %d bytes", parts.Len(), len(want))
		}
		_, body, err := ParseResponseHeader(got[4:], Fetch, version)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Decode(version, body); err != nil {
			t.Fatal(err)
		}
		parts.Reset()
		back.AppendTo(&parts, version, 42)
		if again, err := parts.AppendTo(nil); err != nil || !bytes.Equal(again, want) {
			t.Errorf("decoded and encoded again it differs: %v", err)
		}
	})
}

// TestPrefixesFail: what is cut anywhere is malformed, never half a message or a panic.
func TestPrefixesFail(t *testing.T) {
	try := func(name string, body []byte, decode func([]byte) error) {
		t.Helper()
		for n := range len(body) {
			if err := decode(body[:n:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s: %d of %d bytes decode: %v", name, n, len(body), err)
			}
		}
	}
	for seed := range uint64(6) {
		for version := int16(0); version <= 17; version++ {
			g := newGen(seed)
			if version <= 11 {
				try("produce", g.produceRequest(version).AppendTo(nil), func(b []byte) error { return new(ProduceRequest).Decode(version, b) })
			}
			try("fetch", g.fetchRequest(version).AppendTo(nil), func(b []byte) error { return new(FetchRequest).Decode(version, b) })
			if seed < 3 { // records make them long
				try("fetched", g.fetchResponse(version).AppendTo(nil), func(b []byte) error { return new(FetchResponse).Decode(version, b) })
			}
		}
	}
}
