package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"holt/server"
	"holt/server/admin"
)

const (
	devMembersMax = 9
	devTickMillis = 2000
)

// anyPort is a --kafka-port that is free; the one of --port is 0, where no port has no use.
const anyPort = -1

type devFlags struct {
	log       logFlags
	port      int
	kafkaPort int
	members   int
	data      string
	output    string
}

func (a *app) newDev() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a server and a broker for development on 127.0.0.1, or three, without configuration",
		Long: `Run a server for development on 127.0.0.1, without configuration, and beside it a
Kafka-style broker that it coordinates.

With -n 3 it is an ensemble of three with three brokers, on three ports each.
Everything is permitted that an operator may have to switch on: all four-letter
words, TTL nodes. The broker acknowledges records when they are on disk. The data
is temporary unless --data names a directory, which is made if need be and found
again the next time.`,
		Example: `  holt dev
  holt dev -n 3 --port 2281
  holt dev --data ~/holt
  holt dev --kafka-port 0      no broker
  holt dev --port 0 -o json    any free ports; one line of JSON tells which`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.port == 0 && f.kafkaPort != 0 && !cmd.Flags().Changed("kafka-port") {
				f.kafkaPort = anyPort
			}
			return a.dev(&f)
		},
	}
	f.log.add(cmd, "warn")
	cmd.Flags().IntVarP(&f.port, "port", "p", 2181, "port for clients, and with -n those after it; 0: any free one")
	cmd.Flags().IntVar(&f.kafkaPort, "kafka-port", 9092, "port for Kafka clients, and with -n those after it; 0: no broker, -1: any free one")
	cmd.Flags().IntVarP(&f.members, "members", "n", 1, "number of members")
	cmd.Flags().StringVarP(&f.data, "data", "d", "", "directory to keep the data in")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "what is said when ready: text or json")
	return cmd
}

func (f *devFlags) validate() error {
	switch {
	case f.members < 1 || f.members > devMembersMax:
		return usageError("-n %d: not 1 to %d", f.members, devMembersMax)
	case f.port < 0 || f.port > 65535:
		return usageError("--port %d: not 0 to 65535", f.port)
	case f.port > 0 && f.port+f.members-1 > 65535:
		return usageError("--port %d: the last of %d members would have port %d, above 65535", f.port, f.members, f.port+f.members-1)
	case f.kafkaPort < anyPort || f.kafkaPort > 65535 || f.kafkaPort > 0 && f.kafkaPort+f.members-1 > 65535:
		return usageError("--kafka-port %d: not -1 to 65535", f.kafkaPort)
	case f.output != "text" && f.output != "json":
		return usageError("--output %s: not text or json", f.output)
	}
	return nil
}

