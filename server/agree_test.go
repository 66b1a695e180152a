package server

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

func TestDiffers(t *testing.T) {
	for _, test := range []struct {
		own    uint64
		others map[uint64]uint64
		voters int
		want   bool
	}{
		{1, nil, 3, false},
		{1, map[uint64]uint64{2: 1, 3: 1}, 3, false},
		{1, map[uint64]uint64{2: 9}, 3, false}, // one against one: nobody knows who is wrong
		{1, map[uint64]uint64{2: 9, 3: 1}, 3, false},
		{1, map[uint64]uint64{2: 9, 3: 9}, 3, true},
		{1, map[uint64]uint64{2: 9, 3: 8, 4: 9, 5: 9}, 5, true},
		{1, map[uint64]uint64{2: 9, 3: 9}, 5, false},
	} {
		if got := differs(test.own, test.others, test.voters); got != test.want {
			t.Errorf("own %d, others %v of %d: %v, want %v", test.own, test.others, test.voters, got, test.want)
		}
	}
}

func TestMemberWithAnotherTreeStopsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		bad := others(leader)[0]
		c := connect(t, e.servers[leader], wire.ConnectRequest{})
		work := func(name string) {
			c.call(wire.OpCreate, create(name, "", 0), nil)
			for i := range 4 * agreeEvery {
				c.call(wire.OpSetData, &wire.SetDataRequest{Path: name, Data: fmt.Append(nil, i), Version: -1}, nil)
			}
			time.Sleep(5 * time.Second)
		}
		work("/good")
		for id, s := range e.servers {
			select {
			case err := <-s.Failed():
				t.Fatalf("member %d failed although all agree: %v", id, err)
			default:
			}
		}
		// What a flipped bit in memory would do: the next digests of one member
		// are others.
		e.servers[bad].agreement.mu.Lock()
		e.servers[bad].agreement.flip = 1
		e.servers[bad].agreement.mu.Unlock()
		work("/bad")
		select {
		case err := <-e.servers[bad].Failed():
			if !strings.Contains(err.Error(), "differs from that of a majority") {
				t.Errorf("failed with %v", err)
			}
		default:
			t.Error("the member that differs goes on")
		}
		for _, id := range others(bad) {
			select {
			case err := <-e.servers[id].Failed():
				t.Errorf("member %d failed: %v", id, err)
			default:
			}
		}
	})
}
