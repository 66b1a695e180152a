package transport

import (
	"context"
	"net"
	"testing"

	"go.uber.org/zap"
)

// listening is an end whose payloads and connections can be waited for.
type listening struct {
	end
	got chan int // sizes of payloads
	up  chan bool
}

func (l *listening) Message(_ uint64, payload []byte) { l.got <- len(payload) }
func (l *listening) PeerUp(_ uint64, up bool)         { l.up <- up }

// TestSmallPayloadsStayBehindLargeOnes: over sockets that can be written to at once, a payload small enough for that does
// not overtake one that is left to the sender's goroutine.
func TestSmallPayloadsStayBehindLargeOnes(t *testing.T) {
	var ends []*listening
	addrs := map[uint64]string{}
	for id := uint64(1); id <= 2; id++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[id] = l.Addr().String()
		e := &listening{end: end{id: id}, got: make(chan int, 2), up: make(chan bool, 8)}
		e.Transport, err = New(Config{
			ID: id, Handler: e, Logger: zap.NewNop(), MaxQueueBytes: 10 << 20,
			Listen: func() (net.Listener, error) { return l, nil },
			Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, e)
	}
	defer closeAll(t, &ends[0].end, &ends[1].end)
	for _, e := range ends {
		e.SetPeers(addrs)
	}
	for !<-ends[0].up {
	}
	const large, small = directMax + 1, 10
	for range 300 {
		for _, size := range []int{large, small} {
			if err := ends[0].Send(2, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if first, second := <-ends[1].got, <-ends[1].got; first != large || second != small {
			t.Fatalf("payloads of %d and %d bytes arrive in this order", first, second)
		}
	}
}
