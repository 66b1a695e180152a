package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"holt/cmd/holt/internal/bench"
)

// newBench makes the command bench, which a signal ends early: it then reports what it measured
// so far and cleans up.
func (a *app) newBench() *cobra.Command {
	cmd := bench.Command()
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError("bench takes one load (%s), got %d arguments", strings.Join(bench.Loads(), ", "), len(args))
		}
		return nil
	}
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		go func() {
			select {
			case <-a.stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		cmd.SetContext(ctx)
		err := run(cmd, args)
		if errors.Is(err, bench.ErrConfig) {
			return &exitError{exitUsage, err}
		}
		return err
	}
	return cmd
}
