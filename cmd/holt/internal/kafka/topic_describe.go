package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type describedTopic struct {
	Name       string               `json:"name"`
	ID         string               `json:"id"`
	Internal   bool                 `json:"internal,omitempty"`
	State      string               `json:"state"`
	Size       *int64               `json:"size"`
	Partitions []describedPartition `json:"partitions"`
	Config     []describedSetting   `json:"config"`
}

type describedPartition struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Epoch     int32   `json:"epoch"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	Start     *int64  `json:"start"`
	End       *int64  `json:"end"`
	Size      *int64  `json:"size"`
	Error     string  `json:"error,omitempty"`
}

type describedSetting struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"` // null: not set, or Hidden
	Hidden bool    `json:"hidden,omitempty"`
	Source string  `json:"source"`
}

func described(c kadm.Config) describedSetting {
	return describedSetting{c.Key, c.Value, c.Sensitive && c.Value == nil, sourceText(c.Source)}
}

func (w World) topicDescribe() *cobra.Command {
	b := w.base()
	var all bool
	cmd := &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show leaders, replicas, offsets, sizes and settings",
		Example: `  holt topic describe orders
  holt topic describe orders --all-config -o json`,
	}
	cmd.Flags().BoolVarP(&all, "all-config", "a", false, "all settings, not only those that were made for the topic")
	return b.onTopics(cmd, func(ctx context.Context, adm *kadm.Client, topics []string) error {
		list, err := describeTopics(ctx, adm, topics, all)
		if err != nil {
			return err
		}
		if b.output == "json" {
			return writeJSON(b.Out, list)
		}
		for i, d := range list {
			if i > 0 {
				fmt.Fprintln(b.Out)
			}
			if err := b.writeTopic(&d); err != nil {
				return err
			}
		}
		return nil
	})
}

func describeTopics(ctx context.Context, adm *kadm.Client, topics []string, allConfig bool) ([]describedTopic, error) {
	meta, err := adm.Metadata(ctx, topics...)
	if err != nil {
		return nil, failure(err, "describe topics")
	}
	for _, d := range meta.Topics.Sorted() {
		if d.Err != nil {
			return nil, failure(d.Err, "describe topic %s", d.Topic)
		}
	}
	// What follows is told as unknown where it cannot be had: a partition without
	// a leader has no offsets, and that is when one looks.
	starts, _ := adm.ListStartOffsets(ctx, topics...)
	ends, _ := adm.ListEndOffsets(ctx, topics...)
	dirs, _ := adm.DescribeAllLogDirs(ctx, meta.Topics.TopicsSet())
	configs, _ := adm.DescribeTopicConfigs(ctx, topics...)
	list := []describedTopic{}
	for _, d := range meta.Topics.Sorted() {
		out := describedTopic{Name: d.Topic, ID: topicID(d.ID), Internal: d.IsInternal}
		under, leaderless, size := 0, 0, int64(0)
		for _, p := range d.Partitions.Sorted() {
			dp := describedPartition{Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR,
				Start: orNil(listed(starts, d.Topic, p.Partition)), End: orNil(listed(ends, d.Topic, p.Partition)),
				Size: orNil(sizeOf(dirs, p))}
			if p.Err != nil {
				dp.Error = p.Err.Error()
			}
			if len(p.ISR) < len(p.Replicas) {
				under++
			}
			if p.Leader < 0 {
				leaderless++
			}
			if size >= 0 && dp.Size != nil {
				size += *dp.Size
			} else {
				size = -1
			}
			out.Partitions = append(out.Partitions, dp)
		}
		out.State, out.Size = stateText(under, leaderless), orNil(size)
		out.Config = settingsOf(configs, d.Topic, allConfig)
		list = append(list, out)
	}
	return list, nil
}

// sizeOf is the size of the leader's copy, -1 if unknown.
func sizeOf(dirs kadm.DescribedAllLogDirs, p kadm.PartitionDetail) int64 {
	for _, dir := range dirs[p.Leader] {
		if found, ok := dir.Topics.Lookup(p.Topic, p.Partition); ok && !found.IsFuture {
			return found.Size
		}
	}
	return -1
}

func settingsOf(configs kadm.ResourceConfigs, name string, all bool) []describedSetting {
	list := []describedSetting{}
	for _, r := range configs {
		if r.Name != name {
			continue
		}
		for _, c := range r.Configs {
			if all || c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				list = append(list, described(c))
			}
		}
	}
	slices.SortFunc(list, func(a, b describedSetting) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func sourceText(s kmsg.ConfigSource) string {
	switch s {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "topic"
	case kmsg.ConfigSourceDynamicBrokerConfig:
		return "broker, changed while running"
	case kmsg.ConfigSourceDynamicDefaultBrokerConfig:
		return "all brokers, changed while running"
	case kmsg.ConfigSourceStaticBrokerConfig:
		return "server.properties"
	case kmsg.ConfigSourceDefaultConfig:
		return "default"
	}
	return strings.ToLower(s.String())
}

// stateText says in words how well partitions are replicated.
func stateText(under, leaderless int) string {
	switch {
	case leaderless > 0 && under > leaderless:
		return fmt.Sprintf("%d without a leader, %d more under-replicated", leaderless, under-leaderless)
	case leaderless > 0:
		return fmt.Sprintf("%d without a leader", leaderless)
	case under > 0:
		return fmt.Sprintf("%d under-replicated", under)
	}
	return "in sync"
}

func (b *base) writeTopic(d *describedTopic) error {
	size := "unknown"
	if d.Size != nil {
		size = bytesText(*d.Size)
	}
	fmt.Fprintf(b.Out, "%s  %s, %s, %s, id %s\n", d.Name, count(len(d.Partitions), "partition"), size, d.State, d.ID)
	t := table{head: []string{"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "START", "END", "SIZE", ""}}
	for _, p := range d.Partitions {
		t.row(p.Partition, orDash(int64(p.Leader)), p.Epoch, ids(p.Replicas), ids(p.ISR), number(p.Start), number(p.End), sizeText(p.Size), trouble(&p))
	}
	if err := t.write(b.Out); err != nil {
		return err
	}
	if len(d.Config) == 0 {
		return nil
	}
	fmt.Fprintln(b.Out)
	return settingsTable(d.Config).write(b.Out)
}

func settingsTable(list []describedSetting) *table {
	t := table{head: []string{"SETTING", "VALUE", "FROM"}}
	for _, c := range list {
		value := "-"
		switch {
		case c.Value != nil:
			value = *c.Value
		case c.Hidden:
			value = "(hidden)"
		}
		t.row(c.Name, value, c.Source)
	}
	return &t
}

func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return orDash(*n)
}

func sizeText(n *int64) string {
	if n == nil {
		return "-"
	}
	return bytesText(*n)
}

// trouble says in words what is wrong with a partition.
func trouble(p *describedPartition) string {
	switch missing := missingOf(p.Replicas, p.ISR); {
	case p.Leader < 0:
		return "no leader"
	case len(missing) > 0:
		return "under-replicated: " + ids(missing) + " behind or down"
	}
	return ""
}

func missingOf(replicas, isr []int32) []int32 {
	var out []int32
	for _, r := range replicas {
		if !slices.Contains(isr, r) {
			out = append(out, r)
		}
	}
	return out
}
