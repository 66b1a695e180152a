package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"holt/broker/metadata"
	"holt/broker/network"
	"holt/broker/setting"
)

// Config is what a Broker is made of. ID, LogDirs, Listeners and one of ZooKeeper and
// Coordinator are required; the zero value of any other field is its default. What
// Kafka has a setting for and no field is here stands in Settings.
type Config struct {
	// ID is the broker's number in its cluster; -1: that of an earlier run of the same
	// directories, or else one is generated [broker.id].
	ID int32
	// Rack is where the broker stands, "" for nowhere in particular [broker.rack].
	Rack string
	// Listeners are where clients connect [listeners, advertised.listeners,
	// listener.security.protocol.map].
	Listeners []Listener
	// InterBroker is how this broker connects to others.
	InterBroker InterBroker
	// LogDirs hold the data; made if they are not there [log.dirs].
	LogDirs []string
	// MetricsAddr is host:port where Prometheus reads metrics; "": nowhere.
	MetricsAddr string

	// ZooKeeper is where the cluster's tree is [zookeeper.*]. Its Logger is not used.
	ZooKeeper metadata.ZooKeeperConfig
	// Coordinator, if set, opens the tree instead. The Broker closes what it returns.
	Coordinator func(ctx context.Context) (metadata.Coordinator, error)

	// Settings are Kafka's broker settings by name, as in server.properties; see package
	// setting for those there are. Those that this struct has a field for are only shown
	// (DescribeConfigs), and added to if they are missing.
	Settings map[string]string

	// FS is where LogDirs are; vfs.Default if nil.
	FS vfs.FS
	// Listen opens sockets; net.Listen if nil.
	Listen func(network, address string) (net.Listener, error)
	// Dial opens connections to other brokers; that of a net.Dialer if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger takes what operators read; none if nil.
	Logger *zap.Logger

	openReplicas func(*Broker) (replicas, peers)
}

// Listener is a place where clients connect.
type Listener struct {
	// Name is what settings and other brokers know it by.
	Name string
	// Protocol is how it protects connections.
	Protocol network.SecurityProtocol
	// Address is host:port to bind; see network.Listener.
	Address string
	// Advertised is host:port told to clients. "": Address with the port that was bound
	// and, if it is bound to every address of the machine, the machine's name. If the
	// port is 0, the one that was bound.
	Advertised string
	// TLS is required if Protocol has TLS.
	TLS *network.TLS
	// Mechanisms of SASL are required if Protocol has SASL: PLAIN, SCRAM-SHA-256,
	// SCRAM-SHA-512.
	Mechanisms []string
	// PlainUsers are names and passwords for PLAIN.
	PlainUsers map[string]string
	// ReauthMillis is how long an authentication holds; 0: as long as the connection.
	// ReauthByMechanism overrides it.
	ReauthMillis      int64
	ReauthByMechanism map[string]int64
	// ConnectionsMax and CreationRate bound connections at a time and new ones a second;
	// 0: no bound but those of all listeners.
	ConnectionsMax, CreationRate int
}

// InterBroker is how brokers connect to one another.
type InterBroker struct {
	// Listener is the name of the listener of every broker that the others use; "": the
	// first of Listeners [inter.broker.listener.name].
	Listener string
	// TLS is for a listener that has TLS; nil: the listener's own.
	TLS *network.TLS
	// Mechanism, User and Password are for a listener that has SASL.
	Mechanism, User, Password string
}

func (c Config) withDefaults() Config {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.InterBroker.Listener == "" && len(c.Listeners) > 0 {
		c.InterBroker.Listener = c.Listeners[0].Name
	}
	if c.InterBroker.TLS == nil {
		if l := c.listener(c.InterBroker.Listener); l != nil {
			c.InterBroker.TLS = l.TLS
		}
	}
	if c.Coordinator == nil {
		zk := c.ZooKeeper
		zk.Logger = c.Logger.Named("coordination")
		c.Coordinator = func(ctx context.Context) (metadata.Coordinator, error) { return metadata.OpenZooKeeper(ctx, zk) }
	}
	c.Settings = c.shownSettings()
	return c
}

func (c *Config) listener(name string) *Listener {
	for i := range c.Listeners {
		if c.Listeners[i].Name == name {
			return &c.Listeners[i]
		}
	}
	return nil
}

// shownSettings are Settings and those that fields stand for.
func (c *Config) shownSettings() map[string]string {
	all := maps.Clone(c.Settings)
	if all == nil {
		all = map[string]string{}
	}
	add := func(name, value string) {
		if _, ok := all[name]; !ok && value != "" {
			all[name] = value
		}
	}
	listeners, advertised, protocols := "", "", ""
	for _, l := range c.Listeners {
		listeners = join(listeners, l.Name+"://"+l.Address)
		if l.Advertised != "" {
			advertised = join(advertised, l.Name+"://"+l.Advertised)
		}
		protocols = join(protocols, l.Name+":"+string(l.Protocol))
	}
	dirs := ""
	for _, d := range c.LogDirs {
		dirs = join(dirs, d)
	}
	servers := ""
	for _, s := range c.ZooKeeper.Servers {
		servers = join(servers, s)
	}
	if servers != "" {
		servers += c.ZooKeeper.Chroot
	}
	add("broker.id", strconv.Itoa(int(c.ID)))
	add("broker.rack", c.Rack)
	add("listeners", listeners)
	add("advertised.listeners", advertised)
	add("listener.security.protocol.map", protocols)
	add("inter.broker.listener.name", c.InterBroker.Listener)
	add("log.dirs", dirs)
	add("zookeeper.connect", servers)
	add("metrics.listener", c.MetricsAddr)
	return all
}

func join(list, item string) string {
	if list == "" {
		return item
	}
	return list + "," + item
}

// Validate reports everything that is wrong with c as Start would see it.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.ID < -1 {
		bad("broker id %d is less than -1", c.ID)
	}
	if len(c.LogDirs) == 0 {
		bad("no directory for the data")
	}
	if len(c.Listeners) == 0 {
		bad("no listener")
	}
	if c.Coordinator == nil && len(c.ZooKeeper.Servers) == 0 {
		bad("no coordination service")
	}
	for _, l := range c.Listeners {
		if _, _, err := net.SplitHostPort(l.Address); err != nil {
			bad("listener %s: %w", l.Name, err)
		}
		if _, _, err := splitAdvertised(l.Advertised); l.Advertised != "" && err != nil {
			bad("listener %s: advertised address: %w", l.Name, err)
		}
	}
	if name := c.InterBroker.Listener; name != "" && c.listener(name) == nil {
		bad("brokers are to use listener %s, which is none", name)
	}
	for name, value := range c.Settings {
		if s := setting.Broker(name); s != nil {
			if err := s.Check(value); err != nil {
				errs = append(errs, err)
			}
		}
	}
	for _, c := range (&setting.Layers{File: c.Settings}).Conflicts() {
		errs = append(errs, errors.New(c.Cause))
	}
	return errors.Join(errs...)
}

// splitAdvertised parts host:port, of which the port is a number.
func splitAdvertised(address string) (host string, port int32, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", text)
	}
	return host, int32(n), nil
}
