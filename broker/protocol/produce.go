package protocol

import (
	"fmt"
	"slices"

	"holt/broker/kerror"
)

// ProduceRecordsMin is the first version whose records are of the one format that is
// stored. Requests below it decode too, to be answered partition by partition with
// UNSUPPORTED_FOR_MESSAGE_FORMAT.
const ProduceRecordsMin = 3

// ProduceRequest is Produce 0–11. All of it lies in the frame that was decoded.
type ProduceRequest struct {
	Version         int16
	TransactionalID string // "" if there is none
	Acks            int16
	TimeoutMillis   int32
	Topics          []ProduceTopic

	// What the topics' partitions are cut from. When it grows, those that were cut
	// before stay good in the old array.
	flat []ProducePartition
}

// ProduceTopic is a topic in a ProduceRequest.
type ProduceTopic struct {
	Name       string
	Partitions []ProducePartition
}

// ProducePartition is what is to be appended to a partition.
type ProducePartition struct {
	Index   int32
	Records []byte // nil for null
}

// Decode reads the body of a request of this version into r, whose memory is used
// again.
func (r *ProduceRequest) Decode(version int16, body []byte) error {
	flexible := Produce.Flexible(version)
	c := cursor{b: body}
	r.Version, r.TransactionalID = version, ""
	if version >= 3 {
		r.TransactionalID, _ = c.string(flexible)
	}
	r.Acks, r.TimeoutMillis = c.int16(), c.int32()
	topicMin, partitionMin := 6, 8
	if flexible {
		topicMin, partitionMin = 3, 6
	}
	n := c.count(flexible, topicMin)
	r.Topics, r.flat = slices.Grow(r.Topics[:0], n), r.flat[:0]
	for ; n > 0 && !c.bad; n-- {
		name := c.must(flexible)
		first := len(r.flat)
		m := c.count(flexible, partitionMin)
		r.flat = slices.Grow(r.flat, m)
		for ; m > 0 && !c.bad; m-- {
			p := ProducePartition{Index: c.int32(), Records: c.bytes(flexible)}
			if flexible {
				c.tags(nil)
			}
			r.flat = append(r.flat, p)
		}
		if flexible {
			c.tags(nil)
		}
		r.Topics = append(r.Topics, ProduceTopic{Name: name, Partitions: slices.Clip(r.flat[first:])})
	}
	if flexible {
		c.tags(nil)
	}
	if c.bad {
		return fmt.Errorf("%s v%d: %w", Produce, version, ErrMalformed)
	}
	return nil
}

// Count is the number of partitions.
func (r *ProduceRequest) Count() int { return len(r.flat) }

// ProduceResponse answers Produce 0–11.
type ProduceResponse struct {
	Topics         []ProducedTopic
	ThrottleMillis int32
	// Brokers are where the CurrentLeaders are to be reached, each once; version 10 on.
	Brokers []NodeEndpoint
}

// ProducedTopic is a topic in a ProduceResponse.
type ProducedTopic struct {
	Name       string
	Partitions []ProducedPartition
}

// ProducedPartition says what came of the records for a partition.
type ProducedPartition struct {
	Index          int32
	Code           kerror.Code
	BaseOffset     int64 // −1 with an error
	LogAppendTime  int64 // −1 unless the topic's time stamps are of that kind
	LogStartOffset int64 // −1 with an error
	RecordErrors   []RecordError
	Message        string       // "" for none
	CurrentLeader  *LeaderEpoch // with NOT_LEADER_OR_FOLLOWER, if it is known
}

// RecordError is one record that was refused.
type RecordError struct {
	Index   int32 // within the batch
	Message string
}

// LeaderEpoch is a leader and since when.
type LeaderEpoch struct {
	Leader int32 // −1: nobody
	Epoch  int32
}

// NodeEndpoint is where a broker is to be reached by the client that asked.
type NodeEndpoint struct {
	ID   int32
	Host string
	Port int32
	Rack string // "" for none
}

// FailedProduce is a partition's answer that says nothing but a code.
func FailedProduce(index int32, code kerror.Code) ProducedPartition {
	return ProducedPartition{Index: index, Code: code, BaseOffset: -1, LogAppendTime: -1, LogStartOffset: -1}
}

// AppendTo appends the whole response, size and header included.
func (r *ProduceResponse) AppendTo(b []byte, version int16, correlationID int32) []byte {
	flexible := Produce.Flexible(version)
	b, mark := BeginFrame(b)
	b = AppendResponseHeader(b, Produce, version, correlationID)
	b = appendCount(b, len(r.Topics), flexible)
	for i := range r.Topics {
		t := &r.Topics[i]
		b = appendString(b, t.Name, flexible)
		b = appendCount(b, len(t.Partitions), flexible)
		for j := range t.Partitions {
			b = t.Partitions[j].appendTo(b, version, flexible)
		}
		b = appendNoTags(b, flexible)
	}
	if version >= 1 {
		b = appendInt32(b, r.ThrottleMillis)
	}
	if version >= 10 {
		b = appendEndpointsTag(b, r.Brokers)
	} else {
		b = appendNoTags(b, flexible)
	}
	return EndFrame(b, mark, 0)
}

func (p *ProducedPartition) appendTo(b []byte, version int16, flexible bool) []byte {
	b = appendInt32(b, p.Index)
	b = appendInt16(b, int16(p.Code))
	b = appendInt64(b, p.BaseOffset)
	if version >= 2 {
		b = appendInt64(b, p.LogAppendTime)
	}
	if version >= 5 {
		b = appendInt64(b, p.LogStartOffset)
	}
	if version >= 8 {
		b = appendCount(b, len(p.RecordErrors), flexible)
		for _, e := range p.RecordErrors {
			b = appendInt32(b, e.Index)
			b = appendOptional(b, e.Message, flexible)
			b = appendNoTags(b, flexible)
		}
		b = appendOptional(b, p.Message, flexible)
	}
	if version >= 10 && p.CurrentLeader != nil {
		b = append(b, 1)
		return p.CurrentLeader.appendTag(b, 0)
	}
	return appendNoTags(b, flexible)
}

// appendTag writes the field with its tag and size.
func (l *LeaderEpoch) appendTag(b []byte, tag byte) []byte {
	b = append(b, tag, 9)
	b = appendInt32(b, l.Leader)
	b = appendInt32(b, l.Epoch)
	return append(b, 0)
}

// appendEndpointsTag ends a response: no tags, or tag 0 with the endpoints.
func appendEndpointsTag(b []byte, nodes []NodeEndpoint) []byte {
	if len(nodes) == 0 {
		return append(b, 0)
	}
	size := uvarintLen(len(nodes) + 1)
	for _, n := range nodes {
		size += 4 + uvarintLen(len(n.Host)+1) + len(n.Host) + 4 + uvarintLen(len(n.Rack)+1) + len(n.Rack) + 1
	}
	b = append(b, 1, 0) // one tag, number 0
	b = appendUvarint(b, size)
	b = appendCount(b, len(nodes), true)
	for _, n := range nodes {
		b = appendInt32(b, n.ID)
		b = appendString(b, n.Host, true)
		b = appendInt32(b, n.Port)
		b = appendOptional(b, n.Rack, true)
		b = append(b, 0)
	}
	return b
}
