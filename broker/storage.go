package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type peers interface {
	Do(ctx context.Context, broker int32, req kmsg.Request) (kmsg.Response, error)
	Close()
}

// startStorage opens the directories.
//
// TODO(issue 5): there is no broker/partition and no broker/replica yet, so nobody but this
// package's tests can start a broker. DescribeLogDirs, DescribeProducers and the
// metrics of partitions come with them.
func (b *Broker) startStorage(context.Context) error {
	b.id = b.cfg.ID
	if b.cfg.openReplicas == nil {
		return errors.New("this version of Holt has no storage for a broker's partitions yet")
	}
	b.replicas, b.peers = b.cfg.openReplicas(b)
	return nil
}

// leadCoordinators tells the coordinators which of their partitions this broker leads.
func (b *Broker) leadCoordinators() {
	b.replicas.OnLeader(offsetsTopic, func(p, epoch int32, gained bool) {
		if gained {
			b.groups.Gained(p, epoch)
		} else {
			b.groups.Lost(p, epoch)
		}
	})
	b.replicas.OnLeader(transactionsTopic, func(p, epoch int32, gained bool) {
		if gained {
			b.txns.Gained(p, epoch)
		} else {
			b.txns.Lost(p, epoch)
		}
	})
}
