package record

import "encoding/binary"

// Marker ends a transaction in one partition. It is a control batch of one record.
type Marker struct {
	ProducerID       int64
	ProducerEpoch    int16
	CoordinatorEpoch int32 // of the transaction coordinator that decided
	Commit           bool  // false: abort
	Timestamp        int64
}

// The types of control records; Kafka's KRaft mode has more.
const (
	controlAbort  = 0
	controlCommit = 1
)

// Batch returns the marker as a batch with no place in a log yet.
func (m Marker) Batch() Batch {
	key := []byte{0, 0, 0, controlAbort} // version, type
	if m.Commit {
		key[3] = controlCommit
	}
	value := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(m.CoordinatorEpoch)) // version, epoch
	b := NewBuilder(BuilderOptions{
		Producer:      &Producer{ID: m.ProducerID, Epoch: m.ProducerEpoch, BaseSequence: NoSequence},
		Transactional: true, Control: true,
	})
	b.Append(Record{Timestamp: m.Timestamp, Key: key, Value: value})
	batch, err := b.Build()
	if err != nil {
		panic("record: a batch without compression cannot fail: " + err.Error())
	}
	return batch
}

// Marker returns the marker that b is. It is nil without an error if b is no control batch or a
// control record of another type, which a log may hold; a *CorruptError says that it cannot be
// read.
func (b Batch) Marker() (*Marker, error) {
	if !b.IsControl() {
		return nil, nil
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			return nil, err
		}
		return b.marker(r)
	}
	return nil, nil // compaction emptied it
}

func (b Batch) marker(r Record) (*Marker, error) {
	if len(r.Key) < 4 {
		return nil, corrupt(b, "control record with a key of %d bytes", len(r.Key))
	}
	kind := binary.BigEndian.Uint16(r.Key[2:])
	if kind != controlAbort && kind != controlCommit {
		return nil, nil
	}
	if len(r.Value) < 6 {
		return nil, corrupt(b, "end of a transaction with a value of %d bytes", len(r.Value))
	}
	return &Marker{
		ProducerID:       b.ProducerID(),
		ProducerEpoch:    b.ProducerEpoch(),
		CoordinatorEpoch: int32(binary.BigEndian.Uint32(r.Value[2:])),
		Commit:           kind == controlCommit,
		Timestamp:        r.Timestamp,
	}, nil
}
