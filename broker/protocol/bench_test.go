package protocol

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func benchProduce(partitions, bytes int) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version = 9
	t := kmsg.NewProduceRequestTopic()
	t.Topic = "topic"
	for i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), make([]byte, bytes)
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req.AppendTo(nil)
}

func BenchmarkProduceDecode(b *testing.B) {
	for name, body := range map[string][]byte{"1x1MiB": benchProduce(1, 1<<20), "100x1KiB": benchProduce(100, 1<<10)} {
		b.Run(name, func(b *testing.B) {
			var r ProduceRequest
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Decode(9, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFetchDecode(b *testing.B) {
	g := newGen(1)
	req := kmsg.NewPtrFetchRequest()
	req.Version = 15
	t := kmsg.NewFetchRequestTopic()
	for range 100 {
		p := g.fetchPartition(15)
		p.UnknownTags = kmsg.Tags{}
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	body := req.AppendTo(nil)
	var r FetchRequest
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Decode(15, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFetchResponse(b *testing.B) {
	for name, n := range map[string]struct{ partitions, bytes int }{"100 empty": {100, 0}, "1x1MiB": {1, 1 << 20}} {
		b.Run(name, func(b *testing.B) {
			r := &FetchResponse{Topics: []FetchedTopic{{}}}
			for i := range n.partitions {
				p := FailedFetch(int32(i), 0)
				if n.bytes > 0 {
					p.Records = []Range{{Bytes: make([]byte, n.bytes)}}
				}
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, p)
			}
			var parts Parts
			var ranges []Range
			b.ReportAllocs()
			for b.Loop() {
				parts.Reset()
				r.AppendTo(&parts, 15, 1)
				ranges = parts.Append(ranges[:0])
			}
		})
	}
}

// TestAllocations keeps the hot codecs from allocating once their memory is warm.
func TestAllocations(t *testing.T) {
	body := benchProduce(100, 100)
	var r ProduceRequest
	if n := testing.AllocsPerRun(100, func() { _ = r.Decode(9, body) }); n > 0 {
		t.Errorf("decoding Produce allocates %v times", n)
	}
	fetch := newGen(3).fetchRequest(11).AppendTo(nil)
	var f FetchRequest
	if n := testing.AllocsPerRun(100, func() { _ = f.Decode(11, fetch) }); n > 0 {
		t.Errorf("decoding Fetch allocates %v times", n)
	}
}
