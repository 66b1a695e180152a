package group

import (
	"time"

	"holt/broker/journal"
)

// Config is what a Coordinator needs and how it behaves. The zero value of a field means its
// default.
type Config struct {
	// Log is __consumer_offsets. Required.
	Log journal.Log
	// NewID returns something unique, for member ids. Required: a random UUID.
	NewID func() string
	// OnLoad, if set, is told when a partition has been loaded, or could not be.
	OnLoad func(journal.LoadResult)

	// Partitions is offsets.topic.num.partitions. Default 50. See Coordinator.SetPartitions.
	Partitions int32
	// SessionTimeoutMin and SessionTimeoutMax are group.min.session.timeout.ms (default 6 s) and
	// group.max.session.timeout.ms (default 30 min).
	SessionTimeoutMin, SessionTimeoutMax time.Duration
	// InitialRebalanceDelay is group.initial.rebalance.delay.ms. No default: 0 is none; Kafka's is
	// 3 s.
	InitialRebalanceDelay time.Duration
	// GroupSizeMax is group.max.size. Default: no limit but GroupBytesMax.
	GroupSizeMax int
	// MetadataBytesMax is offset.metadata.max.bytes. Default 4096.
	MetadataBytesMax int
	// OffsetsRetention is offsets.retention.minutes. Default 7 days.
	OffsetsRetention time.Duration
	// RetentionCheck is offsets.retention.check.interval.ms. Default 10 min.
	RetentionCheck time.Duration

	// PendingMembersMax bounds the members of a group that have an id and have not joined yet.
	// Default 10,000. A new one too many gets GROUP_MAX_SIZE_REACHED.
	PendingMembersMax int
	// MemberBytesMax bounds what a member brings: names and metadata of its protocols, its client id.
	// Default 1 MiB. More gets INVALID_REQUEST.
	MemberBytesMax int
	// GroupBytesMax bounds that for all members of a group, present and pending. Default 64 MiB. More
	// gets GROUP_MAX_SIZE_REACHED.
	GroupBytesMax int
	// GroupsMax bounds the groups of a partition. Default 100,000. What would make another one gets
	// COORDINATOR_NOT_AVAILABLE. A partition that holds more when it is loaded keeps them.
	GroupsMax int
}

func (c Config) withDefaults() Config {
	def(&c.Partitions, 50)
	def(&c.SessionTimeoutMin, 6*time.Second)
	def(&c.SessionTimeoutMax, 30*time.Minute)
	def(&c.GroupSizeMax, 1<<31-1)
	def(&c.MetadataBytesMax, 4096)
	def(&c.OffsetsRetention, 7*24*time.Hour)
	def(&c.RetentionCheck, 10*time.Minute)
	def(&c.PendingMembersMax, 10_000)
	def(&c.MemberBytesMax, 1<<20)
	def(&c.GroupBytesMax, 64<<20)
	def(&c.GroupsMax, 100_000)
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// newMemberTimeout is how long a member's first JoinGroup may wait (Kafka: NewMemberJoinTimeoutMs).
// It has no id yet, so it cannot say that it is alive, and whether its connection is, is not asked.
const newMemberTimeout = 5 * time.Minute

// nameMax is the longest string that the older protocol versions and the records can carry.
const nameMax = 1<<15 - 1
