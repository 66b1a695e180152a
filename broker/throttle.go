package broker

import (
	"time"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/setting"
)

// throttleMax bounds how long a client is muted at a time. (Kafka: quota windows together)
const throttleMax = 10 * time.Second

// requestThrottle counts the time that a request took against the client's share, and
// returns for how many milliseconds the client is to be muted.
func (c *call) requestThrottle() int32 {
	now := time.Now()
	took := now.Sub(c.began)
	if c.waited {
		took = 0 // the request was parked; nobody worked on it
	}
	return throttleMillis(c.quotas.Record(auth.RequestPercent, c.who.Name, c.r.ClientID, took.Seconds()*100, now))
}

// bytesThrottle counts bytes against a quota of the client.
func (c *call) bytesThrottle(kind auth.QuotaKind, bytes int) int32 {
	return throttleMillis(c.quotas.Record(kind, c.who.Name, c.r.ClientID, float64(bytes), time.Now()))
}

func throttleMillis(d time.Duration) int32 { return int32(min(d, throttleMax).Milliseconds()) }

// overMutations is the answer when mutations says no.
var overMutations = refusal{kerror.ThrottlingQuotaExceeded, "The throttling quota has been exceeded."}

// mutations counts partitions made or deleted against the client's quota. ok is false if
// they must not be made (THROTTLING_QUOTA_EXCEEDED), which only versions that know the code
// hear of; others are muted.
func (c *call) mutations(partitions int, strict bool) (ok bool) {
	ok, mute := c.quotas.RecordMutations(c.who.Name, c.r.ClientID, float64(partitions), strict, time.Now())
	c.mute = max(c.mute, throttleMillis(mute))
	return ok
}

// throttled says which partitions of a topic this broker replicates slowly, as their leader and as a follower.
func (b *Broker) throttled(image *metadata.Image, topic string) (serving, copying func(partition int32) bool) {
	l := b.layersOf(image, topic)
	has := func(name string) func(int32) bool {
		replicas, _ := setting.ParseThrottledReplicas(l.TopicText(name))
		return func(partition int32) bool { return replicas.Has(partition, b.id) }
	}
	return has("leader.replication.throttled.replicas"), has("follower.replication.throttled.replicas")
}

// throttleRates are how many bytes a second these replications may take together.
func (b *Broker) throttleRates(image *metadata.Image) (serving, copying int64) {
	l := b.layersOf(image, "")
	return l.BrokerInt("leader.replication.throttled.rate"), l.BrokerInt("follower.replication.throttled.rate")
}
