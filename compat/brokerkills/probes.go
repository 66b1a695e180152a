package brokerkills

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bounds is what there is to know of a partition for asking about it.
type bounds struct {
	leader, epoch int32
	end           int64
}

// ask puts the questions that have one right answer. Nothing is written meanwhile.
func (c *crew) ask(ctx context.Context) {
	client, err := c.client()
	if err != nil {
		c.fail("probes: %v", err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		c.fail("probes: %v", err)
		return
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		c.fail("probes: %v", err)
		return
	}
	for p := range int32(partitions) {
		end, _ := ends.Lookup(topic, p)
		d := topics[topic].Partitions[p]
		b := bounds{leader: d.Leader, epoch: d.LeaderEpoch, end: end.Offset}
		c.askFetch(ctx, client, p, b)
		c.askList(ctx, client, p, b)
	}
	c.zombie(ctx, client)
}

// askFetch asks at the edges of the log and with epochs that are not the leader's.
func (c *crew) askFetch(ctx context.Context, client *kgo.Client, p int32, b bounds) {
	for _, q := range []struct {
		rule, what string
		offset     int64
		epoch      int32
		want       string
	}{
		{"K13", "at the end", b.end, b.epoch, "NONE"},
		{"K13", "past the end", b.end + 1, b.epoch, "OFFSET_OUT_OF_RANGE"},
		{"K13", "before the start", -1, b.epoch, "OFFSET_OUT_OF_RANGE"},
		{"K13", "at the start", 0, b.epoch, "NONE"},
		{"K10", "with an older epoch", 0, b.epoch - 1, "FENCED_LEADER_EPOCH"},
		{"K10", "with a newer epoch", 0, b.epoch + 1, "UNKNOWN_LEADER_EPOCH"},
	} {
		if q.epoch < 0 {
			continue // no epoch is older than the first
		}
		c.probe(q.rule, fmt.Sprintf("fetch of partition %d %s", p, q.what), c.fetch(ctx, client, p, b.leader, q.offset, q.epoch), q.want)
	}
}

// fetch returns the code of one fetch. Version 12 names topics by name.
func (c *crew) fetch(ctx context.Context, client *kgo.Client, p, leader int32, offset int64, epoch int32) string {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MinBytes, req.MaxWaitMillis = 1<<20, 0, 0
	req.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.CurrentLeaderEpoch, rp.PartitionMaxBytes = p, offset, epoch, 1<<20
	t.Partitions = append(t.Partitions, rp)
	req.Topics = append(req.Topics, t)
	req.Version = 12
	raw, err := client.Broker(int(leader)).Request(ctx, pinned{req})
	if err != nil {
		return err.Error()
	}
	resp := raw.(*kmsg.FetchResponse)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return code(resp.ErrorCode) + " for the request"
	}
	return code(resp.Topics[0].Partitions[0].ErrorCode)
}

// pinned keeps a request at a version at most: a client takes the highest that both know.
type pinned struct{ *kmsg.FetchRequest }

func (pinned) MaxVersion() int16 { return 12 }

// askList asks for offsets by special and by ordinary times; those by time of a record are left
// to askTimes, which needs the log.
func (c *crew) askList(ctx context.Context, client *kgo.Client, p int32, b bounds) {
	const latest, earliest = -1, -2
	farAhead := int64(1) << 45
	for _, q := range []struct {
		rule, what string
		at         int64
		epoch      int32
		want       string
	}{
		{"K5", "earliest", earliest, b.epoch, "0"},
		{"K13", "latest", latest, b.epoch, fmt.Sprint(b.end)},
		{"K12", "a time before all", 0, b.epoch, "0"},
		{"K12", "a time after all", farAhead, b.epoch, "-1"},
		{"K10", "latest, with a newer epoch", latest, b.epoch + 1, "UNKNOWN_LEADER_EPOCH"},
	} {
		c.probe(q.rule, fmt.Sprintf("offset of partition %d for %s", p, q.what), list(ctx, client, p, b.leader, q.at, q.epoch), q.want)
	}
}

// list returns the offset that a broker names for a time, or the name of its code.
func list(ctx context.Context, client *kgo.Client, p, leader int32, at int64, epoch int32) string {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = p, at, epoch
	t.Partitions = append(t.Partitions, rp)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, client.Broker(int(leader)))
	switch {
	case err != nil:
		return err.Error()
	case len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1:
		return "no answer for the partition"
	case resp.Topics[0].Partitions[0].ErrorCode != 0:
		return code(resp.Topics[0].Partitions[0].ErrorCode)
	}
	return fmt.Sprint(resp.Topics[0].Partitions[0].Offset)
}

// askTimes compares the offset for the time of some records with the first record in log that is
// no older; log is a partition's, whole.
func (c *crew) askTimes(ctx context.Context, client *kgo.Client, p int32, log []Entry) {
	const questions = 12
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		c.fail("times: %v", err)
		return
	}
	d := topics[topic].Partitions[p]
	for i := range questions {
		asked := log[i*(len(log)-1)/(questions-1)]
		for _, at := range []int64{asked.Time, asked.Time + 1} {
			want := "-1"
			for _, e := range log {
				if e.Time >= at {
					want = fmt.Sprint(e.Offset)
					break
				}
			}
			c.probe("K12", fmt.Sprintf("offset of partition %d for time %d", p, at), list(ctx, client, p, d.Leader, at, -1), want)
		}
	}
}
