package peer

import (
	"context"
	"testing"

	"holt/broker/network"
	"holt/broker/protocol"
)

func TestFrames(t *testing.T) {
	var f frames
	first := f.take(3 << 20)
	f.give(first)
	if b := f.take(4 << 20); &b[0] != &first[0] || len(b) != 4<<20 {
		t.Fatalf("memory of %d bytes, not what was given back", len(b))
	}
	if b := f.take(100); &b[0] == &first[0] {
		t.Fatal("memory was lent twice")
	}
	f.give(make([]byte, frameKeptMax+1))
	if f.spare != nil {
		t.Fatal("memory of any size is kept")
	}
	f.give(first)
	for i := range frameIdleMax {
		b := f.take(100)
		if &b[0] != &first[0] {
			t.Fatalf("memory went after %d small answers", i)
		}
		f.give(b)
	}
	b := f.take(100)
	f.give(b)
	if cap(b) > 1<<10 || cap(f.spare) > 1<<10 {
		t.Fatalf("after many small answers %d bytes are kept", cap(f.spare))
	}
	if b := f.take(0); len(b) != 0 {
		t.Fatal("more than nothing")
	}
}

// TestFetchReusesMemory: an answer lies where the one before it lay, once that was given back, and not before.
func TestFetchReusesMemory(t *testing.T) {
	records := make([]byte, 1<<20)
	s := startServer(t, "127.0.0.1:0", network.Listener{Protocol: network.Plaintext}, func(_ context.Context, r *network.Request) {
		resp := &protocol.FetchResponse{Topics: []protocol.FetchedTopic{{Partitions: []protocol.FetchedPartition{{Records: []protocol.Range{{Bytes: records}}}}}}}
		r.ReplyParts(resp, nil)
		r.Release()
	})
	at := endpointOf(s)
	c := newClient(t, Config{Endpoint: func(int32) (Endpoint, bool) { return at, true }})
	fetch := func() (*byte, func()) {
		var resp protocol.FetchResponse
		release, err := c.Fetch(t.Context(), 1, &protocol.FetchRequest{Version: 17, ReplicaID: 2}, &resp)
		if err != nil {
			t.Fatal(err)
		}
		b := resp.Topics[0].Partitions[0].Records[0].Bytes
		if len(b) != len(records) {
			t.Fatalf("%d bytes of records", len(b))
		}
		return &b[0], release
	}
	first, release := fetch()
	second, _ := fetch()
	if first == second {
		t.Fatal("an answer lies in memory that is in use")
	}
	release()
	if third, _ := fetch(); third != first {
		t.Fatal("memory that was given back is not used again")
	}
}
