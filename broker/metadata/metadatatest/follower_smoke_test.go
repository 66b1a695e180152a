package metadatatest

import (
	"testing"

	"holt/broker/metadata"
)

func TestSmoke(t *testing.T) {
	tree := NewTree()
	s := tree.Open()
	c := metadata.NewClient(s)
	ctx := t.Context()
	if err := c.EnsurePaths(ctx); err != nil {
		t.Fatal(err)
	}
	f := metadata.NewFollower(metadata.FollowerConfig{Coordinator: s})
	if err := f.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	epoch, err := c.Register(ctx, &metadata.Broker{ID: 1, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Security: "PLAINTEXT", Host: "h", Port: 9092}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateTopic(ctx, "t", &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: []metadata.Assignment{{Replicas: []int32{1}}}}, map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	i := f.Image()
	if i.Broker(1).Epoch != epoch || i.Topic("t") == nil || i.Config(metadata.TopicEntity("t"))["a"] != "b" {
		t.Fatalf("%+v %s", i, tree.Dump("/"))
	}
}
