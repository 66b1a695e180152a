package client

import (
	"testing"

	"holt/wire"
)

// The hot path of a load generator: calls that are used again, replies not copied.
func TestGoAllocatesNothing(t *testing.T) {
	c := tcpPair(t)
	const outstanding = 16
	done := make(chan *Call, outstanding)
	finished := func(call *Call) { done <- call }
	request := &wire.GetDataRequest{Path: "/some/path"}
	for range outstanding {
		c.Go(&Call{Op: wire.OpGetData, Request: request, Reply: new(wire.GetDataResponse), Done: finished})
	}
	step := func() {
		call := <-done
		if call.Err != nil {
			t.Fatal(call.Err)
		}
		c.Go(call)
	}
	for range 1000 { // until buffers have their size
		step()
	}
	if n := testing.AllocsPerRun(5000, step); n > 0.5 {
		t.Errorf("%v allocations per call, in client and server of the test together", n)
	}
}

func BenchmarkGetDataWait(b *testing.B) {
	c := tcpPair(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.GetData(b.Context(), "/some/path", false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGoPipelined(b *testing.B) {
	c := tcpPair(b)
	const outstanding = 100
	request := &wire.GetDataRequest{Path: "/some/path"}
	n := 0
	end := make(chan struct{}, outstanding)
	again := func(call *Call) {
		if n++; n > b.N-outstanding {
			end <- struct{}{}
			return
		}
		c.Go(call)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range outstanding {
		c.Go(&Call{Op: wire.OpGetData, Request: request, Reply: new(wire.GetDataResponse), Done: again})
	}
	for range outstanding {
		<-end
	}
}
