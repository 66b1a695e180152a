package broker

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"holt/broker/group"
	"holt/broker/journal"
	"holt/broker/setting"
	"holt/broker/txn"
)

// producerIDBlock is how many producer ids a broker takes from the tree at a time.
const producerIDBlock = 1000

// startCoordinators starts what lives on top of the logs, and then lets all follow the
// tree.
func (b *Broker) startCoordinators(context.Context) error {
	s := b.settings()
	b.groups = group.New(b.groupConfig(s))
	b.txns = txn.New(b.txnConfig(s))
	b.leadCoordinators()
	b.replicas.Missing(b.follower.Image())
	b.unfollow = b.follower.Subscribe(b.apply)
	return nil
}

func (b *Broker) groupConfig(s *setting.Layers) group.Config {
	return group.Config{
		Log: &coordinatorLog{broker: b, topic: offsetsTopic}, NewID: newUUID, OnLoad: b.loaded(offsetsTopic),
		Partitions:            int32(s.BrokerInt("offsets.topic.num.partitions")),
		SessionTimeoutMin:     millis(s, "group.min.session.timeout.ms"),
		SessionTimeoutMax:     millis(s, "group.max.session.timeout.ms"),
		InitialRebalanceDelay: millis(s, "group.initial.rebalance.delay.ms"),
		GroupSizeMax:          int(s.BrokerInt("group.max.size")),
		MetadataBytesMax:      int(s.BrokerInt("offset.metadata.max.bytes")),
		OffsetsRetention:      time.Duration(s.BrokerInt("offsets.retention.minutes")) * time.Minute,
		RetentionCheck:        millis(s, "offsets.retention.check.interval.ms"),
	}
}

func (b *Broker) txnConfig(s *setting.Layers) txn.Config {
	return txn.Config{
		Log: &coordinatorLog{broker: b, topic: transactionsTopic}, ProducerIDs: producerIDs{b}, Peers: markers{b}, OnLoad: b.loaded(transactionsTopic),
		Partitions:     int32(s.BrokerInt("transaction.state.log.num.partitions")),
		TimeoutMax:     millis(s, "transaction.max.timeout.ms"),
		AbortScan:      millis(s, "transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		Expiration:     millis(s, "transactional.id.expiration.ms"),
		ExpirationScan: millis(s, "transaction.remove.expired.transaction.cleanup.interval.ms"),
	}
}

func millis(s *setting.Layers, name string) time.Duration {
	return time.Duration(s.BrokerInt(name)) * time.Millisecond
}

// loaded logs what became of the loading of a coordinator's partition.
func (b *Broker) loaded(topic string) func(journal.LoadResult) {
	return func(r journal.LoadResult) {
		if r.Err != nil {
			b.log.Error("coordinator's partition is not loaded, trying again", topicField(topic), partitionField(r.Partition), errField(r.Err))
			return
		}
		if r.Batches > 0 {
			b.log.Info("coordinator's partition loaded", topicField(topic), partitionField(r.Partition), tookField(r.Took))
		}
	}
}

// newUUID returns a random UUID.
func newUUID() string {
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// producerIDs is txn.ProducerIDs on the tree.
type producerIDs struct{ *Broker }

// Block takes a block; the coordinator asks for one at a time.
func (p producerIDs) Block(done func(first, last int64, err error)) {
	p.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), treeWait)
		defer cancel()
		block, err := p.client.NextProducerIDs(ctx, p.id, producerIDBlock)
		if err != nil {
			p.log.Warn("no block of producer ids", errField(err))
		}
		done(block.First, block.Last, err)
	})
}
