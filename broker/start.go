package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"go.uber.org/zap"

	"holt/broker/auth"
	"holt/broker/controller"
	"holt/broker/metadata"
	"holt/broker/network"
	"holt/broker/setting"
	"holt/sasl"
)

// treeWait bounds a write to the tree for a client, and a request to the controller.
const treeWait = 30 * time.Second

// Start starts a broker and returns when it takes requests. ctx bounds the start, not the
// life. A start that fails leaves nothing behind. Kafka: KafkaServer.startup.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b := &Broker{cfg: cfg, log: cfg.Logger.Named("broker"), handlers: handlers(), fresh: shared{every: freshEvery},
		quotas: auth.NewQuotas()}
	began := time.Now()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"connect to the coordination service", b.startTree},
		{"open the data", b.startStorage},
		{"listen", b.startNetwork},
		{"read the cluster's metadata", b.startMetadata},
		{"start the coordinators", b.startCoordinators},
		{"register", b.startRegistration},
		{"serve metrics", b.startMetrics},
	} {
		if err := step.do(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step.name, err), b.abandon())
		}
	}
	b.net.Start(b)
	b.ready.Store(true)
	b.log.Info("broker started", zap.Int32("broker", b.id), zap.String("cluster", b.clusterID), zap.Duration("took", time.Since(began)))
	return b, nil
}

// startTree opens the tree and learns, or makes, what identifies the cluster.
func (b *Broker) startTree(ctx context.Context) error {
	tree, err := b.cfg.Coordinator(ctx)
	if err != nil {
		return err // tree may be a nil pointer in an interface that is not nil
	}
	b.tree = tree
	b.client = metadata.NewClient(b.tree)
	if err := b.client.EnsurePaths(ctx); err != nil {
		return err
	}
	b.clusterID, err = b.client.ClusterID(ctx)
	return err
}

// startNetwork binds the listeners; clients that connect wait until Start.
func (b *Broker) startNetwork(context.Context) error {
	s := &setting.Layers{File: b.cfg.Settings}
	b.layers.Store(s)
	if err := b.startAuthorizer(); err != nil {
		return err
	}
	cfg := network.Config{
		APIs:                  apis(),
		RequestBytesMax:       int(s.BrokerInt("socket.request.max.bytes")),
		SASLBytesMax:          int(s.BrokerInt("sasl.server.max.receive.size")),
		FrameBytesMax:         max(0, s.BrokerInt("queued.max.request.bytes")),
		IdleMillis:            negativeIsNever(s.BrokerInt("connections.max.idle.ms")),
		FailedAuthDelayMillis: negativeIsNever(s.BrokerInt("connection.failed.authentication.delay.ms")),
		SendBufferBytes:       int(s.BrokerInt("socket.send.buffer.bytes")),
		ReceiveBufferBytes:    int(s.BrokerInt("socket.receive.buffer.bytes")),
		Listen:                b.cfg.Listen,
		Logger:                b.log,
	}
	for _, l := range b.cfg.Listeners {
		mechanisms, err := b.mechanisms(&l)
		if err != nil {
			return err
		}
		cfg.Listeners = append(cfg.Listeners, network.Listener{Name: l.Name, Protocol: l.Protocol, Address: l.Address, TLS: l.TLS,
			Mechanisms: mechanisms, ReauthMillis: l.ReauthMillis, ReauthByMechanism: l.ReauthByMechanism})
	}
	var err error
	b.net, err = network.Listen(cfg)
	return err
}

// negativeIsNever is a time for which 0 has a meaning of its own in Kafka and is the
// default in package network.
func negativeIsNever(millis int64) int64 {
	if millis == 0 {
		return -1
	}
	return millis
}

func (b *Broker) startAuthorizer() error {
	s := b.settings()
	if s.BrokerText("authorizer.class.name") == "" {
		return nil
	}
	super, err := auth.ParsePrincipals(s.BrokerText("super.users"))
	if err != nil {
		return fmt.Errorf("super.users: %w", err)
	}
	b.authorizer = auth.NewAuthorizer(super, s.BrokerBool("allow.everyone.if.no.acl.found"))
	return nil
}

