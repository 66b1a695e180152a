package metadata

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// TopicID tells a topic from one of the same name before or after it. The zero
// value is no id, as topics have that were made before Kafka 2.8.
type TopicID [16]byte

// NewTopicID returns a random id: a UUID of version 4.
func NewTopicID() TopicID {
	var id TopicID
	rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	if id.String()[0] == '-' {
		return NewTopicID() // Kafka does not use these: they look like options on a command line
	}
	return id
}

// String is the id in 22 characters of base64url, as Kafka prints it.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseTopicID reads what String wrote.
func ParseTopicID(s string) (TopicID, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(TopicID{}) {
		return TopicID{}, fmt.Errorf("topic id %q is not 16 bytes in base64url", s)
	}
	return TopicID(b), nil
}

// Topic is a topic of an [Image]. It is not changed once it is in one.
type Topic struct {
	Name       string
	ID         TopicID
	Partitions []*Partition // by number, without gaps
	Version    int32        // of the topic's node
	Created    Zxid         // of the topic's node

	modified Zxid
}

// Partition returns a partition, nil if the topic has none of this number.
func (t *Topic) Partition(partition int32) *Partition {
	if partition < 0 || int(partition) >= len(t.Partitions) {
		return nil
	}
	return t.Partitions[partition]
}

// Assignment is where a partition's replicas are. During a reassignment Replicas
// are those it shall have, in order, followed by the others it had; Adding and
// Removing are the two differences.
type Assignment struct {
	Replicas, Adding, Removing []int32
}

// Reassigning tells whether a reassignment is under way.
func (a *Assignment) Reassigning() bool { return len(a.Adding) > 0 || len(a.Removing) > 0 }

// Target is what the replicas will be when the reassignment is done.
func (a *Assignment) Target() []int32 { return without(a.Replicas, a.Removing) }

// Origin is what the replicas were before the reassignment.
func (a *Assignment) Origin() []int32 { return without(a.Replicas, a.Adding) }

// Reassign returns the assignment that leads to target. If target is the origin,
// that is the end of it. (Kafka: ReplicaAssignment.reassignTo)
func (a *Assignment) Reassign(target []int32) Assignment {
	origin := a.Origin()
	full := slices.Clone(target)
	for _, r := range origin {
		if !slices.Contains(full, r) {
			full = append(full, r)
		}
	}
	return Assignment{Replicas: full, Adding: without(full, origin), Removing: without(full, target)}
}

// Equal compares two assignments, order included.
func (a *Assignment) Equal(b *Assignment) bool {
	return slices.Equal(a.Replicas, b.Replicas) && slices.Equal(a.Adding, b.Adding) && slices.Equal(a.Removing, b.Removing)
}

// without returns the elements of a that are not in b, in a's order.
func without(a, b []int32) []int32 {
	if len(b) == 0 {
		return a
	}
	left := make([]int32, 0, len(a))
	for _, x := range a {
		if !slices.Contains(b, x) {
			left = append(left, x)
		}
	}
	return left
}

// TopicNode is the payload of /brokers/topics/<topic>. (Kafka: TopicZNode)
type TopicNode struct {
	ID         TopicID
	Partitions []Assignment // by number
}

type topicJSON struct {
	Version    int32              `json:"version"`
	ID         string             `json:"topic_id,omitempty"`
	Partitions map[string][]int32 `json:"partitions"`
	Adding     map[string][]int32 `json:"adding_replicas"`
	Removing   map[string][]int32 `json:"removing_replicas"`
}

// Encode writes version 3, or 2 of a topic without id.
func (n *TopicNode) Encode() []byte {
	p := topicJSON{
		Version: 2, Partitions: make(map[string][]int32, len(n.Partitions)), Adding: map[string][]int32{}, Removing: map[string][]int32{},
	}
	if n.ID != (TopicID{}) {
		p.Version, p.ID = 3, n.ID.String()
	}
	for i, a := range n.Partitions {
		key := strconv.Itoa(i)
		p.Partitions[key] = notNil(a.Replicas)
		if len(a.Adding) > 0 {
			p.Adding[key] = a.Adding
		}
		if len(a.Removing) > 0 {
			p.Removing[key] = a.Removing
		}
	}
	return mustEncode(p)
}

// notNil has JSON say [] where it would say null.
func notNil(a []int32) []int32 {
	if a == nil {
		return []int32{}
	}
	return a
}

// DecodeTopic reads a payload of version 1, 2 or 3. Partitions must be numbered
// from 0 without gaps.
func DecodeTopic(data []byte) (*TopicNode, error) {
	var p topicJSON
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("topic: %w", err)
	}
	n := &TopicNode{Partitions: make([]Assignment, len(p.Partitions))}
	if p.ID != "" {
		id, err := ParseTopicID(p.ID)
		if err != nil {
			return nil, err
		}
		n.ID = id
	}
	for i := range n.Partitions {
		key := strconv.Itoa(i)
		replicas, ok := p.Partitions[key]
		if !ok {
			return nil, fmt.Errorf("topic: %d partitions, and none of number %d", len(p.Partitions), i)
		}
		n.Partitions[i] = Assignment{Replicas: replicas, Adding: p.Adding[key], Removing: p.Removing[key]}
	}
	return n, nil
}

// Node is the payload that the topic was read from.
func (t *Topic) Node() *TopicNode {
	n := &TopicNode{ID: t.ID, Partitions: make([]Assignment, len(t.Partitions))}
	for i, p := range t.Partitions {
		n.Partitions[i] = p.Assignment
	}
	return n
}
