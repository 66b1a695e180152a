package group

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/record"
)

// replay is what is kept while a partition loads.
type replay struct {
	values map[string]*kmsg.GroupMetadataValue // the last of each group
	d      *record.Decompressor
}

// replayBytes is how large a batch of the topic may be when decompressed. Holt does not
// compress it; a log that Kafka wrote may be.
const replayBytes = 64 << 20

func newReplay() *replay {
	return &replay{values: make(map[string]*kmsg.GroupMetadataValue), d: record.NewDecompressor(replayBytes)}
}

// Replay takes a batch of the log. (Kafka: doLoadGroupsAndOffsets)
func (c *core) Replay(b record.Batch) error {
	if b.IsControl() {
		m, err := b.Marker()
		if err != nil {
			return fmt.Errorf("read marker: %w", err)
		}
		if m != nil {
			c.txnEnded(TxnEnd{ProducerID: m.ProducerID, Offset: b.BaseOffset(), Commit: m.Commit})
		}
		return nil
	}
	for r, err := range b.Records(c.replay.d) {
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		if err := c.replayRecord(b, r); err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
	}
	return nil
}

func (c *core) replayRecord(b record.Batch, r record.Record) error {
	name, tp, isOffset, ok, err := readKey(r.Key)
	switch {
	case err != nil:
		return err
	case !ok: // of a later protocol
		return nil
	case isOffset:
		return c.replayOffset(b, r, name, tp)
	case r.Value == nil:
		delete(c.replay.values, name)
		return nil
	}
	v, err := readGroupValue(slices.Clone(r.Value)) // it keeps parts of it
	if err != nil {
		return err
	}
	c.replay.values[name] = v
	return nil
}

func (c *core) replayOffset(b record.Batch, r record.Record, name string, tp topicPartition) error {
	g := c.groups[name]
	if g == nil {
		if r.Value == nil {
			return nil
		}
		g = newGroup(name, -1)
		c.groups[name] = g
	}
	if r.Value == nil {
		if o := g.offsets[tp]; o != nil {
			o.removeAt(b.BaseOffset())
			g.sweep(tp, o)
		}
		return nil
	}
	v, err := readOffsetValue(r.Value)
	if err != nil {
		return err
	}
	if b.IsTransactional() {
		g.hold(g.txn(b.ProducerID()), tp, pendingCommit{v, b.BaseOffset()})
		c.track(g, b.ProducerID())
		return nil
	}
	// Two records of one batch for the same partition: the later one counts.
	o := g.offset(tp)
	o.committed, o.at, o.exists = v, max(o.at, b.BaseOffset()), true
	return nil
}

// Loaded makes groups of what was read, whose members have a full session from now on.
func (c *core) Loaded(now journal.Instant) {
	values := c.replay.values
	c.replay = nil
	for name, v := range values {
		g := c.groups[name]
		if g == nil {
			g = newGroup(name, -1)
			c.groups[g.name] = g
		}
		c.restore(now, g, v)
	}
	for _, g := range c.groups {
		if len(g.members) > c.c.GroupSizeMax {
			c.prepareRebalance(now, g)
		}
		c.forgetIfUnused(g)
	}
	c.timers.set(&c.retention, now.Up+c.c.RetentionCheck)
}

// restore gives a group what its record says.
func (c *core) restore(now journal.Instant, g *group, v *kmsg.GroupMetadataValue) {
	g.protocolType, g.protocol, g.generation = v.ProtocolType, deref(v.Protocol), v.Generation
	g.stateSince = v.CurrentStateTimestamp
	for i := range v.Members {
		r := &v.Members[i]
		m := &member{
			id: r.MemberID, instance: r.InstanceID, client: Client{ID: r.ClientID, Host: r.ClientHost},
			sessionMillis: r.SessionTimeoutMillis, rebalanceMillis: r.RebalanceTimeoutMillis,
			protocols: []protocol{{g.protocol, r.Subscription}}, assignment: r.Assignment,
			bytes: len(r.MemberID) + len(r.Subscription) + 48,
		}
		m.timer = timer{index: -1, group: g, member: m}
		g.add(m, v.ProtocolType)
		if m.id == deref(v.Leader) {
			g.leader = m
		}
		c.beat(now, m)
	}
	if len(g.members) > 0 {
		g.state = Stable
	}
	g.subscribed = g.subscriptions()
}
