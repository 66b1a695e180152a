package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/broker"
	"holt/broker/metadata"
	"holt/broker/network"
)

const devListener = "PLAINTEXT"

// devSessionTimeout is how long a broker that was killed keeps its successor waiting:
// the least that a member grants.
const devSessionTimeout = 2 * devTickMillis * time.Millisecond

// brokerConfig is that of the i-th broker of a development ensemble: beside the i-th
// member, to which it speaks in memory, and with its data beside that one's.
func (d *devEnsemble) brokerConfig(i int) broker.Config {
	n := d.flags.members
	member := d.members[i]
	return broker.Config{
		ID:      int32(i + 1),
		LogDirs: []string{filepath.Join(d.config(i).DataDir, "broker")},
		Listeners: []broker.Listener{{
			Name: devListener, Protocol: network.Plaintext, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.kafkaPort(i))),
		}},
		ZooKeeper: metadata.ZooKeeperConfig{
			SessionTimeout: devSessionTimeout,
			Servers:        []string{fmt.Sprintf("member-%d", i+1)},
			Dial:           func(context.Context, string) (net.Conn, error) { return member.Dial() },
		},
		Settings: map[string]string{
			"log.flush.on.ack":                         "true",
			"group.initial.rebalance.delay.ms":         "0",
			"default.replication.factor":               strconv.Itoa(min(3, n)),
			"offsets.topic.replication.factor":         strconv.Itoa(min(3, n)),
			"transaction.state.log.replication.factor": strconv.Itoa(min(3, n)),
			"transaction.state.log.min.isr":            strconv.Itoa(min(2, n)),
		},
	}
}

// kafkaPort is what the i-th broker binds.
func (d *devEnsemble) kafkaPort(i int) int {
	if d.flags.kafkaPort == anyPort {
		return 0
	}
	return d.flags.kafkaPort + i
}

// startBrokers starts one broker beside each member, all at once. stopped says that a
// signal came first.
func (d *devEnsemble) startBrokers(log *zap.Logger) (stopped bool, err error) {
	if d.flags.kafkaPort == 0 {
		return false, nil
	}
	ctx, release := d.app.untilStopped()
	defer release()
	timed, cancelTimed := context.WithTimeout(ctx, brokerStartTime)
	defer cancelTimed()
	brokers := make([]runningBroker, d.flags.members)
	errs := make([]error, d.flags.members)
	var all sync.WaitGroup
	for i := range brokers {
		cfg := d.brokerConfig(i)
		cfg.Logger = log
		all.Go(func() {
			b, err := d.app.startBroker(timed, cfg)
			if err != nil {
				errs[i] = err
				cancelTimed()
				return
			}
			brokers[i] = b
		})
	}
	all.Wait()
	for _, b := range brokers {
		if b != nil {
			d.brokers = append(d.brokers, b)
		}
	}
	release()
	d.signalled = errors.Is(context.Cause(ctx), errSignalled)
	err = d.brokersError(errs)
	if d.signalled && err != nil {
		return true, nil // that is why
	}
	return false, err
}

// brokersError is the first cause among what kept brokers from starting.
func (d *devEnsemble) brokersError(errs []error) error {
	var first error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if _, ok := addressInUse(err); ok || first == nil {
			first = err
		}
	}
	if first == nil {
		return nil
	}
	return brokerStartError(first, fmt.Sprintf("take another port: holt dev --kafka-port %d%s; without a broker: holt dev --kafka-port 0", d.flags.kafkaPort+100, d.sizeFlag()))
}

// kafkaAddrs are the addresses that Kafka clients connect to.
func (d *devEnsemble) kafkaAddrs() []string {
	list := []string{}
	for _, b := range d.brokers {
		if at := b.Addr(devListener); at != nil {
			list = append(list, at.String())
		}
	}
	return list
}
