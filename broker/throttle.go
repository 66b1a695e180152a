package broker

import (
	"time"

	"holt/broker/auth"
	"holt/broker/kerror"
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