// mechanisms are those of SASL that a listener has.
func (b *Broker) mechanisms(l *Listener) ([]auth.Mechanism, error) {
	var all []auth.Mechanism
	for _, name := range l.Mechanisms {
		if name == "PLAIN" {
			all = append(all, &auth.Plain{Users: l.PlainUsers})
			continue
		}
		m, err := auth.NewSCRAM(name, func(user string) (sasl.SCRAMCredential, bool) {
			cred, ok := b.applied.get().Scram(user, name)
			return sasl.SCRAMCredential{Salt: cred.Salt, StoredKey: cred.StoredKey, ServerKey: cred.ServerKey, Iterations: cred.Iterations}, ok
		})
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// startMetadata reads the tree. Nothing is done about it before the coordinators are there.
func (b *Broker) startMetadata(ctx context.Context) error {
	if b.authorizer != nil {
		if err := b.client.EnsureACLPaths(ctx); err != nil {
			return err
		}
	}
	b.follower = metadata.NewFollower(metadata.FollowerConfig{Coordinator: b.tree, Logger: b.log, ACLs: b.authorizer != nil})
	if err := b.follower.Start(ctx); err != nil {
		return err
	}
	b.applied = newApplied(b.follower.Image())
	return b.checkEndpoints()
}

// checkEndpoints refuses to run where clients could not tell this broker from another.
func (b *Broker) checkEndpoints() error {
	own, err := b.registration()
	if err != nil {
		return err
	}
	for _, other := range b.follower.Image().Brokers() {
		if other.ID == b.id {
			continue
		}
		for _, e := range own.Endpoints {
			for _, o := range other.Endpoints {
				if e.Host == o.Host && e.Port == o.Port {
					return fmt.Errorf("broker %d is advertised at %s:%d too; give one of the two another address in advertised.listeners", other.ID, e.Host, e.Port)
				}
			}
		}
	}
	return nil
}

// startRegistration makes the broker known, when it could be given leaderships at once.
func (b *Broker) startRegistration(ctx context.Context) error {
	b.controller = controller.New(controller.Config{
		Client: b.client, Follower: b.follower, Broker: b.id, Logger: b.log.Named("controller"), Core: b.controllerConfig(),
	})
	b.controller.Start()
	own, err := b.registration()
	if err != nil {
		return err
	}
	if err := b.register(ctx, own); err != nil {
		return err
	}
	// Requests are answered by what the tree says now, this registration included.
	if err := b.follower.Sync(ctx); err != nil {
		return err
	}
	return b.applied.wait(ctx, func(i *metadata.Image) bool { return i.Broker(b.id) != nil })
}

func (b *Broker) controllerConfig() controller.CoreConfig {
	s := b.settings()
	return controller.CoreConfig{
		Unclean:          s.BrokerBool("unclean.leader.election.enable"),
		RackAware:        rackAware(s.BrokerText("replica.selector.class")),
		Rebalance:        s.BrokerBool("auto.leader.rebalance.enable"),
		RebalancePercent: int(s.BrokerInt("leader.imbalance.per.broker.percentage")),
		RebalanceEvery:   time.Duration(s.BrokerInt("leader.imbalance.check.interval.seconds")) * time.Second,
		NoDelete:         !s.BrokerBool("delete.topic.enable"),
	}
}

// register registers, instead of this broker's former life, if it crashed a moment ago. Should
// another session have the id, it waits for its end. Differs from Kafka, which gives up at once.
func (b *Broker) register(ctx context.Context, own metadata.Broker) error {
	ctx, cancel := context.WithTimeout(ctx, b.formerLife())
	defer cancel()
	former := b.formerSession()
	if former != 0 {
		if err := b.client.Vacate(ctx, former); err != nil {
			return err
		}
	}
	for said := false; ; said = true {
		r := metadata.NewRegistrar(metadata.RegistrarConfig{
			Client: b.client, Logger: b.log, Former: former,
			Expired: b.controller.Resign,
			Registered: func(session metadata.SessionID, epoch int64) {
				b.keepSession(session)
				b.replicas.Registered(epoch)
				b.controller.Registered(epoch)
			},
		}, own)
		b.registrar.Store(r)
		err := r.Start(ctx)
		if err == nil && len(b.replicas.Offline()) > 0 {
			b.offlineChanged() // it may have more since own was made
		}
		if err == nil || !errors.Is(err, metadata.ErrRegistered) {
			return err
		}
		b.registrar.Store(nil)
		if !said {
			b.log.Warn("this broker's id is registered, by its former life or by another broker; waiting for that session's end", errField(err))
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// formerSession is the session of this broker's former life, if it is known, or 0.
func (b *Broker) formerSession() metadata.SessionID {
	for _, d := range b.dirs {
		id, err := d.Session()
		switch {
		case err != nil:
			b.log.Warn("the session before is not known", errField(err))
		case id != 0:
			return metadata.SessionID(id)
		}
	}
	return 0
}

// keepSession keeps the session where the next life finds it. A life that does not has to wait.
func (b *Broker) keepSession(session metadata.SessionID) {
	for _, d := range b.dirs {
		if d.Err() != nil {
			continue
		}
		if err := d.SetSession(int64(session)); err != nil {
			b.log.Warn("the session is not kept for the next start", errField(err))
		}
	}
}

// formerLife is how long a session of this broker may outlive it, and a little.
func (b *Broker) formerLife() time.Duration {
	timeout := b.cfg.ZooKeeper.SessionTimeout
	if timeout <= 0 {
		timeout = 18 * time.Second
	}
	return timeout*3/2 + 2*time.Second
}

// registration is what others read of this broker.
func (b *Broker) registration() (metadata.Broker, error) {
	own := metadata.Broker{ID: b.id, Rack: b.cfg.Rack, JMXPort: -1, Offline: b.replicas.Offline()}
	for _, l := range b.cfg.Listeners {
		host, port, err := b.advertised(&l)
		if err != nil {
			return own, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		own.Endpoints = append(own.Endpoints, metadata.Endpoint{Listener: l.Name, Security: string(l.Protocol), Host: host, Port: port})
	}
	return own, nil
}

// advertised is what clients are told of a listener; see Listener.Advertised.
func (b *Broker) advertised(l *Listener) (host string, port int32, err error) {
	bound, ok := b.net.Addr(l.Name).(*net.TCPAddr)
	if l.Advertised != "" {
		if host, port, err = splitAdvertised(l.Advertised); err != nil {
			return "", 0, err
		}
	}
	if port == 0 && ok {
		port = int32(bound.Port)
	}
	if host == "" {
		if host, _, err = net.SplitHostPort(l.Address); err != nil {
			return "", 0, err
		}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", 0, fmt.Errorf("the machine's name, to be advertised: %w", err)
		}
	}
	return host, port, nil
}

// Addr is where a listener is bound, nil if there is none of this name.
func (b *Broker) Addr(listener string) net.Addr { return b.net.Addr(listener) }
