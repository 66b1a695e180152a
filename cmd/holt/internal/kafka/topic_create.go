package kafka

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type createFlags struct {
	partitions  int32
	replicas    int16
	config      []string
	ifNotExists bool
	dryRun      bool
}

type createdTopic struct {
	Name       string `json:"name"`
	ID         string `json:"id,omitempty"`
	Partitions int32  `json:"partitions"`
	Replicas   int16  `json:"replicas"`
	Existed    bool   `json:"existed,omitempty"`
	DryRun     bool   `json:"dryRun,omitempty"`
}

func (w World) topicCreate() *cobra.Command {
	b := w.base()
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create NAME...",
		Short: "Create topics",
		Example: `  holt topic create orders
  holt topic create orders -p 6 -r 3 -c retention.ms=86400000 -c cleanup.policy=compact
  holt topic create orders --dry-run`,
	}
	fs := cmd.Flags()
	fs.Int32VarP(&f.partitions, "partitions", "p", -1, "partitions; -1: as many as the broker is configured for")
	fs.Int16VarP(&f.replicas, "replicas", "r", -1, "copies of each; -1: as many as the broker is configured for")
	fs.StringArrayVarP(&f.config, "config", "c", nil, "a setting of the topic, as name=value")
	fs.BoolVar(&f.ifNotExists, "if-not-exists", false, "a topic that is there already is no error")
	fs.BoolVar(&f.dryRun, "dry-run", false, "only ask the broker whether it would")
	return b.onTopics(cmd, func(ctx context.Context, adm *kadm.Client, topics []string) error {
		return b.createTopics(ctx, adm, topics, &f)
	})
}

func (b *base) createTopics(ctx context.Context, adm *kadm.Client, topics []string, f *createFlags) error {
	settings, err := parseSettings("--config", f.config)
	if err != nil {
		return err
	}
	config := map[string]*string{}
	for name, value := range settings {
		config[name] = kadm.StringPtr(value)
	}
	create := adm.CreateTopics
	if f.dryRun {
		create = adm.ValidateCreateTopics
	}
	res, err := create(ctx, f.partitions, f.replicas, config, topics...)
	if err != nil {
		return failure(err, "create topics")
	}
	var all outcomes
	t := table{head: []string{"TOPIC", "PARTITIONS", "REPLICAS", "DONE"}}
	list := []createdTopic{}
	for _, name := range slices.Sorted(maps.Keys(res)) {
		r := res[name]
		existed := f.ifNotExists && errors.Is(r.Err, kerr.TopicAlreadyExists)
		if existed {
			r.Err = nil
		}
		all.add(message(r.Err, r.ErrMessage), "create topic %s", r.Topic)
		if r.Err != nil {
			continue
		}
		c := createdTopic{Name: r.Topic, Partitions: r.NumPartitions, Replicas: r.ReplicationFactor, Existed: existed, DryRun: f.dryRun}
		done := "created"
		switch {
		case existed:
			done = "was there"
		case f.dryRun:
			done = "would be created"
		default:
			c.ID = topicID(r.ID)
		}
		list = append(list, c)
		if existed {
			t.row(r.Topic, "-", "-", done)
		} else {
			t.row(r.Topic, r.NumPartitions, r.ReplicationFactor, done)
		}
	}
	return b.finish(list, &t, &all)
}
