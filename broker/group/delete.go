package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// tombstoneBytes is how large a batch of tombstones becomes: well below what topics take.
const tombstoneBytes = 256 << 10

// deleteGroup serves a group of DeleteGroups: one without members, with all its offsets.
func (c *core) deleteGroup(now journal.Instant, name string, done func(kerror.Code)) {
	g := c.lookup(name)
	switch {
	case g == nil, g.state == Dead:
		c.out.Do(func() { done(kerror.GroupIDNotFound) })
	case g.state != Empty:
		c.out.Do(func() { done(kerror.NonEmptyGroup) })
	default:
		c.bury(now, g, func(code kerror.Code) { c.out.Do(func() { done(code) }) })
	}
}

// bury deletes an empty group with all that is or will be in the log of it. It is Dead meanwhile, and
// what it was again if the log does not take it.
func (c *core) bury(now journal.Instant, g *group, done func(kerror.Code)) {
	tps := slices.Collect(maps.Keys(g.offsets)) // also those on their way: they come before in the log
	since := g.stateSince
	g.setState(Dead, now.Unix)
	for id := range g.pending {
		c.removePending(g, id)
	}
	c.tombstones(now, g, tps, g.generation > 0, func(_ int64, code kerror.Code) {
		if code != kerror.OK {
			g.setState(Empty, since)
			done(code)
			return
		}
		delete(c.groups, g.name)
		for pid := range g.txns {
			c.forgetProducer(g, pid)
		}
		done(kerror.OK)
	})
}

// tombstones appends that partitions have no offset any more and, if so, that the group is gone, in as
// many batches as it takes. done gets where the last begins, or the first code that is not OK.
func (c *core) tombstones(now journal.Instant, g *group, tps []topicPartition, whole bool, done func(int64, kerror.Code)) {
	first, begun, left, last := kerror.OK, false, 0, int64(-1)
	flush := func() {
		left++
		c.out.Append(c.build(), func(_ journal.Instant, at int64, code kerror.Code) {
			left--
			last = max(last, at)
			if first == kerror.OK {
				first = commitCode(code)
			}
			if left == 0 {
				done(last, first)
			}
		})
		begun = false
	}
	add := func(key []byte) {
		if !begun {
			c.builder.Reset(record.BuilderOptions{})
			begun = true
		}
		c.builder.Append(record.Record{Timestamp: now.Unix, Key: key})
		if c.builder.Size() >= tombstoneBytes {
			flush()
		}
	}
	slices.SortFunc(tps, topicPartition.compare)
	for _, tp := range tps {
		c.key = appendOffsetKey(c.key[:0], g.name, tp)
		add(c.key)
	}
	if whole {
		c.key = appendGroupKey(c.key[:0], g.name)
		add(c.key)
	}
	if begun {
		flush()
	}
	if left == 0 {
		done(last, first)
	}
}

// removeOffsets deletes what is committed for partitions.
func (c *core) removeOffsets(now journal.Instant, g *group, tps []topicPartition, done func(kerror.Code)) {
	c.tombstones(now, g, tps, false, func(at int64, code kerror.Code) {
		for _, tp := range tps {
			if o := g.offsets[tp]; o != nil && code == kerror.OK {
				o.removeAt(at)
				g.sweep(tp, o)
			}
		}
		done(code)
	})
}

// deleteOffsets serves OffsetDelete. Of a group with members only consumers' topics are known, and
// those that they do not read can be deleted. (Kafka: handleDeleteOffsets)
func (c *core) deleteOffsets(now journal.Instant, req *kmsg.OffsetDeleteRequest, reply func(*kmsg.OffsetDeleteResponse)) {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	refuse := func(code kerror.Code) {
		resp.ErrorCode = int16(code)
		c.out.Do(func() { reply(resp) })
	}
	g := c.lookup(req.Group)
	switch {
	case g == nil, g.state == Dead:
		refuse(kerror.GroupIDNotFound)
		return
	case g.state != Empty && g.protocolType != consumerProtocol:
		refuse(kerror.NonEmptyGroup)
		return
	}
	var tps []topicPartition
	var chosen []*kmsg.OffsetDeleteResponseTopicPartition
	resp.Topics = make([]kmsg.OffsetDeleteResponseTopic, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		r := &resp.Topics[i]
		r.Topic = t.Topic
		r.Partitions = make([]kmsg.OffsetDeleteResponseTopicPartition, len(t.Partitions))
		for k := range t.Partitions {
			p := &r.Partitions[k]
			p.Partition = t.Partitions[k].Partition
			if g.state != Empty && g.isSubscribed(t.Topic) {
				p.ErrorCode = int16(kerror.GroupSubscribedToTopic)
				continue
			}
			tp := topicPartition{t.Topic, p.Partition}
			if g.offsets[tp] != nil {
				tps, chosen = append(tps, tp), append(chosen, p)
			}
		}
	}
	c.removeOffsets(now, g, tps, func(code kerror.Code) {
		for _, p := range chosen {
			p.ErrorCode = int16(code)
		}
		answer := func() { c.out.Do(func() { reply(resp) }) }
		if code == kerror.OK && len(tps) > 0 && g.bare() {
			c.bury(now, g, func(kerror.Code) { answer() }) // what is not written expires some day
			return
		}
		answer()
	})
}

// bare reports whether nothing is left of a group but its name, once offsets of it were deleted: it goes then.
// (Kafka: cleanupGroupMetadata)
func (g *group) bare() bool {
	return g.state == Empty && len(g.offsets) == 0 && len(g.pending) == 0 && len(g.txns) == 0
}

// topicDeleted deletes what groups have committed for a topic. Nobody waits for it; what is not
// written expires some day.
func (c *core) topicDeleted(now journal.Instant, topic string) {
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		g := c.groups[name]
		var tps []topicPartition
		for tp := range g.offsets {
			if tp.topic == topic {
				tps = append(tps, tp)
			}
		}
		if len(tps) > 0 {
			c.removeOffsets(now, g, tps, func(code kerror.Code) {
				if code == kerror.OK && g.bare() {
					c.bury(now, g, func(kerror.Code) {})
				}
			})
		}
	}
}
