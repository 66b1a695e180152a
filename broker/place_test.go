package broker

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/metadata"
)

// placed asks a broker for a partition to be in a directory, and returns the code.
func placed(ctx context.Context, t *testing.T, cl *kgo.Client, broker int, topic string, partition int32, dir string) error {
	t.Helper()
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	rd, rt := kmsg.NewAlterReplicaLogDirsRequestDir(), kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	rt.Topic, rt.Partitions = topic, []int32{partition}
	rd.Dir, rd.Topics = dir, append(rd.Topics, rt)
	req.Dirs = append(req.Dirs, rd)
	resp, err := cl.Broker(broker).Request(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.(*kmsg.AlterReplicaLogDirsResponse).Topics[0].Partitions[0].ErrorCode)
}

// TestReplicasArePlaced: replicas are made in the directory that was asked for, as kafka-reassign-partitions 4.x does
// when it goes back to what it printed. They stay there.
func TestReplicasArePlaced(t *testing.T) {
	const n = 4
	c := newCluster(t, 2, nil)
	a, b := filepath.Join(c.dir, "2", "a"), filepath.Join(c.dir, "2", "b")
	c.dirs[2] = []string{a, b}
	c.stop(2)
	second := c.start(2)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cl := c.client()
	ledBy(ctx, t, cl, "orders", n, []int32{1})
	c.awaitAll(ctx, func(i *metadata.Image) bool { return i.Topic("orders") != nil })
	for p := range int32(n) {
		if err := placed(ctx, t, cl, 2, "orders", p, b); err != kerr.ReplicaNotAvailable {
			t.Errorf("before it is there: %v", err)
		}
	}
	for _, tc := range []struct {
		partition int32
		dir       string
		want      error
	}{{0, filepath.Join(c.dir, "none"), kerr.LogDirNotFound}, {n, b, kerr.UnknownTopicOrPartition}} {
		if err := placed(ctx, t, cl, 2, "orders", tc.partition, tc.dir); err != tc.want {
			t.Errorf("partition %d in %s: %v, want %v", tc.partition, tc.dir, err, tc.want)
		}
	}
	var move kadm.AlterPartitionAssignmentsReq
	for p := range int32(n) {
		move.Assign("orders", p, []int32{2})
	}
	moved, err := kadm.NewClient(cl).AlterPartitionAssignments(ctx, move)
	if err == nil {
		err = moved.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.awaitAll(ctx, func(i *metadata.Image) bool {
		for p := range int32(n) {
			if at := i.Partition("orders", p); at == nil || at.Leader != 2 || !slices.Equal(at.Replicas, []int32{2}) {
				return false
			}
		}
		return true
	})
	if logs := second.set.Load().LogDirs(func(tp metadata.TopicPartition) bool { return tp.Topic == "orders" }); len(logs[0].Logs) != 0 || len(logs[1].Logs) != n {
		t.Errorf("%+v; want all in the second directory", logs)
	}
	if err := placed(ctx, t, cl, 2, "orders", 0, b); err != nil {
		t.Errorf("where it is: %v", err)
	}
	if err := placed(ctx, t, cl, 2, "orders", 0, a); err != kerr.UnsupportedVersion {
		t.Errorf("elsewhere: %v", err)
	}
}
