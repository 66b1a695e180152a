package broker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/group"
	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
	"holt/broker/record"
	"holt/broker/replica"
)

// WriteTxnMarkers, versions 0 and 1: appends the ends of transactions to the partitions that
// this broker leads, and answers when their replicas have them. Transaction coordinators
// send it, and tools that end a transaction whose coordinator is lost. What ends in
// __consumer_offsets the group coordinator is told.

// markerTimeout bounds how long a marker waits for replicas.
const markerTimeout = 30 * time.Second

func (c *call) writeTxnMarkers(req *kmsg.WriteTxnMarkersRequest) kmsg.Response {
	if code := c.clusterCode(auth.ClusterAction); code != kerror.OK {
		resp := newMarkersResponse(req)
		for i := range resp.Markers {
			for j := range resp.Markers[i].Topics {
				for k := range resp.Markers[i].Topics[j].Partitions {
					resp.Markers[i].Topics[j].Partitions[k].ErrorCode = int16(code)
				}
			}
		}
		return resp
	}
	c.waited = true
	c.Broker.writeTxnMarkers(req, func(resp *kmsg.WriteTxnMarkersResponse) { c.reply(resp) })
	return nil
}

func newMarkersResponse(req *kmsg.WriteTxnMarkersRequest) *kmsg.WriteTxnMarkersResponse {
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	resp.Markers = make([]kmsg.WriteTxnMarkersResponseMarker, len(req.Markers))
	for i, m := range req.Markers {
		rm := &resp.Markers[i]
		rm.ProducerID, rm.Topics = m.ProducerID, make([]kmsg.WriteTxnMarkersResponseMarkerTopic, len(m.Topics))
		for j, t := range m.Topics {
			rt := &rm.Topics[j]
			rt.Topic, rt.Partitions = t.Topic, make([]kmsg.WriteTxnMarkersResponseMarkerTopicPartition, len(t.Partitions))
			for k, p := range t.Partitions {
				rt.Partitions[k].Partition = p
			}
		}
	}
	return resp
}

// writeTxnMarkers appends the markers and calls done when all have come to something.
func (b *Broker) writeTxnMarkers(req *kmsg.WriteTxnMarkersRequest, done func(*kmsg.WriteTxnMarkersResponse)) {
	resp := newMarkersResponse(req)
	count := 1
	for _, m := range resp.Markers {
		for _, t := range m.Topics {
			count += len(t.Partitions)
		}
	}
	all := journal.NewCountdown(count, func() { done(resp) })
	for i := range req.Markers {
		m := &req.Markers[i]
		for j := range m.Topics {
			for k := range m.Topics[j].Partitions {
				rp := &resp.Markers[i].Topics[j].Partitions[k]
				b.writeMarker(m, metadata.TopicPartition{Topic: m.Topics[j].Topic, Partition: rp.Partition}, func(code kerror.Code) {
					rp.ErrorCode = int16(code)
					all.Done()
				})
			}
		}
	}
	all.Done()
}

func (b *Broker) writeMarker(m *kmsg.WriteTxnMarkersRequestMarker, tp metadata.TopicPartition, done func(kerror.Code)) {
	marker := record.Marker{ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch,
		Commit: m.Committed, Timestamp: time.Now().UnixMilli()}
	b.replicas.Append(replica.Append{TP: tp, Records: marker.Batch(), Acks: -1, Timeout: markerTimeout, LeaderEpoch: -1, Origin: record.Coordinator},
		func(res protocol.ProducedPartition) {
			if res.Code == kerror.OK && tp.Topic == offsetsTopic {
				b.groups.TxnEnded(tp.Partition, group.TxnEnd{ProducerID: m.ProducerID, Offset: res.BaseOffset, Commit: m.Committed})
			}
			done(res.Code)
		})
}

// markers is txn.Peers: where markers go.
type markers struct{ *Broker }

// Leader returns who leads a partition.
func (m markers) Leader(topic string, partition int32) (broker int32, exists bool) {
	image := m.applied.get()
	p := image.Partition(topic, partition)
	if p == nil {
		return -1, false
	}
	if image.Broker(p.Leader) == nil {
		return -1, true
	}
	return p.Leader, true
}

// WriteTxnMarkers sends markers to their leader, which may be this broker.
func (m markers) WriteTxnMarkers(broker int32, req *kmsg.WriteTxnMarkersRequest, done func(*kmsg.WriteTxnMarkersResponse, error)) {
	if broker == m.id {
		m.writeTxnMarkers(req, func(resp *kmsg.WriteTxnMarkersResponse) { done(resp, nil) })
		return
	}
	m.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), markerTimeout)
		defer cancel()
		req.Version = 1
		resp, err := m.peers.Do(ctx, broker, req)
		if err != nil {
			done(nil, err)
			return
		}
		done(resp.(*kmsg.WriteTxnMarkersResponse), nil)
	})
}
