package protocol

import (
	"fmt"
	"math"
	"slices"
)

// FetchRecordsMin is the first version whose answers may carry records of the one
// format that is stored. Requests below it decode too, to be answered partition by
// partition with UNSUPPORTED_VERSION.
const FetchRecordsMin = 4

// FetchRack is the first version of consumers that read from followers (KIP-392).
const FetchRack = 11

// FetchTopicIDs is the first version that names topics by id.
const FetchTopicIDs = 13

// FetchRequest is Fetch 0–17. Strings lie in the frame that was decoded. What a
// version does not have is read as its default, which is noted at each field.
type FetchRequest struct {
	Version       int16
	ReplicaID     int32 // −1 for a consumer
	ReplicaEpoch  int64 // broker epoch of a follower, −1 below version 15
	MaxWaitMillis int32
	MinBytes      int32
	MaxBytes      int32 // MaxInt32 below version 3
	Isolation     int8  // 1: read committed
	SessionID     int32 // 0
	SessionEpoch  int32 // −1
	Topics        []FetchTopic
	Forgotten     []ForgottenTopic
	Rack          string
	ClusterID     string // "" for null

	flat          []FetchPartition
	flatForgotten []int32
}

// FetchTopic is a topic in a FetchRequest, with either a name or an id.
type FetchTopic struct {
	Name       string   // below version 13
	ID         [16]byte // from version 13 on
	Partitions []FetchPartition
}

// FetchPartition says what is wanted of a partition.
type FetchPartition struct {
	Index              int32
	CurrentLeaderEpoch int32 // −1: not to be checked
	Offset             int64
	LastFetchedEpoch   int32 // −1: not to be compared
	LogStartOffset     int64 // of a follower, −1
	MaxBytes           int32
	DirectoryID        [16]byte // of a follower, version 17 on
}

// ForgottenTopic lists partitions that leave a fetch session.
type ForgottenTopic struct {
	Name       string
	ID         [16]byte
	Partitions []int32
}

// Decode reads the body of a request of this version into r, whose memory is used
// again.
func (r *FetchRequest) Decode(version int16, body []byte) error {
	flexible := Fetch.Flexible(version)
	c := cursor{b: body}
	r.reset(version)
	if version <= 14 {
		r.ReplicaID = c.int32()
	}
	r.MaxWaitMillis, r.MinBytes = c.int32(), c.int32()
	if version >= 3 {
		r.MaxBytes = c.int32()
	}
	if version >= 4 {
		r.Isolation = c.int8()
	}
	if version >= 7 {
		r.SessionID, r.SessionEpoch = c.int32(), c.int32()
	}
	r.decodeTopics(&c, flexible)
	if version >= 7 {
		r.decodeForgotten(&c, flexible)
	}
	if version >= 11 {
		r.Rack = c.must(flexible)
	}
	if flexible {
		c.tags(r.tag)
	}
	if c.bad {
		return fmt.Errorf("%s v%d: %w", Fetch, version, ErrMalformed)
	}
	return nil
}

func (r *FetchRequest) reset(version int16) {
	*r = FetchRequest{Version: version, ReplicaID: -1, ReplicaEpoch: -1, MaxBytes: math.MaxInt32, SessionEpoch: -1,
		Topics: r.Topics[:0], Forgotten: r.Forgotten[:0], flat: r.flat[:0], flatForgotten: r.flatForgotten[:0]}
}

func (r *FetchRequest) tag(tag uint32, field *cursor) bool {
	switch {
	case tag == 0:
		r.ClusterID, _ = field.string(true)
	case tag == 1 && r.Version >= 15:
		r.ReplicaID, r.ReplicaEpoch = field.int32(), field.int64()
		field.tags(nil)
	default:
		return false
	}
	return true
}

// partitionMin is the least encoding of a partition.
func (r *FetchRequest) partitionMin() int {
	n := 16
	for _, since := range []struct {
		version int16
		bytes   int
	}{{5, 8}, {9, 4}, {12, 5}} {
		if r.Version >= since.version {
			n += since.bytes
		}
	}
	return n
}

func topicMin(flexible bool) int {
	if flexible {
		return 3
	}
	return 6
}

func (r *FetchRequest) decodeTopics(c *cursor, flexible bool) {
	n := c.count(flexible, topicMin(flexible))
	r.Topics = slices.Grow(r.Topics, n)
	least := r.partitionMin()
	for ; n > 0 && !c.bad; n-- {
		var t FetchTopic
		if r.Version >= FetchTopicIDs {
			t.ID = c.uuid()
		} else {
			t.Name = c.must(flexible)
		}
		m := c.count(flexible, least)
		r.flat = slices.Grow(r.flat, m)
		first := len(r.flat)
		for ; m > 0 && !c.bad; m-- {
			r.flat = append(r.flat, decodeFetchPartition(c, r.Version, flexible))
		}
		if flexible {
			c.tags(nil)
		}
		t.Partitions = slices.Clip(r.flat[first:])
		r.Topics = append(r.Topics, t)
	}
}

