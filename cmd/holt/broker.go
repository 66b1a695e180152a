package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"holt/broker"
	"holt/broker/properties"
	"holt/cmd/holt/internal/kafka"
)

// runningBroker is a running broker, as broker.Start returns it.
type runningBroker interface {
	ID() int32
	Addr(listener string) net.Addr
	Failed() <-chan struct{}
	Err() error
	Close() error
}

type brokerFlags struct {
	log       logFlags
	overrides []string
	check     bool
}

func (a *app) newBroker() *cobra.Command {
	var f brokerFlags
	cmd := &cobra.Command{
		Use:   "broker [server.properties]",
		Short: "Run a Kafka-style broker, configured as Kafka is; or ask one",
		Long: `Run a Kafka-style broker, configured as Kafka is (in its ZooKeeper mode).

Without a file, ./server.properties is read. Settings come from the file, then
from --override; the last one counts. zookeeper.connect may name Holt or Apache
ZooKeeper. SIGTERM and SIGINT end the broker in order: it hands its leaderships
over first.`,
		Example: `  holt broker config/server.properties
  holt broker server.properties --override broker.id=2 --override listeners=PLAINTEXT://:9093
  holt broker server.properties --check
  holt broker list`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.runBroker(args, &f) },
	}
	f.log.add(cmd, "info")
	cmd.Flags().StringArrayVar(&f.overrides, "override", nil, "a setting, as name=value, that wins over the file")
	cmd.Flags().BoolVar(&f.check, "check", false, "read the configuration and the key stores that it names, say what it means and end")
	for _, child := range kafka.Broker(a.kafkaWorld()) {
		a.adopt(child)
		cmd.AddCommand(child)
	}
	return cmd
}

func (a *app) runBroker(args []string, f *brokerFlags) error {
	log, err := f.log.logger(a.stderr)
	if err != nil {
		return err
	}
	path := "server.properties"
	if len(args) == 1 {
		path = args[0]
	}
	res, err := properties.Read(path, properties.Options{Overrides: f.overrides, JAASFile: a.jaasFile()})
	if err == nil {
		err = res.CheckStores()
	}
	if err != nil {
		return &exitError{exitUsage, &configError{err}}
	}
	if f.check {
		for _, n := range res.Notes {
			fmt.Fprintln(a.stdout, n)
		}
		_, err := fmt.Fprintf(a.stdout, "%s: fine\n", path)
		return err
	}
	for _, n := range res.Notes {
		log.Info("setting", zap.Stringer("note", n))
	}
	cfg := res.Config
	cfg.Logger = log
	return a.serveBroker(cfg, log)
}

// jaasFile is the file that scripts hand to Java in $KAFKA_OPTS.
func (a *app) jaasFile() string {
	for _, word := range strings.Fields(a.getenv("KAFKA_OPTS")) {
		if file, ok := strings.CutPrefix(word, "-Djava.security.auth.login.config="); ok {
			return strings.Trim(file, `"'`)
		}
	}
	return ""
}

// serveBroker runs a broker until it is told to stop or fails.
func (a *app) serveBroker(cfg broker.Config, log *zap.Logger) error {
	ctx, release := a.untilStopped()
	defer release()
	b, err := a.startBroker(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it was up
		}
		return brokerStartError(err, "take another port in listeners")
	}
	var failure error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case <-b.Failed():
		failure = brokerFailure(b)
	}
	if err := b.Close(); err != nil && failure == nil {
		failure = &exitError{exitFailed, fmt.Errorf("stop: %w", err)}
	}
	return failure
}

// untilStopped is a context that a signal ends. Once release has returned, the context tells
// whether a signal was taken: none is lost.
func (a *app) untilStopped() (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-a.stop:
			cancel(errSignalled)
		case <-done:
			cancel(nil)
		}
	}()
	return ctx, sync.OnceFunc(func() { close(done); <-over })
}

// errSignalled is the cause of the end of untilStopped's context if a signal came.
var errSignalled = errors.New("told to stop by a signal")

// brokerFailure is why a broker stops that was not told to.
func brokerFailure(b runningBroker) error {
	return &exitError{exitFailed, fmt.Errorf("broker %d stops: %w", b.ID(), b.Err())}
}

// brokerStartError gives a broker's failed start its exit code and, where it is known, a
// remedy.
func brokerStartError(err error, otherPort string) error {
	if addr, ok := addressInUse(err); ok {
		return fmt.Errorf("port %s is in use, perhaps by Kafka or another Holt: stop that one (to find it: ss -ltnp), or %s", addr, otherPort)
	}
	var network *net.OpError
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &exitError{exitFailed, err}
}

// brokerStartTime bounds the start of a broker beside its coordination service.
const brokerStartTime = time.Minute
