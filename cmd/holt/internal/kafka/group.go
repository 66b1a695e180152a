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

func (w World) group() *cobra.Command {
	return parent("group", "Consumer groups: list, describe with lag, reset offsets, delete",
		`  holt group list
  holt group describe billing
  holt group reset billing --topic orders --to @2026-11-22T10:00 --dry-run`,
		w.groupList(), w.groupDescribe(), w.groupReset(), w.groupDelete())
}

type listedGroup struct {
	Group       string `json:"group"`
	State       string `json:"state"`
	Protocol    string `json:"protocol"`
	Coordinator int32  `json:"coordinator"`
}

func (w World) groupList() *cobra.Command {
	b := w.base()
	var states []string
	cmd := &cobra.Command{Use: "list", Short: "List groups", Example: "  holt group list --state Stable"}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only groups in these states: "+strings.Join(groupStates(), ", "))
	return b.command(cmd, exactly(0, "no arguments"), func(cmd *cobra.Command, _ []string) error {
		states, err := knownStates(states)
		if err != nil {
			return err
		}
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			groups, err := adm.ListGroups(ctx, states...)
			if err != nil && len(groups) == 0 {
				return failure(err, "list groups")
			}
			list := []listedGroup{}
			t := table{head: []string{"GROUP", "STATE", "PROTOCOL", "COORDINATOR"}}
			for _, g := range groups.Sorted() {
				list = append(list, listedGroup{g.Group, g.State, g.ProtocolType, g.Coordinator})
				t.row(g.Group, g.State, g.ProtocolType, g.Coordinator)
			}
			if showErr := b.show(list, &t); showErr != nil || err == nil {
				return showErr
			}
			return &Failure{codePartial, fmt.Errorf("some brokers were not heard: %w", err)}
		})
	})
}

// groupStates are those that the protocol knows: the last two are of groups of KIP-848.
func groupStates() []string {
	return []string{"Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Dead", "Assigning", "Reconciling"}
}

// knownStates returns the states as brokers write them, whatever the case they were asked for in.
func knownStates(asked []string) ([]string, error) {
	var states []string
	for _, a := range asked {
		i := slices.IndexFunc(groupStates(), func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(a)) })
		if i < 0 {
			return nil, usage("--state %s: a group is in one of the states %s", a, strings.Join(groupStates(), ", "))
		}
		states = append(states, groupStates()[i])
	}
	return states, nil
}

type describedGroup struct {
	Group       string           `json:"group"`
	State       string           `json:"state"`
	Protocol    string           `json:"protocol"`
	Assignor    string           `json:"assignor"`
	Coordinator int32            `json:"coordinator"`
	Lag         int64            `json:"lag"`
	Members     []groupMember    `json:"members"`
	Partitions  []groupPartition `json:"partitions"`
}

type groupMember struct {
	ID       string  `json:"id"`
	Instance *string `json:"instance,omitempty"`
	Client   string  `json:"client"`
	Host     string  `json:"host"`
}

type groupPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"`
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	Member    string `json:"member,omitempty"`
	Host      string `json:"host,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (w World) groupDescribe() *cobra.Command {
	b := w.base()
	var lagOnly, watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show members, offsets and how far behind they are",
		Example: `  holt group describe billing
  holt group describe billing audit --lag --watch`,
	}
	cmd.Flags().BoolVar(&lagOnly, "lag", false, "only the lag, by topic")
	cmd.Flags().BoolVar(&watch, "watch", false, "again and again, until Ctrl-C")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often with --watch")
	return b.command(cmd, nil, func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s takes the name of a group", cmd.CommandPath())
		}
		if every <= 0 {
			return usage("--every %v: not a time to wait", every)
		}
		for {
			err := b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error { return b.describeGroups(ctx, adm, args, lagOnly) })
			if !watch || cmd.Context().Err() != nil {
				return err
			}
			if err != nil {
				fmt.Fprintln(b.Err, err) // what is watched may come back
			}
			select {
			case <-time.After(every):
				if b.output != "json" {
					fmt.Fprintf(b.Out, "\n%s\n", time.Now().Format(time.RFC3339))
				}
			case <-cmd.Context().Done():
				return nil
			}
		}
	})
}

func (b *base) describeGroups(ctx context.Context, adm *kadm.Client, groups []string, lagOnly bool) error {
	lags, err := coordinated(ctx, func() (kadm.DescribedGroupLags, error) { return adm.Lag(ctx, groups...) })
	if err != nil {
		return failure(err, "describe groups")
	}
	var all outcomes
	list := []describedGroup{}
	for _, g := range lags.Sorted() {
		err := g.Error()
		if err == nil && g.State == "Dead" {
			err = &Failure{codeNotFound, fmt.Errorf("there is no group %s; to see which there are: holt group list", g.Group)}
		}
		all.add(err, "describe group %s", g.Group)
		if err == nil {
			list = append(list, describe(&g))
		}
	}
	if b.output == "json" {
		if err := writeJSON(b.Out, list); err != nil {
			return err
		}
		return all.failure()
	}
	if err := b.writeGroups(list, lagOnly); err != nil {
		return err
	}
	return all.failure()
}

func describe(g *kadm.DescribedGroupLag) describedGroup {
	d := describedGroup{Group: g.Group, State: g.State, Protocol: g.ProtocolType, Assignor: g.Protocol, Coordinator: g.Coordinator.NodeID,
		Members: []groupMember{}, Partitions: []groupPartition{}}
	for _, m := range g.Members {
		d.Members = append(d.Members, groupMember{m.MemberID, m.InstanceID, m.ClientID, m.ClientHost})
	}
	for _, l := range g.Lag.Sorted() {
		p := groupPartition{Topic: l.Topic, Partition: l.Partition, Committed: orNil(l.Commit.At), End: orNil(l.End.Offset), Lag: orNil(l.Lag)}
		if l.Member != nil {
			p.Member, p.Host = l.Member.MemberID, strings.TrimPrefix(l.Member.ClientHost, "/")
		}
		if l.Err != nil {
			p.Error = l.Err.Error()
		}
		if l.Lag > 0 {
			d.Lag += l.Lag
		}
		d.Partitions = append(d.Partitions, p)
	}
	return d
}

func (b *base) writeGroups(list []describedGroup, lagOnly bool) error {
	if lagOnly {
		return lagTable(list).write(b.Out)
	}
	for i, d := range list {
		if i > 0 {
			fmt.Fprintln(b.Out)
		}
		fmt.Fprintf(b.Out, "%s  %s, %s, coordinator %d, lag %d\n", d.Group, d.State, count(len(d.Members), "member"), d.Coordinator, d.Lag)
		if len(d.Partitions) == 0 {
			continue
		}
		t := table{head: []string{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "HOST"}}
		for _, p := range d.Partitions {
			t.row(p.Topic, p.Partition, number(p.Committed), number(p.End), number(p.Lag), dash(p.Member), dash(p.Host))
		}
		if err := t.write(b.Out); err != nil {
			return err
		}
	}
	return nil
}

func lagTable(list []describedGroup) *table {
	t := table{head: []string{"GROUP", "TOPIC", "PARTITIONS", "LAG"}}
	for _, d := range list {
		counts, lags := map[string]int{}, map[string]int64{}
		for _, p := range d.Partitions {
			counts[p.Topic]++
			if p.Lag != nil {
				lags[p.Topic] += *p.Lag
			}
		}
		topics := make([]string, 0, len(counts))
		for topic := range counts {
			topics = append(topics, topic)
		}
		slices.Sort(topics)
		for _, topic := range topics {
			t.row(d.Group, topic, counts[topic], lags[topic])
		}
	}
	return &t
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (w World) groupDelete() *cobra.Command {
	b := w.base()
	cmd := &cobra.Command{Use: "delete GROUP...", Short: "Delete groups and their offsets", Example: "  holt group delete billing"}
	return b.command(cmd, atLeast(1, "the name of a group"), func(cmd *cobra.Command, args []string) error {
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			res, err := adm.DeleteGroups(ctx, args...)
			if err != nil && len(res) == 0 {
				return failure(err, "delete groups")
			}
			var all outcomes
			t := table{head: []string{"GROUP", "DONE"}}
			deleted := []string{}
			for _, r := range res.Sorted() {
				all.add(message(r.Err, r.ErrMessage), "delete group %s", r.Group)
				if r.Err == nil {
					t.row(r.Group, "deleted")
					deleted = append(deleted, r.Group)
				}
			}
			return b.finish(map[string]any{"deleted": deleted}, &t, &all)
		})
	})
}
