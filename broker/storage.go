package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/metadata"
	"holt/broker/partition"
	"holt/broker/peer"
	"holt/broker/record"
	"holt/broker/replica"
	"holt/broker/setting"
)

// peers is how other brokers are reached; *peer.Client is one.
type peers interface {
	Do(ctx context.Context, broker int32, req kmsg.Request) (kmsg.Response, error)
	Close()
}

// startStorage opens the directories, which recovers what a crash left.
func (b *Broker) startStorage(ctx context.Context) (err error) {
	b.id = b.cfg.ID
	if b.cfg.openReplicas != nil {
		b.replicas, b.peers = b.cfg.openReplicas(b)
		return nil
	}
	s := &setting.Layers{File: b.cfg.Settings}
	if b.id < 0 {
		if b.id, err = b.findID(ctx, s); err != nil {
			return err
		}
	}
	dirs, failed, err := b.openDirs(s)
	if err != nil {
		return err
	}
	b.dirs = dirs
	client := peer.New(b.peerConfig(s))
	b.peers = client
	cfg := b.replicaConfig(s, dirs, client)
	cfg.FailedDirs, cfg.OfflineChanged = failed, b.offlineChanged
	set := replica.Open(cfg)
	b.set.Store(set)
	for _, d := range dirs {
		if err := d.Err(); err != nil {
			set.DirFailed(d, err) // too early for dirOptions' Failed
		}
	}
	b.replicas = set
	return nil
}

// Failed is closed when all directories of the data have failed, and the broker is to be closed: what
// it has acknowledged the other replicas have, and after a restart it recovers what its disks still
// have. Err says why. While one is left the broker goes on with that.
func (b *Broker) Failed() <-chan struct{} { return b.replicas.Failed() }

// Err is why the storage has failed, nil if it has not.
func (b *Broker) Err() error { return b.replicas.Err() }

// offlineChanged has the registration say which replicas are offline.
func (b *Broker) offlineChanged() {
	if r := b.registrar.Load(); r != nil {
		r.Change(func(own *metadata.Broker) { own.Offline = b.replicas.Offline() })
	}
}

// findID returns the id that the directories are of, or one that no broker has had.
func (b *Broker) findID(ctx context.Context, s *setting.Layers) (int32, error) {
	for _, path := range b.cfg.LogDirs {
		m, err := partition.ReadMeta(b.cfg.FS, path)
		if err != nil && !diskFailed(err) { // else opening it says so
			return -1, err
		}
		if err == nil && m.BrokerID >= 0 {
			return m.BrokerID, nil
		}
	}
	return b.client.GenerateBrokerID(ctx, int32(s.BrokerInt("reserved.broker.max.id")))
}

