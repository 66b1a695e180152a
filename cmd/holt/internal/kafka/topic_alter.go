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

func (w World) topicAlter() *cobra.Command {
	b := w.base()
	var set, add, subtract, reset []string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "alter NAME...",
		Short: "Change settings of topics",
		Example: `  holt topic alter orders -c retention.ms=3600000 --default cleanup.policy
  holt topic alter orders --append cleanup.policy=delete --dry-run`,
	}
	f := cmd.Flags()
	f.StringArrayVarP(&set, "config", "c", nil, "set a setting, as name=value")
	f.StringArrayVar(&reset, "default", nil, "let a setting have the broker's value again")
	f.StringArrayVar(&add, "append", nil, "add to a setting that is a list, as name=value")
	f.StringArrayVar(&subtract, "subtract", nil, "take from a setting that is a list, as name=value")
	f.BoolVar(&dryRun, "dry-run", false, "only ask the broker whether it would")
	return b.onTopics(cmd, func(ctx context.Context, adm *kadm.Client, topics []string) error {
		changes, err := parseChanges(set, add, subtract, reset)
		if err != nil {
			return err
		}
		alter, done := adm.AlterTopicConfigs, "changed"
		if dryRun {
			alter, done = adm.ValidateAlterTopicConfigs, "would be changed"
		}
		res, err := alter(ctx, changes, topics...)
		if err != nil {
			return failure(err, "change settings")
		}
		var all outcomes
		t := table{head: []string{"TOPIC", "DONE"}}
		changed := []string{}
		slices.SortFunc(res, func(a, b kadm.AlterConfigsResponse) int { return strings.Compare(a.Name, b.Name) })
		for _, r := range res {
			all.add(message(r.Err, r.ErrMessage), "change settings of topic %s", r.Name)
			if r.Err == nil {
				t.row(r.Name, done)
				changed = append(changed, r.Name)
			}
		}
		return b.finish(map[string]any{"changed": changed, "dryRun": dryRun}, &t, &all)
	})
}

func parseChanges(set, add, subtract, reset []string) ([]kadm.AlterConfig, error) {
	var changes []kadm.AlterConfig
	for _, kind := range []struct {
		flag string
		list []string
		op   kadm.IncrementalOp
	}{{"--config", set, kadm.SetConfig}, {"--append", add, kadm.AppendConfig}, {"--subtract", subtract, kadm.SubtractConfig}} {
		settings, err := parseSettings(kind.flag, kind.list)
		if err != nil {
			return nil, err
		}
		for name, value := range settings {
			changes = append(changes, kadm.AlterConfig{Op: kind.op, Name: name, Value: kadm.StringPtr(value)})
		}
	}
	for _, name := range reset {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	if len(changes) == 0 {
		return nil, usage("nothing to change; name a setting with --config, --default, --append or --subtract")
	}
	return changes, nil
}

func (w World) topicAddPartitions() *cobra.Command {
	b := w.base()
	var total int
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "add-partitions NAME...",
		Short: "Give topics more partitions; keys may then hash to others than before",
		Example: `  holt topic add-partitions orders -p 12
  holt topic add-partitions orders -p 12 --dry-run`,
	}
	cmd.Flags().IntVarP(&total, "partitions", "p", 0, "partitions that there shall be in all")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only ask the broker whether it would")
	return b.onTopics(cmd, func(ctx context.Context, adm *kadm.Client, topics []string) error {
		if total < 1 {
			return usage("--partitions %d: not how many there shall be in all", total)
		}
		update, done := adm.UpdatePartitions, "has"
		if dryRun {
			update, done = adm.ValidateUpdatePartitions, "would have"
		}
		res, err := update(ctx, total, topics...)
		if err != nil {
			return failure(err, "add partitions")
		}
		var all outcomes
		t := table{head: []string{"TOPIC", "DONE"}}
		changed := []string{}
		for _, r := range res.Sorted() {
			all.add(message(r.Err, r.ErrMessage), "add partitions to topic %s", r.Topic)
			if r.Err == nil {
				t.row(r.Topic, fmt.Sprintf("%s %d partitions", done, total))
				changed = append(changed, r.Topic)
			}
		}
		return b.finish(map[string]any{"changed": changed, "partitions": total, "dryRun": dryRun}, &t, &all)
	})
}

type trimmed struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Start     int64  `json:"start"`
	NewStart  int64  `json:"newStart"`
}

func (w World) topicTrim() *cobra.Command {
	b := w.base()
	var before string
	var only []string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "trim NAME --before OFFSET",
		Short: "Delete the oldest records of a topic",
		Example: `  holt topic trim orders --before @2026-11-22T10:00
  holt topic trim orders --before end --dry-run
  holt topic trim orders --before 5000 -p 0`,
	}
	cmd.Flags().StringVar(&before, "before", "", "first record to keep: an offset, @time or end")
	cmd.Flags().StringSliceVarP(&only, "partitions", "p", nil, "partitions, as 0,1,4-7 (default all)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would go")
	return b.onTopics(cmd, func(ctx context.Context, adm *kadm.Client, topics []string) error {
		at, err := parsePosition("--before", before, time.Now())
		if err != nil {
			return err
		}
		partitions, err := parsePartitions(only)
		if err != nil {
			return err
		}
		if len(topics) != 1 {
			return usage("trim takes one topic, got %d", len(topics))
		}
		return b.trim(ctx, adm, topics[0], partitions, at, dryRun)
	})
}

func (b *base) trim(ctx context.Context, adm *kadm.Client, topic string, partitions []int32, at position, dryRun bool) error {
	bounds, err := readBounds(ctx, adm, topic)
	if err != nil {
		return err
	}
	if err := bounds.mustHave(partitions); err != nil {
		return err
	}
	targets, err := bounds.resolve(ctx, adm, at)
	if err != nil {
		return err
	}
	wanted := kadm.Offsets{}
	for p, offset := range targets {
		if len(partitions) == 0 || slices.Contains(partitions, p) {
			wanted.AddOffset(topic, p, max(offset, bounds.start[p]), -1)
		}
	}
	var all outcomes
	t := table{head: []string{"PARTITION", "START", "NEW START", "RECORDS GONE"}}
	list := []trimmed{}
	if dryRun {
		for _, o := range wanted.Sorted() {
			list = append(list, trimmed{topic, o.Partition, bounds.start[o.Partition], o.At})
		}
	} else {
		res, err := adm.DeleteRecords(ctx, wanted)
		if err != nil {
			return failure(err, "trim topic %s", topic)
		}
		for _, r := range res.Sorted() {
			all.add(r.Err, "trim partition %d", r.Partition)
			if r.Err == nil {
				list = append(list, trimmed{topic, r.Partition, bounds.start[r.Partition], r.LowWatermark})
			}
		}
	}
	for _, r := range list {
		t.row(r.Partition, r.Start, r.NewStart, r.NewStart-r.Start)
	}
	return b.finish(list, &t, &all)
}
