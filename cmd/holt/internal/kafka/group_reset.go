package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

type resetOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"`
	New       int64  `json:"new"`
	Lag       int64  `json:"lag"` // after the reset
	DryRun    bool   `json:"dryRun,omitempty"`
}

func (w World) groupReset() *cobra.Command {
	b := w.base()
	var topics []string
	var to string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "reset GROUP --to WHERE",
		Short: "Set the offsets of a group that has no members",
		Long: `Set the offsets of a group that has no members.

WHERE is start, end, an offset, @time, or +n or -n from where the group is. All
topics that the group has offsets of are reset, or those named. An offset outside
what the topic has becomes its start or end.`,
		Example: `  holt group reset billing --to start --dry-run
  holt group reset billing --to @2026-11-22T10:00 --topic orders
  holt group reset billing --to -100 --topic orders:0,1`,
	}
	cmd.Flags().StringSliceVar(&topics, "topic", nil, "a topic, or partitions of one as orders:0+1+4-7 (default: all the group has offsets of)")
	cmd.Flags().StringVar(&to, "to", "", "where to")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be")
	return b.command(cmd, exactly(1, "the name of a group"), func(cmd *cobra.Command, args []string) error {
		at, err := parsePosition("--to", to, time.Now())
		if err != nil {
			return err
		}
		only, err := parseTopics(topics)
		if err != nil {
			return err
		}
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			return b.resetGroup(ctx, adm, args[0], at, only, dryRun)
		})
	})
}

// parseTopics reads orders, orders:0 and, since commas part topics, both
// orders:0+1 and the list orders:0, 1. The value is nil for all partitions.
func parseTopics(list []string) (map[string][]int32, error) {
	out := map[string][]int32{}
	last := ""
	for _, s := range list {
		topic, rest, ok := strings.Cut(s, ":")
		if !ok && last != "" && isPartitions(s) {
			topic, rest = last, s
		} else if !ok {
			out[s] = nil
			continue
		}
		partitions, err := parsePartitions(strings.Split(rest, "+"))
		if err != nil {
			return nil, err
		}
		out[topic] = append(out[topic], partitions...)
		last = topic
	}
	return out, nil
}

func isPartitions(s string) bool {
	_, err := parsePartitions(strings.Split(s, "+"))
	return err == nil
}

func (b *base) resetGroup(ctx context.Context, adm *kadm.Client, group string, at position, only map[string][]int32, dryRun bool) error {
	if err := mustBeEmpty(ctx, adm, group); err != nil {
		return err
	}
	committed, err := committedBy(ctx, adm, group)
	if err != nil {
		return err
	}
	if len(only) == 0 {
		for topic, partitions := range committed {
			for p := range partitions {
				only[topic] = append(only[topic], p)
			}
		}
		if len(only) == 0 {
			return &Failure{codeNotFound, fmt.Errorf("group %s has no offsets; name a topic with --topic to give it some", group)}
		}
	}
	offsets, list, err := plan(ctx, adm, committed, at, only)
	if err != nil {
		return err
	}
	var all outcomes
	if !dryRun {
		res, err := adm.CommitOffsets(ctx, group, offsets)
		if err != nil {
			return failure(err, "reset group %s", group)
		}
		list = slices.DeleteFunc(list, func(r resetOffset) bool {
			o, ok := res.Lookup(r.Topic, r.Partition)
			if !ok {
				return false
			}
			all.add(o.Err, "reset %s/%d", r.Topic, r.Partition)
			return o.Err != nil
		})
	}
	t := table{head: []string{"TOPIC", "PARTITION", "COMMITTED", "NEW", "LAG"}}
	for i, r := range list {
		list[i].DryRun = dryRun
		t.row(r.Topic, r.Partition, number(r.Committed), r.New, r.Lag)
	}
	if dryRun {
		fmt.Fprintln(b.Err, "nothing was changed; the same without --dry-run does it")
	}
	return b.finish(list, &t, &all)
}

// mustBeEmpty fails if the group has members: they would overwrite what is set.
func mustBeEmpty(ctx context.Context, adm *kadm.Client, group string) error {
	groups, err := coordinated(ctx, func() (kadm.DescribedGroups, error) { return adm.DescribeGroups(ctx, group) })
	if err == nil {
		err = groups[group].Err
	}
	if err != nil {
		if codeOf(err) == codeNotFound {
			return nil // it becomes one
		}
		return failure(err, "describe group %s", group)
	}
	if n := len(groups[group].Members); n > 0 {
		return &Failure{codeConflict, fmt.Errorf("group %s has %s; stop its consumers, then reset it", group, count(n, "member"))}
	}
	return nil
}

// plan is the offsets to commit, and the same to show.
func plan(ctx context.Context, adm *kadm.Client, committed kadm.OffsetResponses, at position, only map[string][]int32) (kadm.Offsets, []resetOffset, error) {
	offsets := kadm.Offsets{}
	var list []resetOffset
	for topic, partitions := range only {
		b, err := readBounds(ctx, adm, topic)
		if err != nil {
			return nil, nil, err
		}
		// Those it has offsets of may be gone, with an older topic of that name.
		unknown := slices.DeleteFunc(slices.Clone(partitions), func(p int32) bool { _, ok := committed.Lookup(topic, p); return ok })
		if err := b.mustHave(unknown); err != nil {
			return nil, nil, err
		}
		targets, err := b.resolve(ctx, adm, at)
		if err != nil {
			return nil, nil, err
		}
		for p, target := range targets {
			if len(partitions) > 0 && !slices.Contains(partitions, p) {
				continue
			}
			now := int64(-1)
			if o, ok := committed.Lookup(topic, p); ok && o.Err == nil {
				now = o.At
			}
			switch at.kind {
			case afterStart:
				target = b.within(p, max(now, b.start[p])+at.n)
			case beforeEnd:
				target = b.within(p, max(now, b.start[p])-at.n)
			}
			offsets.AddOffset(topic, p, target, -1)
			list = append(list, resetOffset{Topic: topic, Partition: p, Committed: orNil(now), New: target, Lag: b.end[p] - target})
		}
	}
	slices.SortFunc(list, func(a, b resetOffset) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return offsets, list, nil
}
