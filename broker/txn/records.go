package txn

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The versions of keys and values that Kafka 3.9 writes, and the newest value that is read.
const (
	keyVersion   = 0
	valueVersion = 0
	valueNewest  = 1
)

func appendKey(dst []byte, id string) []byte {
	k := kmsg.TxnMetadataKey{Version: keyVersion, TransactionalID: id}
	return k.AppendTo(dst)
}

// readKey returns the transactional id; ok is false for keys of other versions.
func readKey(b []byte) (id string, ok bool, err error) {
	if len(b) < 2 {
		return "", false, fmt.Errorf("read key: %d bytes", len(b))
	}
	if binary.BigEndian.Uint16(b) != keyVersion {
		return "", false, nil
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(b); err != nil {
		return "", false, fmt.Errorf("read key: %w", err)
	}
	return k.TransactionalID, true, nil
}

func (f *facts) appendTo(dst []byte) []byte {
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis = f.producerID, f.epoch, f.timeout
	v.State = kmsg.TransactionState(f.state)
	v.LastUpdateTimestamp, v.StartTimestamp = f.lastUpdate, f.start
	if f.state != Empty {
		v.Topics = []kmsg.TxnMetadataValueTopic{} // null is for Empty
		for _, p := range sorted(f.partitions) {
			if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.topic {
				v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: p.topic})
			}
			t := &v.Topics[len(v.Topics)-1]
			t.Partitions = append(t.Partitions, p.partition)
		}
	}
	return v.AppendTo(dst)
}

func readValue(b []byte) (facts, error) {
	v := kmsg.NewTxnMetadataValue()
	if err := v.ReadFrom(b); err != nil {
		return facts{}, fmt.Errorf("read transaction: %w", err)
	}
	if v.Version < 0 || v.Version > valueNewest {
		return facts{}, fmt.Errorf("read transaction: unknown version %d", v.Version)
	}
	if s := State(v.State); s < Empty || s > CompleteAbort {
		return facts{}, fmt.Errorf("read transaction: state %d", v.State)
	}
	f := facts{
		producerID: v.ProducerID, epoch: v.ProducerEpoch, timeout: v.TimeoutMillis, state: State(v.State),
		lastUpdate: v.LastUpdateTimestamp, start: v.StartTimestamp,
		partitions: make(partitionSet), lastProducerID: v.PreviousProducerID, lastEpoch: noEpoch,
	}
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			f.partitions[topicPartition{t.Topic, p}] = struct{}{}
		}
	}
	return f, nil
}

func sorted(s partitionSet) []topicPartition {
	return slices.SortedFunc(maps.Keys(s), func(a, b topicPartition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
}
