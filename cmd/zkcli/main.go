package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	root := &cobra.Command{
		Use:   "zkcli [options] [command [arguments]]",
		Short: "A command line for ZooKeeper-protocol servers",
		// Options have one dash and names of many letters, as with zkCli.sh, and those behind
		// the command are the command's.
		DisableFlagParsing: true,
		SilenceUsage:       true,
		SilenceErrors:      true,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.run(cmd.Context(), args)
			return nil
		},
		ValidArgsFunction: a.completeArgs,
	}
	a.script = func(shell string) error {
		switch shell {
		case "bash":
			return root.GenBashCompletionV2(a.stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.stdout)
		case "fish":
			return root.GenFishCompletion(a.stdout, true)
		}
		return root.GenPowerShellCompletionWithDesc(a.stdout)
	}
	if err := root.ExecuteContext(context.Background()); err != nil {
		a.complain(err)
		a.exitCode = 1
	}
	os.Exit(a.exitCode)
}