// openDir opens a directory of this broker and cluster; that of another one it leaves alone.
func (b *Broker) openDir(path string, s *setting.Layers) (*partition.Dir, error) {
	d, err := partition.Open(path, b.dirOptions(s))
	if err != nil {
		return nil, err
	}
	switch m := d.Meta(); {
	case m.ClusterID != "" && m.ClusterID != b.clusterID:
		err = fmt.Errorf("log directory %s is of cluster %s, and this is cluster %s; check zookeeper.connect", path, m.ClusterID, b.clusterID)
	case m.BrokerID >= 0 && m.BrokerID != b.id:
		err = fmt.Errorf("log directory %s is of broker %d, and this is broker %d; check broker.id and log.dirs", path, m.BrokerID, b.id)
	case m.BrokerID != b.id || m.ClusterID != b.clusterID:
		err = d.SetMeta(b.id, b.clusterID)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// openDirs opens all directories. Those whose disk fails are left out as long as another one is open;
// anything else that is wrong with one is for the operator to see to, and none is open then.
func (b *Broker) openDirs(s *setting.Layers) (dirs []*partition.Dir, failed []replica.FailedDir, err error) {
	var errs []error
	for _, path := range b.cfg.LogDirs {
		d, err := b.openDir(path, s)
		switch {
		case err == nil:
			dirs = append(dirs, d)
		case diskFailed(err):
			failed = append(failed, replica.FailedDir{Path: path, Err: err})
		default:
			errs = append(errs, err)
		}
	}
	if len(dirs) == 0 {
		for _, f := range failed {
			errs = append(errs, f.Err)
		}
	}
	if len(errs) > 0 {
		for _, d := range dirs {
			errs = append(errs, d.Close())
		}
		return nil, nil, errors.Join(errs...)
	}
	return dirs, failed, nil
}

// diskFailed tells a failure of the disk, or of the right to use it, from damage and from a directory
// that is in use or another broker's.
func diskFailed(err error) bool {
	var damage *partition.DamageError
	if errors.As(err, &damage) || errors.Is(err, syscall.EAGAIN) {
		return false
	}
	var number syscall.Errno
	return errors.As(err, &number)
}

func (b *Broker) dirOptions(s *setting.Layers) partition.Options {
	return partition.Options{
		FS: b.cfg.FS, Logger: b.log.Named("partition"),
		Failed: func(d *partition.Dir, err error) {
			if set := b.set.Load(); set != nil {
				set.DirFailed(d, err) // else it has yet to be opened, and looks
			}
		},
		FlushOnAck:               s.BrokerBool("log.flush.on.ack"),
		RecoveryThreads:          max(2, int(s.BrokerInt("num.recovery.threads.per.data.dir"))),
		ProducerExpirationMillis: s.BrokerInt("producer.id.expiration.ms"),
		CleanerBytes:             int(s.BrokerInt("log.cleaner.dedupe.buffer.size")),
		CleanerInterval:          millis(s, "log.cleaner.backoff.ms"),
		CleanerOff:               !s.BrokerBool("log.cleaner.enable"),
		CleanerBytesPerSecond:    s.BrokerFloat("log.cleaner.io.max.bytes.per.second") / float64(len(b.cfg.LogDirs)),
		RetentionInterval:        millis(s, "log.retention.check.interval.ms"),
		CheckpointInterval:       millis(s, "log.flush.offset.checkpoint.interval.ms"),
		HighWatermarkInterval:    millis(s, "replica.high.watermark.checkpoint.interval.ms"),
	}
}

func (b *Broker) replicaConfig(s *setting.Layers, dirs []*partition.Dir, client *peer.Client) replica.Config {
	return replica.Config{
		Self: b.id, Dirs: dirs, Topic: b.topicConfig, ISRs: b.client, Peers: client, Logger: b.log,
		Throttled: b.throttled, ThrottleRates: b.throttleRates,
		RackAware:         rackAware(s.BrokerText("replica.selector.class")),
		LagMax:            millis(s, "replica.lag.time.max.ms"),
		FlushOnAck:        s.BrokerBool("log.flush.on.ack"),
		FetchBytesMax:     int(s.BrokerInt("fetch.max.bytes")),
		SessionsMax:       int(s.BrokerInt("max.incremental.fetch.session.cache.slots")),
		FetchWait:         millis(s, "replica.fetch.wait.max.ms"),
		FetchMinBytes:     int(s.BrokerInt("replica.fetch.min.bytes")),
		PartitionBytesMax: int(s.BrokerInt("replica.fetch.max.bytes")),
		ResponseBytesMax:  int(s.BrokerInt("replica.fetch.response.max.bytes")),
		FetchBackoff:      millis(s, "replica.fetch.backoff.ms"),
	}
}

// rackAware tells the class that sends consumers to followers of their rack from LeaderSelector, and from none.
func rackAware(class string) bool {
	return class[strings.LastIndexAny(class, ".$")+1:] == "RackAwareReplicaSelector"
}

// topicConfig is what holds for a topic's logs, by all layers of settings.
func (b *Broker) topicConfig(image *metadata.Image, topic string) partition.Config {
	s := b.layersOf(image, topic)
	c := partition.Config{
		RetentionMillis:          s.TopicInt("retention.ms"),
		RetentionBytes:           s.TopicInt("retention.bytes"),
		SegmentBytes:             int(s.TopicInt("segment.bytes")),
		SegmentMillis:            s.TopicInt("segment.ms"),
		SegmentJitterMillis:      s.TopicInt("segment.jitter.ms"),
		SegmentIndexBytes:        int(s.TopicInt("segment.index.bytes")),
		IndexIntervalBytes:       int(s.TopicInt("index.interval.bytes")),
		FileDeleteDelayMillis:    s.TopicInt("file.delete.delay.ms"),
		FlushMessages:            s.TopicInt("flush.messages"),
		FlushMillis:              s.TopicInt("flush.ms"),
		MinCleanableRatio:        s.TopicFloat("min.cleanable.dirty.ratio"),
		MinCompactionLagMillis:   s.TopicInt("min.compaction.lag.ms"),
		MaxCompactionLagMillis:   s.TopicInt("max.compaction.lag.ms"),
		DeleteRetentionMillis:    s.TopicInt("delete.retention.ms"),
		MaxMessageBytes:          int(s.TopicInt("max.message.bytes")),
		TimestampBeforeMaxMillis: timestampBound(s, "message.timestamp.before.max.ms"),
		TimestampAfterMaxMillis:  timestampBound(s, "message.timestamp.after.max.ms"),
		MinISR:                   int(s.TopicInt("min.insync.replicas")),
		UncleanElection:          s.TopicBool("unclean.leader.election.enable"),
	}
	for _, policy := range setting.Words(s.TopicText("cleanup.policy")) {
		switch policy {
		case "delete":
			c.CleanupPolicy |= partition.Delete
		case "compact":
			c.CleanupPolicy |= partition.Compact
		}
	}
	if s.TopicText("message.timestamp.type") == "LogAppendTime" {
		c.TimestampType = record.LogAppendTime
	}
	c.Compression = topicCompression(s)
	return c
}

// timestampBound is how far from the clock a record's time may be in one direction. Where that is not bounded, what is
// set for both counts. (Kafka: LogConfig.getMessageTimestampBeforeMaxMs, KIP-937)
func timestampBound(s *setting.Layers, name string) int64 {
	if bound := s.TopicInt(name); bound != math.MaxInt64 {
		return bound
	}
	return s.TopicInt("message.timestamp.difference.max.ms")
}

func topicCompression(s *setting.Layers) record.Compression {
	codec, ok := record.ParseCodec(s.TopicText("compression.type"))
	if !ok {
		codec = record.KeepCodec
	}
	c := record.Compression{Codec: codec}
	switch codec {
	case record.Gzip:
		c.Level = int(s.TopicInt("compression.gzip.level"))
	case record.LZ4:
		c.Level = int(s.TopicInt("compression.lz4.level"))
	case record.Zstd:
		c.Level = int(s.TopicInt("compression.zstd.level"))
	}
	return c
}

// peerConfig is how this broker reaches others: over the listener that all of them have for it.
func (b *Broker) peerConfig(s *setting.Layers) peer.Config {
	with := b.cfg.InterBroker
	c := peer.Config{
		ClientID: fmt.Sprintf("broker-%d", b.id),
		Endpoint: func(id int32) (peer.Endpoint, bool) {
			if b.follower == nil {
				return peer.Endpoint{}, false
			}
			other := b.follower.Image().Broker(id)
			if other == nil {
				return peer.Endpoint{}, false
			}
			at, ok := other.Endpoint(with.Listener)
			return peer.Endpoint{Host: at.Host, Port: at.Port,
				TLS:  slices.Contains([]string{"SSL", "SASL_SSL"}, at.Security),
				SASL: slices.Contains([]string{"SASL_PLAINTEXT", "SASL_SSL"}, at.Security),
			}, ok
		},
		SASL:        peer.SASL{Mechanism: with.Mechanism, User: with.User, Password: with.Password},
		Timeout:     millis(s, "replica.socket.timeout.ms"),
		DialTimeout: millis(s, "socket.connection.setup.timeout.ms"),
	}
	if with.TLS != nil {
		c.TLS = func() (*tls.Config, error) { return with.TLS.ClientConfig() }
	}
	if b.cfg.Dial != nil {
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return b.cfg.Dial(ctx, network, address)
		}
	}
	return c
}

// leadCoordinators tells the coordinators which of their partitions this broker leads.
func (b *Broker) leadCoordinators() {
	b.replicas.OnLeader(offsetsTopic, func(p, epoch int32, gained bool) {
		if gained {
			b.groups.Gained(p, epoch)
		} else {
			b.groups.Lost(p, epoch)
		}
	})
	b.replicas.OnLeader(transactionsTopic, func(p, epoch int32, gained bool) {
		if gained {
			b.txns.Gained(p, epoch)
		} else {
			b.txns.Lost(p, epoch)
		}
	})
}
