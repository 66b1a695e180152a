package bench

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holt/cmd/internal/clientcfg"
)

// Command returns the command bench, whose argument is the load. It prints the report on the
// command's output; its errors for a command line that makes no sense are ErrConfig.
func Command() *cobra.Command {
	var cfg Config
	var pids, output, properties string
	var reach clientcfg.Flags
	cmd := &cobra.Command{
		Use:   "bench " + strings.Join(Loads(), "|"),
		Short: "Load a ZooKeeper-protocol server and measure it",
		Long: `Load a ZooKeeper-protocol server and measure it.

  get, exists, set   on nodes chosen at random among -nodes
  create, delete     new nodes, all under one parent
  children           list a parent of -nodes children, with stat
  multi              -batch sets in one transaction
  mixed              by weights, as in --mix get=70,set=30
  watch              every connection watches a node that one more sets; counts notifications
  churn              open a session, read once, close it

Everything is created under --root and deleted again unless --keep is given.`,
		Example: `  holt bench get --connections 20 --outstanding 10 --pids auto
  holt bench set --servers 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --rate 5000 -o json
  holt bench get --servers zk1:2281 --ca ca.pem --cert me.pem --key me.key
  holt bench create --count 1000000 --keep`,
		Args:          cobra.ExactArgs(1),
		ValidArgs:     Loads(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Load = args[0]
			if err := parsePIDs(&cfg, pids); err != nil {
				return err
			}
			client, err := clientcfg.Load(properties, reach)
			if err != nil {
				return configError{err}
			}
			if client.Secure() {
				cfg.Dial = client.Dial
			}
			if client.LogsIn() {
				cfg.Login = client.Login
			}
			if output != "text" && output != "json" {
				return configError{fmt.Errorf("unknown output %q: want text or json", output)}
			}
			report, err := Run(cmd.Context(), cfg)
			if report == nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				if err := e.Encode(report); err != nil {
					return err
				}
			} else if err := report.WriteText(cmd.OutOrStdout()); err != nil {
				return err
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&cfg.Servers, "servers", []string{"127.0.0.1:2181"}, "client addresses; connections are spread over them")
	f.IntVarP(&cfg.Connections, "connections", "c", 20, "connections, each with a session")
	f.IntVarP(&cfg.Outstanding, "outstanding", "n", 10, "requests in flight per connection; with --rate the most there may be")
	f.IntVar(&cfg.Size, "size", 100, "bytes of data per node; -1 for none")
	f.IntVar(&cfg.Nodes, "nodes", 1000, "nodes that the load is spread over")
	f.IntVar(&cfg.Batch, "batch", 10, "operations per multi")
	f.StringVar(&cfg.Mix, "mix", "get=70,set=30", "weights of mixed")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second, "time measured")
	f.DurationVar(&cfg.WarmUp, "warm-up", 2*time.Second, "time before that; -1s for none")
	f.Int64Var(&cfg.Count, "count", 0, "end after so many operations instead, without warm-up")
	f.Float64Var(&cfg.Rate, "rate", 0, "operations per second in all (open loop); 0 sends as replies come (closed loop)")
	f.StringVar(&cfg.Root, "root", "/bench", "parent of all nodes created")
	f.BoolVar(&cfg.Keep, "keep", false, "do not delete the nodes created")
	f.DurationVar(&cfg.SessionTime, "session-timeout", 30*time.Second, "session timeout asked for")
	f.StringVar(&properties, "client-configuration", "", "file of ZooKeeper's client properties, for TLS and SASL")
	f.BoolVar(&reach.TLS, "tls", false, "use TLS, by the authorities of the system")
	f.StringVar(&reach.CA, "ca", "", "use TLS, by the authorities in this file (PEM, JKS, PKCS12)")
	f.StringVar(&reach.Cert, "cert", "", "file of this client's certificate (PEM)")
	f.StringVar(&reach.Key, "key", "", "file of its key (PEM), if not that one")
	f.StringVar(&reach.JAAS, "jaas", "", "log in by SASL, by the section Client of this JAAS file")
	f.StringVar(&reach.Mechanism, "mechanism", "", "DIGEST-MD5 or SCRAM-SHA-256, for a password")
	f.StringVar(&pids, "pids", "", "server processes to measure: ids separated by commas, or auto to find them by port")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func parsePIDs(cfg *Config, text string) error {
	switch text {
	case "":
		return nil
	case "auto":
		cfg.AutoPIDs = true
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		pid, err := strconv.Atoi(part)
		if err != nil {
			return configError{fmt.Errorf("malformed process id %q", part)}
		}
		cfg.PIDs = append(cfg.PIDs, pid)
	}
	return nil
}
