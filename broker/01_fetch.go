package broker

import (
	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/protocol"
	"holt/broker/replica"
)

// Fetch, versions 0 to 17: of consumers and followers, with sessions and long polls; what
// it does is the business of package replica. From version 11 on followers answer
// consumers too, and leaders send those of another rack to them if replica.selector.class
// says so (KIP-392). Versions below 4 are announced for old clients and refused partition
// by partition.

func (c *call) fetch() {
	var req protocol.FetchRequest
	if err := req.Decode(c.r.Version, c.r.Body); err != nil {
		c.r.Close(err)
		return
	}
	c.waited = true
	if c.r.Version < protocol.FetchRecordsMin {
		c.r.ReplyParts(refusedFetch(&req, kerror.UnsupportedVersion), nil)
		c.r.Release()
		return
	}
	op := auth.Read
	if req.ReplicaID >= 0 && !c.mayCluster(auth.ClusterAction) {
		c.r.ReplyParts(refusedFetch(&req, kerror.TopicAuthorizationFailed), nil)
		c.r.Release()
		return
	}
	readable := func(topic string) bool { return req.ReplicaID >= 0 || c.mayTopic(op, topic) }
	c.replicas.Fetch(replica.Fetch{Req: &req, Readable: readable, Listener: c.r.Conn.Listener()}, func(resp *protocol.FetchResponse, release func()) {
		resp.ThrottleMillis = c.requestThrottle()
		if req.ReplicaID < 0 {
			resp.ThrottleMillis = max(resp.ThrottleMillis, c.bytesThrottle(auth.FetchBytes, fetchedBytes(resp)))
		}
		c.r.ThrottleMillis = resp.ThrottleMillis
		c.hintFetch(resp)
		c.r.ReplyParts(resp, release)
		c.r.Release()
	})
}

func refusedFetch(req *protocol.FetchRequest, code kerror.Code) *protocol.FetchResponse {
	resp := &protocol.FetchResponse{}
	for _, t := range req.Topics {
		rt := protocol.FetchedTopic{Name: t.Name, ID: t.ID}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, protocol.FailedFetch(p.Index, code))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func fetchedBytes(resp *protocol.FetchResponse) int {
	n := 0
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			n += resp.Topics[i].Partitions[j].RecordsLen()
		}
	}
	return n
}

// hintFetch tells clients that came to the wrong broker who leads. (KIP-951)
func (c *call) hintFetch(resp *protocol.FetchResponse) {
	if c.r.Version < 16 {
		return
	}
	var h hints
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if p.Code != kerror.NotLeaderOrFollower && p.Code != kerror.FencedLeaderEpoch {
				continue
			}
			if topic := c.topicOf(nil, t.ID); topic != nil {
				p.CurrentLeader = h.leader(c, topic.Name, p.Index)
			}
		}
	}
	resp.Brokers = h.brokers
}
