package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type listedBroker struct {
	ID         int32   `json:"id"`
	Host       string  `json:"host"`
	Port       int32   `json:"port"`
	Rack       *string `json:"rack,omitempty"`
	Controller bool    `json:"controller"`
}

func (w World) brokerList() *cobra.Command {
	b := w.base()
	cmd := &cobra.Command{Use: "list", Short: "List the brokers that are alive", Example: "  holt broker list"}
	return b.command(cmd, exactly(0, "no arguments"), func(cmd *cobra.Command, _ []string) error {
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			meta, err := adm.BrokerMetadata(ctx)
			if err != nil {
				return failure(err, "list brokers")
			}
			list := []listedBroker{}
			t := table{head: []string{"ID", "ADDRESS", "RACK", "CONTROLLER"}}
			for _, m := range meta.Brokers {
				l := listedBroker{m.NodeID, m.Host, m.Port, m.Rack, m.NodeID == meta.Controller}
				list = append(list, l)
				rack, controller := "-", ""
				if l.Rack != nil {
					rack = *l.Rack
				}
				if l.Controller {
					controller = "yes"
				}
				t.row(l.ID, fmt.Sprintf("%s:%d", l.Host, l.Port), rack, controller)
			}
			return b.show(list, &t)
		})
	})
}

func (w World) brokerConfig() *cobra.Command {
	b := w.base()
	var all bool
	cmd := &cobra.Command{
		Use: "config ID", Short: "Show settings of a broker", Example: "  holt broker config 1 --all-config",
	}
	cmd.Flags().BoolVarP(&all, "all-config", "a", false, "all settings, not only those that are not the default")
	return b.command(cmd, exactly(1, "the id of a broker"), func(cmd *cobra.Command, args []string) error {
		id, err := strconv.ParseInt(args[0], 10, 32)
		if err != nil || id < 0 {
			return usage("%s: not the id of a broker; to see which there are: holt broker list", args[0])
		}
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			configs, err := adm.DescribeBrokerConfigs(ctx, int32(id))
			if err != nil {
				return failure(err, "settings of broker %d", id)
			}
			list := []describedSetting{}
			for _, r := range configs {
				if r.Err != nil {
					return failure(message(r.Err, r.ErrMessage), "settings of broker %d", id)
				}
				for _, c := range r.Configs {
					if all || c.Source != kmsg.ConfigSourceDefaultConfig {
						list = append(list, described(c))
					}
				}
			}
			slices.SortFunc(list, func(a, b describedSetting) int { return strings.Compare(a.Name, b.Name) })
			return b.show(list, settingsTable(list))
		})
	})
}

type listedDir struct {
	Broker     int32  `json:"broker"`
	Dir        string `json:"dir"`
	Partitions int    `json:"partitions"`
	Size       int64  `json:"size"`
	Free       *int64 `json:"free"`
	Error      string `json:"error,omitempty"`
}

func (w World) brokerLogDirs() *cobra.Command {
	b := w.base()
	cmd := &cobra.Command{Use: "log-dirs", Short: "Show the directories of all brokers and what they hold", Example: "  holt broker log-dirs"}
	return b.command(cmd, exactly(0, "no arguments"), func(cmd *cobra.Command, _ []string) error {
		return b.with(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
			dirs, err := adm.DescribeAllLogDirs(ctx, nil)
			if err != nil && len(dirs) == 0 {
				return failure(err, "log directories")
			}
			list := []listedDir{}
			t := table{head: []string{"BROKER", "DIRECTORY", "PARTITIONS", "SIZE", "FREE", ""}}
			for _, d := range dirs.Sorted() {
				l := listedDir{Broker: d.Broker, Dir: d.Dir, Size: d.Size(), Free: orNil(d.UsableBytes)}
				for _, partitions := range d.Topics {
					l.Partitions += len(partitions)
				}
				if d.Err != nil {
					l.Error = d.Err.Error()
				}
				list = append(list, l)
				t.row(l.Broker, l.Dir, l.Partitions, bytesText(l.Size), sizeText(l.Free), l.Error)
			}
			if showErr := b.show(list, &t); showErr != nil || err == nil {
				return showErr
			}
			return &Failure{codePartial, fmt.Errorf("some brokers were not heard: %w", err)}
		})
	})
}
