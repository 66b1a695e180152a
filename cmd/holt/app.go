package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"holt/broker"
	"holt/server"
)

// app is what the commands have in common: the world outside as fields, so that
// tests can be the world.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	stop           <-chan os.Signal // SIGINT and SIGTERM
	argv0          string           // the name this process was called by
	getenv         func(string) string
	environ        func() []string // all of getenv's, as name=value
	giveUpRoot     func(dirs []string) error
	notify         func(state string) error              // systemd
	watchdog       func() (every time.Duration, _ error) // of systemd; 0: none
	start          func(server.Config) (member, error)
	tuned          *sync.Once // tuneCollector
	startBroker    func(context.Context, broker.Config) (runningBroker, error)
}

// member is a running server, as server.Start returns it.
type member interface {
	Ready() <-chan struct{}
	Failed() <-chan error
	ClientAddr() net.Addr
	Dial() (net.Conn, error)
	Close() error
}

// Exit codes; see the package comment.
const (
	exitOther  = 1
	exitUsage  = 2
	exitFailed = 3
)

// exitError is an error that knows its exit code. err is nil if all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError makes the error of a wrong command line.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// run runs one command line and returns the exit code.
func (a *app) run(args []string) int {
	root := a.newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	var exit *exitError
	if errors.As(err, &exit) && exit.err == nil {
		return exit.code
	}
	fmt.Fprintf(a.stderr, "holt: %v\n", err)
	if exit == nil {
		return exitOther
	}
	if exit.code == exitUsage && !errors.As(err, new(*configError)) {
		fmt.Fprintf(a.stderr, "Try: %s --help\n", cmd.CommandPath())
	}
	return exit.code
}

func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "holt",
		Short: "A coordination service for ZooKeeper clients, on Raft, with a Kafka-style broker",
		Example: `  holt dev                        a server on 127.0.0.1:2181 and a broker on 9092, ready in a moment
  holt serve zoo.cfg              a server, or a member of an ensemble, configured as ZooKeeper is
  holt broker server.properties   a broker, configured as Kafka is
  holt topic list                 and produce, consume, group: for any Kafka cluster`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitUsage, err} })
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.newServe())
	root.AddCommand(a.newConfig())
	root.AddCommand(a.newZkServer())
	root.AddCommand(a.newZkServerInitialize())
	root.AddCommand(a.newInstallScripts())
	root.AddCommand(a.newEntrypoint())
	root.AddCommand(a.newDev())
	root.AddCommand(a.newBroker())
	a.addKafka(root)
	root.AddCommand(a.newImport())
	root.AddCommand(a.newExport())
	root.AddCommand(a.newBackup())
	root.AddCommand(a.newBench())
	root.AddCommand(a.newVersion())
	return root
}

func unknownCommand(root *cobra.Command, name string) error {
	if s := root.SuggestionsFor(name); len(s) > 0 {
		return usageError("unknown command %q; did you mean %s?", name, s[0])
	}
	return usageError("unknown command %q", name)
}

// atMost is cobra's MaximumNArgs with the exit code of a wrong command line.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError("%s takes at most %d arguments, got %d", cmd.CommandPath(), n, len(args))
		}
		return nil
	}
}