// dev runs the members until a signal arrives or one of them fails.
func (a *app) dev(f *devFlags) (err error) {
	began := time.Now()
	if err := f.validate(); err != nil {
		return err
	}
	log, err := f.log.logger(a.stderr)
	if err != nil {
		return err
	}
	d := &devEnsemble{app: a, flags: f, dir: f.data, network: newDevNetwork()}
	if d.dir == "" {
		if d.dir, err = os.MkdirTemp("", "holt-dev-"); err != nil {
			return &exitError{exitFailed, fmt.Errorf("make a directory for the data: %w", err)}
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(log); err != nil {
		return err
	}
	stopped, err := d.waitReady()
	if err != nil || stopped {
		return err
	}
	if stopped, err = d.startBrokers(log); err != nil || stopped {
		return err
	}
	if err := d.announce(time.Since(began)); err != nil {
		return err
	}
	return d.waitStop()
}

// devEnsemble is what dev runs.
type devEnsemble struct {
	app     *app
	flags   *devFlags
	dir     string
	network *devNetwork
	members []member
	brokers []runningBroker

	signalled bool // a signal came while brokers were started
}

func (d *devEnsemble) start(log *zap.Logger) error {
	for i := range d.flags.members {
		cfg := d.config(i)
		cfg.Logger = log
		m, err := d.app.start(cfg)
		if addr, ok := addressInUse(err); ok {
			return fmt.Errorf("port %s is in use, perhaps by ZooKeeper or another Holt.\nStop that one (to find it: ss -ltnp), or take another port: holt dev --port %d%s",
				addr, d.flags.port+100, d.sizeFlag())
		}
		if err != nil {
			return d.app.startError(&cfg, err)
		}
		d.members = append(d.members, m)
	}
	return nil
}

func (d *devEnsemble) sizeFlag() string {
	if d.flags.members == 1 {
		return ""
	}
	return fmt.Sprintf(" -n %d", d.flags.members)
}

// config is that of the i-th member. A single server and ensembles of each
// size keep their data apart, for the members of one are not those of another.
func (d *devEnsemble) config(i int) server.Config {
	cfg := server.Config{
		MemberID:        uint64(i + 1),
		DataDir:         d.dir,
		ClientAddr:      d.clientAddr(i),
		TickMillis:      devTickMillis,
		ReconfigEnabled: true,
		ExtendedTypes:   true,
		MaxClientConns:  -1,
		FourLetterWords: []string{"*"},
	}
	if d.flags.members == 1 {
		return cfg
	}
	cfg.DataDir = filepath.Join(d.dir, fmt.Sprintf("ensemble-of-%d", d.flags.members), fmt.Sprintf("member-%d", i+1))
	cfg.Listen, cfg.Dial = d.network.listen, d.network.dial
	for j := range d.flags.members {
		m := server.Member{ID: uint64(j + 1), Host: "127.0.0.1", QuorumPort: 2888 + j, ElectionPort: 3888 + j, PeerAddr: peerName(j)}
		if d.flags.port > 0 {
			m.ClientAddr = d.clientAddr(j)
		}
		cfg.Members = append(cfg.Members, m)
	}
	return cfg
}

func (d *devEnsemble) clientAddr(i int) string {
	port := d.flags.port
	if port > 0 {
		port += i
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// waitReady waits until every member serves; stopped says that a signal came
// first.
func (d *devEnsemble) waitReady() (stopped bool, err error) {
	for i, m := range d.members {
		select {
		case <-m.Ready():
			continue // also if a signal is there already: what began is announced
		default:
		}
		select {
		case <-m.Ready():
		case err := <-m.Failed():
			return false, d.failure(i, err)
		case <-d.app.stop:
			return true, nil
		}
	}
	return false, nil
}

// waitStop waits for a signal, or until one of them all fails.
func (d *devEnsemble) waitStop() error {
	if d.signalled {
		return nil
	}
	failures, done := make(chan error), make(chan struct{})
	defer close(done)
	watch := func(failed <-chan error, describe func(error) error) {
		select {
		case err := <-failed:
			select {
			case failures <- describe(err):
			case <-done:
			}
		case <-done:
		}
	}
	watchBroker := func(b runningBroker) {
		select {
		case <-b.Failed():
			select {
			case failures <- brokerFailure(b):
			case <-done:
			}
		case <-done:
		}
	}
	for i, m := range d.members {
		go watch(m.Failed(), func(err error) error { return d.failure(i, err) })
	}
	for _, b := range d.brokers {
		go watchBroker(b)
	}
	select {
	case <-d.app.stop:
		return nil
	case err := <-failures:
		return err
	}
}

func (d *devEnsemble) failure(i int, err error) error {
	return &exitError{exitFailed, fmt.Errorf("member %d stops: %w", i+1, err)}
}

// close ends the brokers, while what they speak to is there, and then the members, one
// by one, so that a leader finds a successor and none waits for one that is ending too.
func (d *devEnsemble) close() error {
	var errs []error
	for _, b := range d.brokers {
		errs = append(errs, b.Close())
	}
	for _, m := range d.members {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// clients are the addresses that clients connect to.
func (d *devEnsemble) clients() []string {
	var list []string
	for _, m := range d.members {
		if at := m.ClientAddr(); at != nil {
			list = append(list, at.String())
		}
	}
	return list
}

// announce says that all is ready, and what to do next.
func (d *devEnsemble) announce(took time.Duration) error {
	clients := d.clients()
	if d.flags.output == "json" {
		facts := struct {
			Clients   []string `json:"clients"`
			Brokers   []string `json:"brokers"`
			Data      string   `json:"data"`
			Temporary bool     `json:"temporary"`
		}{clients, d.kafkaAddrs(), d.dir, d.flags.data == ""}
		return json.NewEncoder(d.app.stdout).Encode(facts)
	}
	version, _ := admin.BuildVersion()
	what, where := "one server", "kept"
	if len(clients) > 1 {
		what = fmt.Sprintf("an ensemble of %d", len(clients))
	}
	if d.flags.data == "" {
		where = "temporary, gone at the end; to keep it: holt dev --data DIR"
	}
	list := strings.Join(clients, ",")
	var b strings.Builder
	fmt.Fprintf(&b, "Holt %s is ready: %s, in %.2f s.\n\n", version, what, took.Seconds())
	fmt.Fprintf(&b, "  clients   %s\n", list)
	brokers := strings.Join(d.kafkaAddrs(), ",")
	if brokers != "" {
		fmt.Fprintf(&b, "  brokers   %s\n", brokers)
	}
	fmt.Fprintf(&b, "  data      %s (%s)\n", d.dir, where)
	clientsOf := "ZooKeeper"
	if brokers != "" {
		clientsOf = "ZooKeeper or Kafka"
	}
	fmt.Fprintf(&b, "\nAny %s client works now. For example:\n\n", clientsOf)
	fmt.Fprintf(&b, "  zkcli -server %s create /hello world\n", list)
	fmt.Fprintf(&b, "  echo stat | nc %s\n", strings.Replace(clients[0], ":", " ", 1))
	fmt.Fprintf(&b, "  holt bench mixed --servers %s\n", list)
	if brokers != "" {
		flag := ""
		if brokers != "127.0.0.1:9092" {
			flag = " -b " + brokers
		}
		fmt.Fprintf(&b, "  echo hello | holt produce greetings%s\n", flag)
		fmt.Fprintf(&b, "  holt consume greetings%s\n", flag)
	}
	if len(clients) == 1 {
		fmt.Fprintf(&b, "\nAn ensemble of three: holt dev -n 3\n")
	}
	fmt.Fprintf(&b, "Ctrl-C ends it.\n")
	_, err := fmt.Fprint(d.app.stdout, b.String())
	return err
}
