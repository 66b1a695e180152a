package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"holt/cmd/holt/internal/kafka"
)

// kafkaWorld is what the commands for a Kafka cluster see of the process.
func (a *app) kafkaWorld() kafka.World {
	return kafka.World{In: a.stdin, Out: a.stdout, Err: a.stderr, Getenv: a.getenv}
}

// addKafka adds the commands that speak to a Kafka cluster.
func (a *app) addKafka(root *cobra.Command) {
	for _, cmd := range kafka.New(a.kafkaWorld()) {
		a.adopt(cmd)
		root.AddCommand(cmd)
	}
}

// adopt lets a signal end what cmd and the commands below it do, and gives
// their failures the exit codes of this process.
func (a *app) adopt(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		a.adopt(child)
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
		return exitCode(run(cmd, args))
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return exitCode(check(cmd, args)) }
	}
}

func exitCode(err error) error {
	var failure *kafka.Failure
	if errors.As(err, &failure) {
		return &exitError{failure.Code, err}
	}
	return err
}
