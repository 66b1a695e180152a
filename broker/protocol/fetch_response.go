package protocol

import (
	"fmt"
	"slices"

	"holt/broker/kerror"
)

// FetchResponse answers Fetch 0–17.
type FetchResponse struct {
	ThrottleMillis int32
	Code           kerror.Code // of the whole request, from version 7 on
	SessionID      int32
	Topics         []FetchedTopic
	// Brokers are where the CurrentLeaders are to be reached, each once; version 16 on.
	Brokers []NodeEndpoint

	flat        []FetchedPartition
	flatRanges  []Range
	flatAborted []AbortedTxn
}

// FetchedTopic is a topic in a FetchResponse, named as the request does.
type FetchedTopic struct {
	Name       string
	ID         [16]byte
	Partitions []FetchedPartition
}

// FetchedPartition is what a partition gives. FailedFetch makes one in which
// all that is not known is -1, as the zero value has it not.
type FetchedPartition struct {
	Index            int32
	Code             kerror.Code
	HighWatermark    int64
	LastStableOffset int64 // version 4 on
	LogStartOffset   int64 // version 5 on
	// Diverging, if not nil, tells a follower where its log and the leader's part;
	// there are no records then. Version 12 on.
	Diverging *EpochEnd
	// CurrentLeader goes with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH. Version 12 on.
	CurrentLeader *LeaderEpoch
	// Aborted is nil (null) unless read committed was asked for. Version 4 on.
	Aborted              []AbortedTxn
	PreferredReadReplica int32 // −1: none. Version 11 on.
	// Records are whole batches, in pieces. They are never null on the wire.
	Records []Range
}

// EpochEnd is a leader epoch and the offset behind its last record.
type EpochEnd struct {
	Epoch     int32
	EndOffset int64
}

// AbortedTxn is a transaction whose records, from FirstOffset on, are to be skipped.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
}

// FailedFetch is a partition's answer that says nothing but a code.
func FailedFetch(index int32, code kerror.Code) FetchedPartition {
	return FetchedPartition{Index: index, Code: code, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1,
		PreferredReadReplica: -1}
}

// RecordsLen is the number of bytes of records.
func (p *FetchedPartition) RecordsLen() int {
	n := 0
	for i := range p.Records {
		n += p.Records[i].Len()
	}
	return n
}

// AppendTo adds the whole response to parts, which must be empty: size, header,
// everything but the records encoded, records by reference.
func (r *FetchResponse) AppendTo(parts *Parts, version int16, correlationID int32) {
	flexible := Fetch.Flexible(version)
	b, mark := BeginFrame(parts.buf)
	b = AppendResponseHeader(b, Fetch, version, correlationID)
	if version >= 1 {
		b = appendInt32(b, r.ThrottleMillis)
	}
	if version >= 7 {
		b = appendInt16(b, int16(r.Code))
		b = appendInt32(b, r.SessionID)
	}
	b = appendCount(b, len(r.Topics), flexible)
	for i := range r.Topics {
		t := &r.Topics[i]
		if version >= FetchTopicIDs {
			b = append(b, t.ID[:]...)
		} else {
			b = appendString(b, t.Name, flexible)
		}
		b = appendCount(b, len(t.Partitions), flexible)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			b = p.appendFront(b, version, flexible)
			parts.buf = b
			for _, run := range p.Records {
				parts.AddRange(run)
			}
			b = p.appendTags(parts.buf, flexible)
		}
		b = appendNoTags(b, flexible)
	}
	if version >= 16 {
		b = appendEndpointsTag(b, r.Brokers)
	} else {
		b = appendNoTags(b, flexible)
	}
	parts.buf = EndFrame(b, mark, parts.others)
}

// appendFront writes all that stands before the records, and their length.
func (p *FetchedPartition) appendFront(b []byte, version int16, flexible bool) []byte {
	b = appendInt32(b, p.Index)
	b = appendInt16(b, int16(p.Code))
	b = appendInt64(b, p.HighWatermark)
	if version >= 4 {
		b = appendInt64(b, p.LastStableOffset)
		if version >= 5 {
			b = appendInt64(b, p.LogStartOffset)
		}
		if p.Aborted == nil {
			b = appendNull(b, flexible)
		} else {
			b = appendCount(b, len(p.Aborted), flexible)
		}
		for _, a := range p.Aborted {
			b = appendInt64(b, a.ProducerID)
			b = appendInt64(b, a.FirstOffset)
			b = appendNoTags(b, flexible)
		}
	}
	if version >= 11 {
		b = appendInt32(b, p.PreferredReadReplica)
	}
	return appendCount(b, p.RecordsLen(), flexible)
}

func (p *FetchedPartition) appendTags(b []byte, flexible bool) []byte {
	if !flexible {
		return b
	}
	b = append(b, byte(boolInt(p.Diverging != nil)+boolInt(p.CurrentLeader != nil)))
	if p.Diverging != nil {
		b = append(b, 0, 13)
		b = appendInt32(b, p.Diverging.Epoch)
		b = appendInt64(b, p.Diverging.EndOffset)
		b = append(b, 0)
	}
	if p.CurrentLeader != nil {
		b = p.CurrentLeader.appendTag(b, 1)
	}
	return b
}

