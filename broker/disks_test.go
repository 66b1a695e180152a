package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/metadata"
	"holt/broker/replica"
)

// badDisk is a file system on which everything below a path fails once it is broken.
type badDisk struct {
	path   string
	broken atomic.Bool
}

func (d *badDisk) fs() vfs.FS {
	return errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if d.broken.Load() && (op.Path == d.path || strings.HasPrefix(op.Path, d.path+"/")) {
			return &fs.PathError{Op: "io", Path: op.Path, Err: syscall.EIO}
		}
		return nil
	}))
}

// ledBy makes a topic whose partitions have the same replicas, the first of which leads.
func ledBy(ctx context.Context, t *testing.T, cl *kgo.Client, topic string, partitions int32, replicas []int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, -1, -1
	for p := range partitions {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = p, replicas
		rt.ReplicaAssignment = append(rt.ReplicaAssignment, a)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// offlineOn returns which partitions of a topic clients are told to be offline on a broker.
func offlineOn(ctx context.Context, t *testing.T, cl *kgo.Client, topic string, broker int32) (all []int32) {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	resp, err := cl.Broker(1).Request(ctx, req) // not from the client's memory
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range resp.(*kmsg.MetadataResponse).Topics[0].Partitions {
		if slices.Contains(p.OfflineReplicas, broker) {
			all = append(all, p.Partition)
		}
	}
	return all
}

// TestOneDiskFails: a broker with two log directories loses one. What was in it is led by others,
// acknowledged records are there, what is in the other directory goes on; it is so after a restart too,
// until the disk is back. (K2)
func TestOneDiskFails(t *testing.T) {
	const n = 6
	disk := &badDisk{}
	c := newCluster(t, 3, map[string]string{"min.insync.replicas": "2", "default.replication.factor": "3", "replica.lag.time.max.ms": "30000"})
	disk.path = filepath.Join(c.dir, "3", "b")
	c.dirs[3], c.fs[3] = []string{filepath.Join(c.dir, "3", "a"), disk.path}, disk.fs()
	c.stop(3)
	b := c.start(3)
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMaxAge(time.Second))
	adm := kadm.NewClient(cl)
	ledBy(ctx, t, cl, "orders", n, []int32{3, 1, 2})
	written := 0
	write := func() {
		t.Helper()
		for p := range int32(n) {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: p, Value: fmt.Append(nil, written)}).FirstErr(); err != nil {
				t.Fatalf("partition %d: %v", p, err)
			}
		}
		written++
	}
	write()
	var inBad []int32
	for _, p := range b.set.Load().LogDirs(nil)[1].Logs {
		if p.TP.Topic == "orders" {
			inBad = append(inBad, p.TP.Partition)
		}
	}
	if len(inBad) != n/2 {
		t.Fatalf("in the directory that is to fail: %v", inBad)
	}
	disk.broken.Store(true)
	for range 3 {
		write()
	}
	c.awaitAll(ctx, func(i *metadata.Image) bool {
		for p := range int32(n) {
			at, bad := i.Partition("orders", p), slices.Contains(inBad, p)
			if len(at.ISR) != 3-btoi(bad) || (at.Leader == 3) == bad || at.LeaderEpoch != int32(btoi(bad)) {
				return false
			}
		}
		return true
	})
	if got := offlineOn(ctx, t, cl, "orders", 3); !slices.Equal(got, inBad) {
		t.Errorf("offline: %v, want %v", got, inBad)
	}
	dirs, err := adm.DescribeBrokerLogDirs(ctx, 3, nil)
	if err != nil || !errors.Is(dirs[disk.path].Err, kerr.KafkaStorageError) || dirs[c.dirs[3][0]].Err != nil {
		t.Errorf("%v, %+v", err, dirs)
	}
	if _, err := adm.CreateTopic(ctx, 2, 3, nil, "later"); err != nil {
		t.Fatal(err)
	}
	c.await(ctx, "later", 3)
	select {
	case <-b.Failed():
		t.Error("the broker has failed as a whole")
	default:
	}

	c.stop(3) // and the disk is still bad
	write()
	b = c.start(3)
	write()
	c.awaitAll(ctx, func(i *metadata.Image) bool {
		for p := range int32(n) {
			if len(i.Partition("orders", p).ISR) != 3-btoi(slices.Contains(inBad, p)) {
				return false
			}
		}
		return true
	})
	if got := offlineOn(ctx, t, cl, "orders", 3); !slices.Equal(got, inBad) {
		t.Errorf("offline after the restart: %v, want %v", got, inBad)
	}
	if got := b.replicas.Counts().Offline; got < n/2 {
		t.Errorf("%d offline replicas are counted", got)
	}

	c.stop(3)
	disk.broken.Store(false)
	c.start(3)
	write()
	c.awaitAll(ctx, func(i *metadata.Image) bool {
		for p := range int32(n) {
			if len(i.Partition("orders", p).ISR) != 3 {
				return false
			}
		}
		return true
	})
	if got := offlineOn(ctx, t, cl, "orders", 3); got != nil {
		t.Errorf("offline with the disk back: %v", got)
	}
	for p := range int32(n) {
		reader := c.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"orders": {p: kgo.NewOffset().AtStart()}}))
		if got := consume(ctx, t, reader, written); !slices.Equal(got, sequence(written)) {
			t.Errorf("partition %d has %v", p, got)
		}
		reader.Close()
	}
}

