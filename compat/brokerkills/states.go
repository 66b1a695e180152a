package brokerkills

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// watchStates reads the partitions' states in the tree, again and again, until the consumers are to end.
func (f *faulty) watchStates() {
	f.crew.consumers.Go(func() {
		for pause(f.crew.live, 50*time.Millisecond) {
			for p := range int32(partitions) {
				s, err := f.state(p)
				if err != nil {
					continue // the member is away; nothing is claimed
				}
				f.crew.mu.Lock()
				f.crew.states = append(f.crew.states, s)
				f.crew.mu.Unlock()
			}
		}
	})
}

func (f *faulty) state(p int32) (State, error) {
	data, stat, err := f.zk.Get(fmt.Sprintf("%s/brokers/topics/%s/partitions/%d/state", f.chroot, topic, p))
	if err != nil {
		return State{}, err
	}
	var node struct {
		Leader          int32   `json:"leader"`
		LeaderEpoch     int32   `json:"leader_epoch"`
		ControllerEpoch int32   `json:"controller_epoch"`
		ISR             []int32 `json:"isr"`
	}
	if err := json.Unmarshal(data, &node); err != nil {
		return State{}, err
	}
	return State{p, stat.Version, node.Leader, node.LeaderEpoch, node.ControllerEpoch, node.ISR}, nil
}

// askStale asks in the name of a former life of a broker (K10).
func (f *faulty) askStale(ctx context.Context) error {
	controller, err := f.brokers.Controller(ctx)
	if err != nil {
		return err
	}
	for _, b := range f.brokers.Brokers() {
		if b == controller {
			continue
		}
		epoch, err := f.registration(b)
		if err != nil {
			return err
		}
		client, err := f.crew.client()
		if err != nil {
			return err
		}
		defer client.Close()
		req := kmsg.NewPtrControlledShutdownRequest()
		req.BrokerID, req.BrokerEpoch = int32(b.ID()), epoch-1
		answer := ""
		if resp, err := req.RequestWith(ctx, client.Broker(controller.ID())); err != nil {
			answer = err.Error()
		} else {
			answer = code(resp.ErrorCode)
		}
		f.crew.probe("K10", fmt.Sprintf("controlled shutdown of broker %d's former life", b.ID()), answer, "STALE_BROKER_EPOCH")
	}
	return nil
}