// Decode reads the body of a response of this version into r, whose memory is used
// again. Records of a partition are one Range that lies in body; null ones are
// none.
func (r *FetchResponse) Decode(version int16, body []byte) error {
	flexible := Fetch.Flexible(version)
	c := cursor{b: body}
	*r = FetchResponse{Topics: r.Topics[:0], flat: r.flat[:0], flatRanges: r.flatRanges[:0], flatAborted: r.flatAborted[:0]}
	if version >= 1 {
		r.ThrottleMillis = c.int32()
	}
	if version >= 7 {
		r.Code, r.SessionID = kerror.Code(c.int16()), c.int32()
	}
	n := c.count(flexible, topicMin(flexible))
	r.Topics = slices.Grow(r.Topics, n)
	for ; n > 0 && !c.bad; n-- {
		r.decodeTopic(&c, version, flexible)
	}
	if flexible {
		c.tags(func(tag uint32, field *cursor) bool {
			if tag == 0 && version >= 16 {
				r.Brokers = decodeEndpoints(field)
				return true
			}
			return false
		})
	}
	if c.bad {
		return fmt.Errorf("response to %s v%d: %w", Fetch, version, ErrMalformed)
	}
	return nil
}

func (r *FetchResponse) decodeTopic(c *cursor, version int16, flexible bool) {
	var t FetchedTopic
	if version >= FetchTopicIDs {
		t.ID = c.uuid()
	} else {
		t.Name = c.must(flexible)
	}
	m := c.count(flexible, fetchedMin(version))
	r.flat = slices.Grow(r.flat, m)
	r.flatRanges = slices.Grow(r.flatRanges, m)
	first := len(r.flat)
	for ; m > 0 && !c.bad; m-- {
		r.decodePartition(c, version, flexible)
	}
	if flexible {
		c.tags(nil)
	}
	t.Partitions = slices.Clip(r.flat[first:])
	r.Topics = append(r.Topics, t)
}

// fetchedMin is the least encoding of a partition in a response.
func fetchedMin(version int16) int {
	switch {
	case version >= 12:
		return 14 + 8 + 8 + 1 + 4 + 1 + 1
	case version >= 11:
		return 14 + 8 + 8 + 4 + 4 + 4
	case version >= 5:
		return 14 + 8 + 8 + 4 + 4
	case version >= 4:
		return 14 + 8 + 4 + 4
	}
	return 14 + 4
}

func (r *FetchResponse) decodePartition(c *cursor, version int16, flexible bool) {
	p := FetchedPartition{Index: c.int32(), Code: kerror.Code(c.int16()), HighWatermark: c.int64(),
		LastStableOffset: -1, LogStartOffset: -1, PreferredReadReplica: -1}
	if version >= 4 {
		p.LastStableOffset = c.int64()
		if version >= 5 {
			p.LogStartOffset = c.int64()
		}
		p.Aborted = r.decodeAborted(c, flexible)
	}
	if version >= 11 {
		p.PreferredReadReplica = c.int32()
	}
	if records := c.bytes(flexible); len(records) > 0 {
		r.flatRanges = append(r.flatRanges, Range{Bytes: records})
		p.Records = slices.Clip(r.flatRanges[len(r.flatRanges)-1:])
	}
	if flexible {
		p.decodeTags(c)
	}
	r.flat = append(r.flat, p)
}

func (r *FetchResponse) decodeAborted(c *cursor, flexible bool) []AbortedTxn {
	n := c.length(flexible)
	if n < 0 || c.bad {
		return nil
	}
	if n > len(c.b)/16 {
		c.fail()
		return nil
	}
	first := len(r.flatAborted)
	for ; n > 0; n-- {
		r.flatAborted = append(r.flatAborted, AbortedTxn{c.int64(), c.int64()})
		if flexible {
			c.tags(nil)
		}
	}
	if len(r.flatAborted) == first {
		return []AbortedTxn{}
	}
	return slices.Clip(r.flatAborted[first:])
}

func (p *FetchedPartition) decodeTags(c *cursor) {
	if len(c.b) > 0 && c.b[0] == 0 {
		c.b = c.b[1:]
		return
	}
	c.tags(func(tag uint32, field *cursor) bool {
		switch tag {
		case 0:
			p.Diverging = &EpochEnd{field.int32(), field.int64()}
		case 1:
			p.CurrentLeader = &LeaderEpoch{field.int32(), field.int32()}
		default:
			return false
		}
		field.tags(nil)
		return true
	})
}

func decodeEndpoints(c *cursor) []NodeEndpoint {
	n := c.count(true, 11)
	nodes := make([]NodeEndpoint, 0, n)
	for ; n > 0 && !c.bad; n-- {
		node := NodeEndpoint{ID: c.int32(), Host: c.must(true), Port: c.int32()}
		node.Rack, _ = c.string(true)
		c.tags(nil)
		nodes = append(nodes, node)
	}
	return nodes
}
