package network

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"

	"go.uber.org/zap"

	"holt/broker/protocol"
)

// BenchmarkSmallRequests sends many heartbeats before it reads the replies, as one
// busy client does, or one at a time, as one that waits.
func BenchmarkSmallRequests(b *testing.B) {
	for name, window := range map[string]int{"pipelined": 64, "ping-pong": 1} {
		b.Run(name, func(b *testing.B) {
			s := startToy(b, Config{Logger: zap.NewNop()}, func(_ context.Context, r *Request) {
				r.ReplyEncoded(&pong)
				r.Release()
			})
			nc, err := net.Dial("tcp", s.Addr("PLAINTEXT").String())
			if err != nil {
				b.Fatal(err)
			}
			defer nc.Close()
			req := protocol.AppendRequest(nil, 1, "client", produce(1))
			var batch []byte
			for range window {
				batch = append(batch, req...)
			}
			size := len(pong.AppendTo(nil, 7, 1)) * window
			r := bufio.NewReaderSize(nc, 64<<10)
			b.ReportAllocs()
			for n := 0; n < b.N; n += window {
				if _, err := nc.Write(batch); err != nil {
					b.Fatal(err)
				}
				if _, err := r.Discard(size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var pong protocol.ProduceResponse

// BenchmarkProduce sends batches of a size with several on their way, answered later.
func BenchmarkProduce(b *testing.B) {
	for name, size := range map[string]int{"16KiB": 16 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			var req protocol.ProduceRequest
			s := startToy(b, Config{Logger: zap.NewNop()}, func(_ context.Context, r *Request) {
				if err := req.Decode(r.Version, r.Body); err != nil {
					r.Close(err)
					return
				}
				r.Later()
				r.Release()
				r.ReplyEncoded(&pong)
			})
			nc, err := net.Dial("tcp", s.Addr("PLAINTEXT").String())
			if err != nil {
				b.Fatal(err)
			}
			defer nc.Close()
			frame := protocol.AppendHeader(make([]byte, 4), protocol.Header{Key: protocol.Produce, Version: 7, CorrelationID: 1, ClientID: "c"})
			frame = append(frame, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
			frame = append(frame, make([]byte, size)...)
			protocol.EndFrame(frame, 0, 0)
			go func() {
				buf := make([]byte, 64<<10)
				for {
					if _, err := nc.Read(buf); err != nil {
						return
					}
				}
			}()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := nc.Write(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFetch sends a mebibyte from memory for every request.
func BenchmarkFetch(b *testing.B) {
	records := []protocol.Range{{Bytes: make([]byte, 1<<20)}}
	s := startToy(b, Config{Logger: zap.NewNop()}, func(_ context.Context, r *Request) {
		p := protocol.FailedFetch(0, 0)
		p.Records = records
		r.ReplyParts(&protocol.FetchResponse{Topics: []protocol.FetchedTopic{{Name: "t", Partitions: []protocol.FetchedPartition{p}}}}, nil)
		r.Release()
	})
	nc, err := net.Dial("tcp", s.Addr("PLAINTEXT").String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	req := protocol.AppendRequest(nil, 1, "client", fetch())
	c := &client{t: b, nc: nc}
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	buf := make([]byte, 256<<10)
	for b.Loop() {
		c.write(req)
		var size [4]byte
		if _, err := io.ReadFull(nc, size[:]); err != nil {
			b.Fatal(err)
		}
		for left := int(size[1])<<16 | int(size[2])<<8 | int(size[3]); left > 0; {
			n, err := nc.Read(buf[:min(left, len(buf))])
			if err != nil {
				b.Fatal(err)
			}
			left -= n
		}
	}
}
