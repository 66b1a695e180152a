package network

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/protocol"
)

// memoryFile has no descriptor.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Fd() uintptr { return protocol.NoFd }

func fetch() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 12
	return req
}

// serveRanges answers every Fetch with these records, one partition each.
func serveRanges(parts [][]protocol.Range, released *atomic.Int32) HandlerFunc {
	return func(_ context.Context, r *Request) {
		resp := &protocol.FetchResponse{Topics: []protocol.FetchedTopic{{Name: "t"}}}
		for i, ranges := range parts {
			p := protocol.FailedFetch(int32(i), 0)
			p.Records = ranges
			resp.Topics[0].Partitions = append(resp.Topics[0].Partitions, p)
		}
		r.ReplyParts(resp, func() { released.Add(1) })
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)
	}
	return b
}

// TestRangesOfFiles sends what lies in files and in memory, on a plain socket and by TLS.
func TestRangesOfFiles(t *testing.T) {
	data := pattern(3 << 20)
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	memory := memoryFile{bytes.NewReader(data)}
	parts := [][]protocol.Range{
		{{File: file, Offset: 100, Length: 2 << 20}}, // sendfile
		{},
		{{File: file, Offset: 7, Length: 1000}, {Bytes: data[1007:1500]}}, // read, copied
		{{Bytes: data[:300_000]}, {File: file, Offset: 300_000, Length: 100_000}},
		{{File: memory, Offset: 1 << 20, Length: 2 << 20}}, // no descriptor
		{{File: file, Offset: int64(len(data)) - 70_000, Length: 70_000}},
	}
	want := [][]byte{data[100 : 100+2<<20], {}, data[7:1500], data[:400_000], data[1<<20:], data[len(data)-70_000:]}
	for name, listener := range map[string]Listener{
		"plain": {Name: "L", Protocol: Plaintext, Address: "127.0.0.1:0"},
		"tls":   {Name: "L", Protocol: SSL, Address: "127.0.0.1:0", TLS: testKeys(t).server()},
	} {
		t.Run(name, func(t *testing.T) {
			var released atomic.Int32
			s := startToy(t, Config{Listeners: []Listener{listener}}, serveRanges(parts, &released))
			c := dial(t, s)
			if listener.TLS != nil {
				c.startTLS(testKeys(t).client())
			}
			const n = 10
			for range n {
				c.send(fetch())
			}
			for range n {
				_, resp := c.receive(fetch())
				for i, p := range resp.(*kmsg.FetchResponse).Topics[0].Partitions {
					if !bytes.Equal(p.RecordBatches, want[i]) {
						t.Fatalf("partition %d: %d bytes differ from %d", i, len(p.RecordBatches), len(want[i]))
					}
				}
			}
			c.nc.Close()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if released.Load() != n {
				t.Errorf("%d of %d replies were released", released.Load(), n)
			}
		})
	}
}

// TestShortFile: a reply that cannot be completed ends the connection.
func TestShortFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, r := range []protocol.Range{{File: file, Offset: 50_000, Length: 90_000}, {File: file, Offset: 99_000, Length: 2000}} {
		var released atomic.Int32
		c := dial(t, startToy(t, Config{}, serveRanges([][]protocol.Range{{r}}, &released)))
		c.send(fetch())
		c.closed()
		if released.Load() != 1 {
			t.Errorf("released %d times", released.Load())
		}
	}
}

// TestSlowReader: a client that does not read is no longer read either, and holds no
// more than a few replies.
func TestSlowReader(t *testing.T) {
	var handled, released atomic.Int32
	records := [][]protocol.Range{{{Bytes: pattern(600 << 10)}}}
	serve := serveRanges(records, &released)
	s := startToy(t, Config{}, func(ctx context.Context, r *Request) {
		handled.Add(1)
		serve(ctx, r)
	})
	c := dial(t, s)
	const n = 100
	for range n {
		c.send(fetch())
	}
	for released.Load() == 0 {
		c.receive(fetch())
	}
	if h := handled.Load(); h > 50 {
		t.Errorf("%d requests were handled for a client that has read a few replies", h)
	}
}
