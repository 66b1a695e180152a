package kafka

import (
	"io"
	"time"

	"github.com/spf13/cobra"
)

// World is what the commands see of the process. All fields but Patience must be set.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Patience is how long consume waits for records that are said to be there; 0: some seconds.
	Patience time.Duration
}

// New returns the commands topic, produce, consume and group.
func New(w World) []*cobra.Command {
	return []*cobra.Command{w.topic(), w.produce(), w.consume(), w.group()}
}

// Broker returns what may be asked of brokers: list, config and log-dirs. Their parent
// is the caller's.
func Broker(w World) []*cobra.Command {
	return []*cobra.Command{w.brokerList(), w.brokerConfig(), w.brokerLogDirs()}
}

// base is what the commands that print tables have in common.
type base struct {
	World
	connection
	output string
}

func (w World) base() *base {
	return &base{World: w, connection: connection{getenv: w.Getenv}}
}

// command finishes cmd: flags of the connection and the output, arguments, and
// what it does.
func (b *base) command(cmd *cobra.Command, args cobra.PositionalArgs, run func(*cobra.Command, []string) error) *cobra.Command {
	b.add(cmd)
	cmd.Flags().StringVarP(&b.output, "output", "o", "table", "table or json")
	cmd.Args = args
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if b.output != "table" && b.output != "json" {
			return usage("--output %s: not table or json", b.output)
		}
		return run(cmd, args)
	}
	return cmd
}

// parent is a command that only has commands below it.
func parent(use, short, example string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
			return usage("unknown command %q; did you mean %s?", args[0], s[0])
		}
		return usage("unknown command %q", args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(children...)
	return cmd
}

// atLeast and exactly are cobra's with the exit code of a wrong command line.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usage("%s takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %s, got %d arguments", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}
