package group

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// The versions of keys and values that Kafka 3.9 writes (its highest without tagged fields).
const (
	offsetKeyVersion     = 1 // 0 is read too
	groupKeyVersion      = 2
	offsetValueVersion   = 3
	offsetValueExpiring  = 1 // has an expiry
	groupValueVersion    = 3
	offsetValueNewest    = 4 // what is read
	groupValueNewest     = 4
	groupValueSince      = 2 // from here on the time of the state's beginning
	groupValueRebalances = 1 // from here on a rebalance timeout
)

func appendOffsetKey(dst []byte, group string, tp topicPartition) []byte {
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: tp.topic, Partition: tp.partition}
	return k.AppendTo(dst)
}

func appendGroupKey(dst []byte, group string) []byte {
	k := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return k.AppendTo(dst)
}

func (v *committed) appendTo(dst []byte) []byte {
	k := kmsg.OffsetCommitValue{
		Version: offsetValueVersion, Offset: v.offset, LeaderEpoch: v.leaderEpoch, Metadata: v.metadata,
		CommitTimestamp: v.commitTime, ExpireTimestamp: v.expireTime,
	}
	if v.expireTime >= 0 {
		k.Version = offsetValueExpiring
	}
	return k.AppendTo(dst)
}

func readOffsetValue(b []byte) (committed, error) {
	var k kmsg.OffsetCommitValue
	k.Default()
	if err := k.ReadFrom(b); err != nil {
		return committed{}, fmt.Errorf("read offset: %w", err)
	}
	if k.Version < 0 || k.Version > offsetValueNewest {
		return committed{}, fmt.Errorf("read offset: unknown version %d", k.Version)
	}
	v := committed{offset: k.Offset, leaderEpoch: -1, metadata: k.Metadata, commitTime: k.CommitTimestamp, expireTime: -1}
	if k.Version >= offsetValueVersion {
		v.leaderEpoch = k.LeaderEpoch
	}
	if k.Version == offsetValueExpiring {
		v.expireTime = k.ExpireTimestamp
	}
	return v, nil
}

// appendGroupValue appends what a group is, with assignments that it does not have yet.
func appendGroupValue(dst []byte, g *group, assigned func(*member) []byte) []byte {
	v := kmsg.GroupMetadataValue{
		Version: groupValueVersion, ProtocolType: g.protocolType, Generation: g.generation, CurrentStateTimestamp: g.stateSince,
	}
	if g.protocol != "" {
		v.Protocol = &g.protocol
	}
	if g.leader != nil {
		v.Leader = &g.leader.id
	}
	v.Members = make([]kmsg.GroupMetadataValueMember, len(g.members))
	for i, m := range g.members {
		v.Members[i] = kmsg.GroupMetadataValueMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Host,
			RebalanceTimeoutMillis: m.rebalanceMillis, SessionTimeoutMillis: m.sessionMillis,
			Subscription: m.metadata(g.protocol), Assignment: assigned(m),
		}
	}
	return v.AppendTo(dst)
}

func readGroupValue(b []byte) (*kmsg.GroupMetadataValue, error) {
	v := new(kmsg.GroupMetadataValue)
	v.Default()
	if err := v.ReadFrom(b); err != nil {
		return nil, fmt.Errorf("read group: %w", err)
	}
	if v.Version < 0 || v.Version > groupValueNewest {
		return nil, fmt.Errorf("read group: unknown version %d", v.Version)
	}
	if v.Version < groupValueSince {
		v.CurrentStateTimestamp = -1
	}
	for i := range v.Members {
		m := &v.Members[i]
		if v.Version < groupValueRebalances || m.RebalanceTimeoutMillis < 0 {
			m.RebalanceTimeoutMillis = m.SessionTimeoutMillis
		}
	}
	return v, nil
}

// readKey returns the group of a record, and the partition if the record is an offset. ok is false
// for keys of versions that are not the classic protocol's, which others may have written.
func readKey(b []byte) (group string, tp topicPartition, isOffset, ok bool, err error) {
	if len(b) < 2 {
		return "", tp, false, false, fmt.Errorf("read key: %d bytes", len(b))
	}
	switch v := int16(binary.BigEndian.Uint16(b)); {
	case v == 0 || v == offsetKeyVersion:
		var k kmsg.OffsetCommitKey
		if err := k.ReadFrom(b); err != nil {
			return "", tp, false, false, fmt.Errorf("read key of an offset: %w", err)
		}
		return k.Group, topicPartition{k.Topic, k.Partition}, true, true, nil
	case v == groupKeyVersion:
		var k kmsg.GroupMetadataKey
		if err := k.ReadFrom(b); err != nil {
			return "", tp, false, false, fmt.Errorf("read key of a group: %w", err)
		}
		return k.Group, tp, false, true, nil
	}
	return "", tp, false, false, nil
}

// build returns the batch that the builder holds.
func (c *core) build() record.Batch {
	b, err := c.builder.Build()
	if err != nil {
		panic("group: a batch without compression cannot fail: " + err.Error())
	}
	return b
}

// storeGroup appends what a group is. done gets the code for the members; it may be nil.
func (c *core) storeGroup(now journal.Instant, g *group, assigned func(*member) []byte, done func(journal.Instant, kerror.Code)) {
	c.key = appendGroupKey(c.key[:0], g.name)
	c.val = appendGroupValue(c.val[:0], g, assigned)
	c.builder.Reset(record.BuilderOptions{})
	c.builder.Append(record.Record{Timestamp: now.Unix, Key: c.key, Value: c.val})
	if done == nil {
		c.out.Append(c.build(), nil)
		return
	}
	c.out.Append(c.build(), func(now journal.Instant, _ int64, code kerror.Code) { done(now, storeCode(code)) })
}

// storeCode is what a member is told of an append's outcome. (Kafka: storeGroup)
func storeCode(code kerror.Code) kerror.Code {
	switch code {
	case kerror.UnknownTopicOrPartition, kerror.NotEnoughReplicas, kerror.NotEnoughReplicasAfterAppend:
		return kerror.CoordinatorNotAvailable
	case kerror.NotLeaderOrFollower, kerror.FencedLeaderEpoch, kerror.UnknownLeaderEpoch, kerror.KafkaStorageError:
		return kerror.NotCoordinator
	case kerror.RequestTimedOut:
		return kerror.RebalanceInProgress
	case kerror.MessageTooLarge, kerror.RecordListTooLarge, kerror.InvalidFetchSize:
		return kerror.UnknownServerError
	}
	return code
}

// commitCode is what who commits or deletes is told. (Kafka: maybeConvertOffsetCommitError)
func commitCode(code kerror.Code) kerror.Code {
	switch code {
	case kerror.UnknownTopicOrPartition, kerror.NotEnoughReplicas, kerror.NotEnoughReplicasAfterAppend:
		return kerror.CoordinatorNotAvailable
	case kerror.NotLeaderOrFollower, kerror.FencedLeaderEpoch, kerror.UnknownLeaderEpoch, kerror.KafkaStorageError:
		return kerror.NotCoordinator
	case kerror.NetworkException:
		return kerror.CoordinatorLoadInProgress
	case kerror.MessageTooLarge, kerror.RecordListTooLarge, kerror.InvalidFetchSize:
		return kerror.InvalidCommitOffsetSize
	}
	return code
}
