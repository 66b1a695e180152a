package metadata

import (
	"context"
	"errors"
	"fmt"
)

// CreateTopic makes a topic and its configuration, at once. The controller then
// gives its partitions leaders. ErrNodeExists: there is one of this name.
func (c *Client) CreateTopic(ctx context.Context, name string, node *TopicNode, values map[string]string) error {
	topic, config := Create(TopicPath(name), node.Encode()), Create(TopicEntity(name).Path(), EncodeConfig(values))
	for {
		// The parent of the partitions saves the controller a round.
		_, err := c.Multi(ctx, topic, config, Create(PartitionsPath(name), nil))
		var refused *OpError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrConnectionLoss) && !isDone(err) && !errors.Is(err, ErrClosed):
		case errors.As(err, &refused) && refused.Index == 1 && refused.Err == ErrNodeExists:
			// Left by a creation that was cut short, by brokers that do it in two steps.
			config = Set(config.Path, config.Data, AnyVersion)
		case errors.As(err, &refused) && refused.Index == 1 && refused.Err == ErrNoNode && config.Kind == OpSet:
			config = Create(config.Path, config.Data)
		case errors.Is(err, ErrNodeExists) && c.isTopic(ctx, name, node.ID):
			return nil // the connection was lost after it was made
		default:
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
}

// isTopic tells whether the topic that is there is the one with this id.
func (c *Client) isTopic(ctx context.Context, name string, id TopicID) bool {
	data, _, err := c.Get(ctx, TopicPath(name), false)
	if err != nil {
		return false
	}
	node, err := DecodeTopic(data)
	return err == nil && node.ID == id && id != TopicID{}
}

// DeleteTopic asks the controller to delete a topic. ErrNoNode: there is none. It is
// no error to ask again.
func (c *Client) DeleteTopic(ctx context.Context, name string) error {
	err := settle(func() error {
		// The check keeps a request from outliving the topic, and hitting the next one.
		_, err := c.Multi(ctx, Check(TopicPath(name), AnyVersion), Create(DeleteTopicPath(name), nil))
		return err
	})
	if err != nil && !errors.Is(err, ErrNodeExists) {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return nil
}

// ErrChanged says that what a write was based on has changed: look again.
var ErrChanged = errors.New("changed meanwhile")

// AddPartitions appends partitions to the topic with the id, which has count of them now.
// ErrNoNode: the topic is gone. ErrChanged: it has another number of partitions.
func (c *Client) AddPartitions(ctx context.Context, name string, id TopicID, count int, more []Assignment) error {
	for lost := false; ; {
		data, stat, err := c.Get(ctx, TopicPath(name), false)
		if err != nil {
			return fmt.Errorf("add partitions to %s: %w", name, err)
		}
		node, err := DecodeTopic(data)
		if err != nil {
			return fmt.Errorf("add partitions to %s: %w", name, err)
		}
		if node.ID != id {
			return fmt.Errorf("add partitions to %s: %w", name, ErrNoNode)
		}
		if len(node.Partitions) != count {
			if lost && endsIn(node.Partitions, count, more) {
				return nil
			}
			return fmt.Errorf("add partitions to %s, which has %d and not %d: %w", name, len(node.Partitions), count, ErrChanged)
		}
		node.Partitions = append(node.Partitions, more...)
		_, err = c.one(ctx, Set(TopicPath(name), node.Encode(), stat.Version))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrBadVersion):
		case errors.Is(err, ErrConnectionLoss) && !isDone(err) && !errors.Is(err, ErrClosed):
			lost = true
		default:
			return fmt.Errorf("add partitions to %s: %w", name, err)
		}
	}
}

func endsIn(all []Assignment, count int, more []Assignment) bool {
	if len(all) != count+len(more) {
		return false
	}
	for i := range more {
		if !all[count+i].Equal(&more[i]) {
			return false
		}
	}
	return true
}

// RequestReassignment leaves wishes for the controller, as old tools do.
// ErrNodeExists: earlier ones are not done yet.
func (c *Client) RequestReassignment(ctx context.Context, wishes []Reassignment) error {
	return c.request(ctx, ReassignPath, EncodeReassignments(wishes))
}

// RequestPreferredElection asks the controller to have partitions led by their
// first replica, as old tools do. ErrNodeExists: an earlier request is not done yet.
func (c *Client) RequestPreferredElection(ctx context.Context, tps []TopicPartition) error {
	return c.request(ctx, PreferredElectionPath, EncodePartitions(tps))
}

func (c *Client) request(ctx context.Context, path string, payload []byte) error {
	if _, err := c.one(ctx, Create(path, payload)); err != nil {
		return fmt.Errorf("leave a request for the controller: %w", err)
	}
	return nil
}

// SetPartitionState writes a partition's state if its node has the version, as the
// leader does to change the ISR; it returns the new version. ErrBadVersion: somebody
// else was first, and the image will show it. ErrNoNode: the topic is gone.
// (Kafka: ReplicationUtils.updateLeaderAndIsr)
func (c *Client) SetPartitionState(ctx context.Context, tp TopicPartition, s PartitionState, version int32) (int32, error) {
	path := StatePath(tp.Topic, tp.Partition)
	for lost := false; ; {
		result, err := c.one(ctx, Set(path, s.Encode(), version))
		switch {
		case err == nil:
			return result.Stat.Version, nil
		case errors.Is(err, ErrConnectionLoss) && !isDone(err) && !errors.Is(err, ErrClosed):
			lost = true
			continue
		case lost && errors.Is(err, ErrBadVersion):
			data, stat, err := c.Get(ctx, path, false)
			if err != nil {
				return 0, fmt.Errorf("state of %v: %w", tp, err)
			}
			if is, err := DecodePartitionState(data); err == nil && stat.Version == version+1 && is.Equal(&s) {
				return stat.Version, nil // ours, before the connection was lost
			}
		}
		return 0, fmt.Errorf("state of %v: %w", tp, err)
	}
}

// NotifyISR tells tools that leaders have changed ISRs. The controller purges it.
func (c *Client) NotifyISR(ctx context.Context, tps []TopicPartition) error {
	return c.notify(ctx, ISRChangesPath+"/"+isrChangePrefix, EncodePartitions(tps))
}

// NotifyLogDirFailure tells the controller that a broker has lost a log directory,
// so that it elects other leaders for what was in it.
func (c *Client) NotifyLogDirFailure(ctx context.Context, broker int32) error {
	return c.notify(ctx, LogDirEventsPath+"/"+logDirEventPrefix, encodeLogDirEvent(broker))
}

// notify makes a sequential node; a second one after a lost connection does no harm.
func (c *Client) notify(ctx context.Context, path string, payload []byte) error {
	err := settle(func() error {
		_, err := c.one(ctx, CreateSequential(path, payload))
		return err
	})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}