// TestLastDiskFails: without a directory left the broker says that it has failed, and why.
func TestLastDiskFails(t *testing.T) {
	disk := &badDisk{}
	c := newCluster(t, 0, nil)
	disk.path = filepath.Join(c.dir, "1")
	c.fs[1] = disk.fs()
	b := c.start(1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cl := c.client(kgo.AllowAutoTopicCreation(), kgo.RecordRetries(2), kgo.RetryTimeout(time.Second))
	produce(ctx, t, cl, "orders", 0, 1)
	disk.broken.Store(true)
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders"}).FirstErr(); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("%v, want %v", err, kerr.KafkaStorageError)
	}
	select {
	case <-b.Failed():
	case <-ctx.Done():
		t.Fatal("the broker has not failed")
	}
	if err := b.Err(); !errors.Is(err, syscall.EIO) {
		t.Errorf("failed by %v", err)
	}
	delete(c.brokers, 1)
	if err := b.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("closed with %v", err)
	}
	if _, err := Start(ctx, b.cfg); !errors.Is(err, syscall.EIO) {
		t.Errorf("started with %v", err)
	}
}

// TestTwoLogsOfOnePartition: a partition was made anew while the disk of its former log was away. Of the
// two logs the topic's own stays.
func TestTwoLogsOfOnePartition(t *testing.T) {
	disk := &badDisk{}
	c := newCluster(t, 0, nil)
	disk.path = filepath.Join(c.dir, "1", "b")
	good := filepath.Join(c.dir, "1", "a")
	c.dirs[1], c.fs[1] = []string{disk.path, good}, disk.fs()
	c.start(1)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	write := func(from, to int) {
		cl := c.client(kgo.AllowAutoTopicCreation())
		produce(ctx, t, cl, "orders", from, to-from)
		cl.Close()
	}
	write(100, 120) // longer than the later one
	c.stop(1)
	disk.broken.Store(true)
	c.start(1)
	cl := c.client()
	if _, err := kadm.NewClient(cl).DeleteTopics(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	c.awaitAll(ctx, func(i *metadata.Image) bool { return i.Topic("orders") == nil })
	write(0, 10)
	c.stop(1)
	disk.broken.Store(false)
	b := c.start(1)
	reader := c.client(kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(ctx, t, reader, 10); !slices.Equal(got, sequence(10)) {
		t.Error(got)
	}
	for i, d := range b.set.Load().LogDirs(nil) {
		has := slices.ContainsFunc(d.Logs, func(l replica.LogSize) bool { return l.TP.Topic == "orders" })
		if has != (i == 1) {
			t.Errorf("%s has the log: %v", d.Path, has)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
