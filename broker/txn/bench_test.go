package txn

import (
	"fmt"
	"testing"

	"holt/broker/journal/journaltest"
	"holt/broker/kerror"
)

// BenchmarkTransaction runs whole transactions of one partition, markers and all, over a log and peers that
// answer at once.
func BenchmarkTransaction(b *testing.B) {
	c := start(b, &journaltest.Log{Forget: true}, newPeers())
	id := initID(c, "t")
	c.sender.peers.(*peers).answer = func(int32, topicPartition) (kerror.Code, error) { return kerror.UnsupportedVersion, nil } // not kept
	b.ReportAllocs()
	for b.Loop() {
		if code := addTo(c, "t", id, "a", 0); code != kerror.OK {
			b.Fatal(code)
		}
		if code := endTxn(c, "t", id, true); code != kerror.OK {
			b.Fatal(code)
		}
	}
}

func BenchmarkInitProducerID(b *testing.B) {
	c := start(b, &journaltest.Log{Forget: true}, newPeers())
	b.Run("idempotent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			initID(c, "")
		}
	})
	b.Run("transactional", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			initID(c, fmt.Sprint("t", n%1000))
		}
	})
}
