package kafka

import (
	"context"
	"maps"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func (w World) topic() *cobra.Command {
	return parent("topic", "Topics of a Kafka cluster: list, create, describe, alter, delete",
		`  holt topic create orders -p 6 -c retention.ms=86400000
  holt topic list
  holt topic describe orders`,
		w.topicList(), w.topicCreate(), w.topicDescribe(), w.topicAlter(), w.topicAddPartitions(), w.topicDelete(), w.topicTrim())
}

// topicFlag adds --topic, which Kafka's scripts have for what are arguments
// here. The function returned joins both.
func topicFlag(cmd *cobra.Command) func(args []string) []string {
	list := cmd.Flags().StringSlice("topic", nil, "")
	if err := cmd.Flags().MarkHidden("topic"); err != nil {
		panic(err) // the flag was added above
	}
	return func(args []string) []string { return append(args, *list...) }
}

// onTopics makes a command on the topics named.
func (b *base) onTopics(cmd *cobra.Command, run func(ctx context.Context, adm *kadm.Client, topics []string) error) *cobra.Command {
	join := topicFlag(cmd)
	return b.command(cmd, nil, func(cmd *cobra.Command, args []string) error {
		topics := join(args)
		if len(topics) == 0 {
			return usage("%s takes the name of a topic", cmd.CommandPath())
		}
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error { return run(ctx, adm, topics) })
	})
}

type listedTopic struct {
	Name            string `json:"name"`
	Partitions      int    `json:"partitions"`
	Replicas        int    `json:"replicas"`
	UnderReplicated int    `json:"underReplicated"`
	Leaderless      int    `json:"leaderless"`
	Internal        bool   `json:"internal,omitempty"`
}

func (w World) topicList() *cobra.Command {
	b := w.base()
	var internal bool
	cmd := &cobra.Command{
		Use:   "list [REGEXP]",
		Short: "List topics, all or those whose name matches",
		Example: `  holt topic list
  holt topic list '^orders' -o json`,
	}
	cmd.Flags().BoolVarP(&internal, "internal", "i", false, "also those that brokers keep for themselves")
	return b.command(cmd, nil, func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("%s takes one expression, got %d", cmd.CommandPath(), len(args))
		}
		match := regexp.MustCompile("")
		if len(args) == 1 {
			var err error
			if match, err = regexp.Compile(args[0]); err != nil {
				return usage("%s: %w", args[0], err)
			}
		}
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			meta, err := adm.Metadata(ctx)
			if err != nil {
				return failure(err, "list topics")
			}
			return b.showTopics(meta.Topics, match, internal)
		})
	})
}

func (b *base) showTopics(topics kadm.TopicDetails, match *regexp.Regexp, internal bool) error {
	list := []listedTopic{}
	t := table{head: []string{"NAME", "PARTITIONS", "REPLICAS", "STATE"}}
	for _, d := range topics.Sorted() {
		if d.Err != nil || d.IsInternal && !internal || !match.MatchString(d.Topic) {
			continue
		}
		l := listedTopic{Name: d.Topic, Partitions: len(d.Partitions), Replicas: d.Partitions.NumReplicas(), Internal: d.IsInternal}
		for _, p := range d.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				l.UnderReplicated++
			}
			if p.Leader < 0 {
				l.Leaderless++
			}
		}
		list = append(list, l)
		t.row(l.Name, l.Partitions, l.Replicas, stateText(l.UnderReplicated, l.Leaderless))
	}
	return b.show(list, &t)
}

func (w World) topicDelete() *cobra.Command {
	b := w.base()
	var missingIsFine bool
	cmd := &cobra.Command{
		Use:     "delete NAME...",
		Short:   "Delete topics and their records",
		Example: "  holt topic delete orders",
	}
	cmd.Flags().BoolVar(&missingIsFine, "if-exists", false, "a topic that is not there is no error")
	return b.onTopics(cmd, func(ctx context.Context, adm *kadm.Client, topics []string) error {
		res, err := adm.DeleteTopics(ctx, topics...)
		if err != nil {
			return failure(err, "delete topics")
		}
		var all outcomes
		t := table{head: []string{"TOPIC", "DONE"}}
		deleted := []string{}
		for _, name := range slices.Sorted(maps.Keys(res)) {
			r := res[name]
			if missingIsFine && codeOf(r.Err) == codeNotFound {
				continue
			}
			all.add(message(r.Err, r.ErrMessage), "delete topic %s", r.Topic)
			if r.Err == nil {
				t.row(r.Topic, "deleted")
				deleted = append(deleted, r.Topic)
			}
		}
		return b.finish(map[string]any{"deleted": deleted}, &t, &all)
	})
}

// finish shows what was done, if anything was, and returns what was not.
func (b *base) finish(data any, t *table, all *outcomes) error {
	if len(t.rows) > 0 || len(all.errs) == 0 && b.output == "json" {
		if err := b.show(data, t); err != nil {
			return err
		}
	}
	return all.failure()
}
