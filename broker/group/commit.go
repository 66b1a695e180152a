package group

import (
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// commit serves OffsetCommit. (Kafka: doCommitOffsets)
func (c *core) commit(now journal.Instant, req *kmsg.OffsetCommitRequest, reply func(*kmsg.OffsetCommitResponse)) {
	g := c.lookup(req.Group)
	code := c.checkCommit(now, g, req)
	if code != kerror.OK {
		c.out.Do(func() { reply(commitError(req, code)) })
		return
	}
	if g == nil {
		if g = c.create(now, req.Group); g == nil {
			c.out.Do(func() { reply(commitError(req, kerror.CoordinatorNotAvailable)) })
			return
		}
	}
	items, codes := c.commitItems(now, req)
	finish := func(code kerror.Code) {
		resp := commitResponse(req, codes, code)
		c.out.Do(func() { reply(resp) })
	}
	if len(items) == 0 {
		finish(kerror.OK)
		c.forgetIfUnused(g)
		return
	}
	c.builder.Reset(record.BuilderOptions{})
	c.appendItems(now, g, items)
	for i := range items {
		g.offset(items[i].tp).writing++
	}
	c.out.Append(c.build(), func(_ journal.Instant, at int64, code kerror.Code) {
		for i := range items {
			o := g.offset(items[i].tp)
			o.writing--
			if code == kerror.OK {
				o.apply(items[i].committed, at)
			}
			g.sweep(items[i].tp, o)
		}
		finish(commitCode(code))
		c.forgetIfUnused(g)
	})
}

// checkCommit judges who commits. A group without members takes commits from whoever has no
// generation; one with members takes them from those of the current one.
func (c *core) checkCommit(now journal.Instant, g *group, req *kmsg.OffsetCommitRequest) kerror.Code {
	if g == nil {
		if req.Generation < 0 {
			return kerror.OK
		}
		return kerror.IllegalGeneration
	}
	m, code := g.checkCommitter(req.Generation, req.MemberID, req.InstanceID, false)
	switch {
	case code != kerror.OK:
		return code
	case g.state == CompletingRebalance:
		return kerror.RebalanceInProgress
	case m != nil:
		c.beat(now, m)
	}
	return kerror.OK
}

// checkCommitter returns the member that commits; nil if it needs to be none.
// (Kafka: validateOffsetCommit)
func (g *group) checkCommitter(generation int32, id string, instance *string, txn bool) (*member, kerror.Code) {
	switch {
	case g.state == Dead:
		return nil, kerror.CoordinatorNotAvailable
	case generation < 0 && g.state == Empty:
		return nil, kerror.OK
	case generation >= 0 || id != "" || instance != nil:
		m, code := g.check(id, instance)
		if code == kerror.OK && generation != g.generation {
			code = kerror.IllegalGeneration
		}
		return m, code
	case !txn && g.state != Empty:
		return nil, kerror.UnknownMemberID
	}
	return nil, kerror.OK // a transactional producer of before KIP-447, which names no member
}

// commitItem is a partition of a commit.
type commitItem struct {
	tp topicPartition
	committed
}

// commitItems returns the partitions of a request that can be committed, and for all of them, in the
// order of the request, what is wrong with them.
func (c *core) commitItems(now journal.Instant, req *kmsg.OffsetCommitRequest) ([]commitItem, []kerror.Code) {
	var items []commitItem
	var codes []kerror.Code
	for i := range req.Topics {
		t := &req.Topics[i]
		for k := range t.Partitions {
			p := &t.Partitions[k]
			code := c.checkItem(t.Topic, p.Metadata)
			codes = append(codes, code)
			if code != kerror.OK {
				continue
			}
			v := committed{offset: p.Offset, leaderEpoch: p.LeaderEpoch, metadata: deref(p.Metadata), commitTime: now.Unix, expireTime: -1}
			if req.Version == 1 && p.Timestamp != -1 {
				v.commitTime = p.Timestamp
			}
			if req.RetentionTimeMillis >= 0 {
				v.expireTime = now.Unix + req.RetentionTimeMillis
			}
			items = append(items, commitItem{topicPartition{t.Topic, p.Partition}, v})
		}
	}
	return items, codes
}

// checkItem judges a partition's names and metadata. Kafka counts metadata in UTF-16 units.
func (c *core) checkItem(topic string, metadata *string) kerror.Code {
	if len(topic) > nameMax {
		return kerror.InvalidTopicException
	}
	if m := deref(metadata); len(m) > c.c.MetadataBytesMax {
		if len(m) > nameMax || len(utf16.Encode([]rune(m))) > c.c.MetadataBytesMax {
			return kerror.OffsetMetadataTooLarge
		}
	}
	return kerror.OK
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// appendItems adds offsets to the batch being built.
func (c *core) appendItems(now journal.Instant, g *group, items []commitItem) {
	for i := range items {
		c.key = appendOffsetKey(c.key[:0], g.name, items[i].tp)
		c.val = items[i].committed.appendTo(c.val[:0])
		c.builder.Append(record.Record{Timestamp: now.Unix, Key: c.key, Value: c.val})
	}
}

// commitResponse answers with a code of its own for each partition, or all's where there is none.
func commitResponse(req *kmsg.OffsetCommitRequest, codes []kerror.Code, all kerror.Code) *kmsg.OffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	n := 0
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		r := &resp.Topics[i]
		r.Topic = t.Topic
		r.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		for k := range t.Partitions {
			code := all
			if codes != nil && codes[n] != kerror.OK {
				code = codes[n]
			}
			n++
			r.Partitions[k].Partition, r.Partitions[k].ErrorCode = t.Partitions[k].Partition, int16(code)
		}
	}
	return resp
}

func commitError(req *kmsg.OffsetCommitRequest, code kerror.Code) *kmsg.OffsetCommitResponse {
	return commitResponse(req, nil, code)
}