func decodeFetchPartition(c *cursor, version int16, flexible bool) FetchPartition {
	p := FetchPartition{Index: c.int32(), CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1}
	if version >= 9 {
		p.CurrentLeaderEpoch = c.int32()
	}
	p.Offset = c.int64()
	if version >= 12 {
		p.LastFetchedEpoch = c.int32()
	}
	if version >= 5 {
		p.LogStartOffset = c.int64()
	}
	p.MaxBytes = c.int32()
	if !flexible {
		return p
	}
	if len(c.b) > 0 && c.b[0] == 0 { // not to make a closure for nearly all
		c.b = c.b[1:]
		return p
	}
	c.tags(func(tag uint32, field *cursor) bool {
		if tag == 0 && version >= 17 {
			p.DirectoryID = field.uuid()
			return true
		}
		return false
	})
	return p
}

func (r *FetchRequest) decodeForgotten(c *cursor, flexible bool) {
	n := c.count(flexible, topicMin(flexible))
	r.Forgotten = slices.Grow(r.Forgotten, n)
	for ; n > 0 && !c.bad; n-- {
		var t ForgottenTopic
		if r.Version >= FetchTopicIDs {
			t.ID = c.uuid()
		} else {
			t.Name = c.must(flexible)
		}
		first := len(r.flatForgotten)
		for m := c.count(flexible, 4); m > 0 && !c.bad; m-- {
			r.flatForgotten = append(r.flatForgotten, c.int32())
		}
		if flexible {
			c.tags(nil)
		}
		t.Partitions = slices.Clip(r.flatForgotten[first:])
		r.Forgotten = append(r.Forgotten, t)
	}
}

// AppendTo appends the whole request in r.Version, size and header included. What the
// version has no room for is left out.
func (r *FetchRequest) AppendTo(b []byte, correlationID int32, clientID string) []byte {
	flexible := Fetch.Flexible(r.Version)
	b, mark := BeginFrame(b)
	b = AppendHeader(b, Header{Key: Fetch, Version: r.Version, CorrelationID: correlationID, ClientID: clientID})
	if r.Version <= 14 {
		b = appendInt32(b, r.ReplicaID)
	}
	b = appendInt32(b, r.MaxWaitMillis)
	b = appendInt32(b, r.MinBytes)
	if r.Version >= 3 {
		b = appendInt32(b, r.MaxBytes)
	}
	if r.Version >= 4 {
		b = append(b, byte(r.Isolation))
	}
	if r.Version >= 7 {
		b = appendInt32(b, r.SessionID)
		b = appendInt32(b, r.SessionEpoch)
	}
	b = r.appendTopics(b, flexible)
	if r.Version >= 7 {
		b = r.appendForgotten(b, flexible)
	}
	if r.Version >= 11 {
		b = appendString(b, r.Rack, flexible)
	}
	if flexible {
		b = r.appendTags(b)
	}
	return EndFrame(b, mark, 0)
}

func (r *FetchRequest) appendTopics(b []byte, flexible bool) []byte {
	b = appendCount(b, len(r.Topics), flexible)
	for i := range r.Topics {
		t := &r.Topics[i]
		if r.Version >= FetchTopicIDs {
			b = append(b, t.ID[:]...)
		} else {
			b = appendString(b, t.Name, flexible)
		}
		b = appendCount(b, len(t.Partitions), flexible)
		for j := range t.Partitions {
			b = t.Partitions[j].appendTo(b, r.Version, flexible)
		}
		b = appendNoTags(b, flexible)
	}
	return b
}

func (p *FetchPartition) appendTo(b []byte, version int16, flexible bool) []byte {
	b = appendInt32(b, p.Index)
	if version >= 9 {
		b = appendInt32(b, p.CurrentLeaderEpoch)
	}
	b = appendInt64(b, p.Offset)
	if version >= 12 {
		b = appendInt32(b, p.LastFetchedEpoch)
	}
	if version >= 5 {
		b = appendInt64(b, p.LogStartOffset)
	}
	b = appendInt32(b, p.MaxBytes)
	if version >= 17 && p.DirectoryID != [16]byte{} {
		b = append(b, 1, 0, 16)
		return append(b, p.DirectoryID[:]...)
	}
	return appendNoTags(b, flexible)
}

func (r *FetchRequest) appendForgotten(b []byte, flexible bool) []byte {
	b = appendCount(b, len(r.Forgotten), flexible)
	for i := range r.Forgotten {
		t := &r.Forgotten[i]
		if r.Version >= FetchTopicIDs {
			b = append(b, t.ID[:]...)
		} else {
			b = appendString(b, t.Name, flexible)
		}
		b = appendCount(b, len(t.Partitions), flexible)
		for _, p := range t.Partitions {
			b = appendInt32(b, p)
		}
		b = appendNoTags(b, flexible)
	}
	return b
}

func (r *FetchRequest) appendTags(b []byte) []byte {
	replica := r.Version >= 15 && (r.ReplicaID != -1 || r.ReplicaEpoch != -1)
	b = append(b, byte(boolInt(r.ClusterID != "")+boolInt(replica)))
	if r.ClusterID != "" {
		b = append(b, 0)
		b = appendUvarint(b, uvarintLen(len(r.ClusterID)+1)+len(r.ClusterID))
		b = appendString(b, r.ClusterID, true)
	}
	if replica {
		b = append(b, 1, 13)
		b = appendInt32(b, r.ReplicaID)
		b = appendInt64(b, r.ReplicaEpoch)
		b = append(b, 0)
	}
	return b
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
