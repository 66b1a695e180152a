package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Nothing more came, although partitions end later: either nothing is there any more, since compaction has taken the
// last records, and that is the end; or it cannot be had, and whoever reads the output must not take it for all.

// rest says why what is missing did not come; nil if there is none of it.
func (c *consuming) rest(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var missing []topicPartition
	for tp, s := range c.left {
		if s.next < s.end {
			missing = append(missing, tp)
		}
	}
	slices.SortFunc(missing, func(a, b topicPartition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	var errs []error
	for _, tp := range missing {
		s := c.left[tp]
		some, err := c.unread(ctx, client, tp, s)
		if err == nil && some {
			err = errNoAnswer
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %s, partition %d stopped at %d of %d: %w", tp.topic, tp.partition, s.next, s.end, err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &Failure{codeUnreachable, fmt.Errorf("nothing more came within %v:\n%w", c.patience(), errors.Join(errs...))}
}

// unread asks a partition's leader for what is left of a span, and reports whether there are records.
func (c *consuming) unread(ctx context.Context, client *kgo.Client, tp topicPartition, s *span) (bool, error) {
	meta, err := kadm.NewClient(client).Metadata(ctx, tp.topic)
	if err != nil {
		return false, err
	}
	topic := meta.Topics[tp.topic]
	p := topic.Partitions[tp.partition]
	if err := errors.Join(topic.Err, p.Err); err != nil {
		return false, err
	}
	for at := s.next; at < s.end; {
		got, err := c.fetchOnce(ctx, client, p.Leader, topic.ID, tp, at)
		if err != nil {
			return false, err
		}
		opts := kgo.ProcessFetchPartitionOpts{Offset: at, Topic: tp.topic, Partition: tp.partition}
		if c.flags.committed {
			opts.IsolationLevel = kgo.ReadCommitted()
		}
		records, next := kgo.ProcessFetchPartition(opts, got, kgo.DefaultDecompressor(), nil)
		switch {
		case records.Err != nil:
			return false, records.Err
		case len(records.Records) > 0:
			return records.Records[0].Offset < s.end, nil
		case next <= at:
			return false, nil // nothing, up to the end
		}
		at = next
	}
	return false, nil
}

// fetchOnce asks a broker for records of one partition, without waiting for more.
func (c *consuming) fetchOnce(ctx context.Context, client *kgo.Client, leader int32, id kadm.TopicID, tp topicPartition, at int64) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes = 1 << 20
	if c.flags.committed {
		req.IsolationLevel = 1
	}
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, t.TopicID = tp.topic, id
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = tp.partition, at, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	answer, err := client.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errNoAnswer
	}
	return &resp.Topics[0].Partitions[0], nil
}
