package metadatatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"holt/broker/metadata"
)

// client opens a session on a tree that has what every cluster has.
func (s *suite) client() *metadata.Client {
	s.Helper()
	c := metadata.NewClient(s.Open())
	s.must(c.EnsurePaths(s.ctx))
	return c
}

func aBroker(id int32) metadata.Broker {
	return metadata.Broker{
		ID: id, Rack: "r", JMXPort: -1, Timestamp: 1,
		Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Security: "PLAINTEXT", Host: "localhost", Port: 9000 + id}},
	}
}

func (s *suite) registration() {
	a, b := s.client(), s.client()
	broker := aBroker(1)
	epoch, err := a.Register(s.ctx, &broker, 0)
	s.must(err)
	s.must(b.Sync(s.ctx)) // it may be another server's
	stat, err := b.Exists(s.ctx, metadata.BrokerPath(1), false)
	s.must(err)
	if epoch != int64(stat.Created) || stat.Owner != a.Session() {
		s.Errorf("epoch %d, node %+v", epoch, stat)
	}
	// Again by the same session: it is there already.
	if again, err := a.Register(s.ctx, &broker, 0); err != nil || again != epoch {
		s.Errorf("again: %d %v, want %d", again, err, epoch)
	}
	_, err = b.Register(s.ctx, &broker, 0)
	s.wantError(err, metadata.ErrRegistered)
	// By a process whose former session is that of a: what is left goes.
	later, err := b.Register(s.ctx, &broker, a.Session())
	s.must(err)
	if later <= epoch {
		s.Errorf("epoch %d after %d", later, epoch)
	}
	s.must(b.Unregister(s.ctx, 1, epoch))
	s.must(a.Sync(s.ctx))
	if _, err := a.Exists(s.ctx, metadata.BrokerPath(1), false); err != nil {
		s.Errorf("unregistering a former life: %v", err)
	}
	s.must(b.Unregister(s.ctx, 1, later))
	_, err = b.Exists(s.ctx, metadata.BrokerPath(1), false)
	s.wantError(err, metadata.ErrNoNode)

	id, err := a.ClusterID(s.ctx)
	s.must(err)
	if other, err := b.ClusterID(s.ctx); err != nil || other != id || len(id) != 22 {
		s.Errorf("cluster ids %q and %q, %v", id, other, err)
	}
	first, err := a.GenerateBrokerID(s.ctx, 1000)
	s.must(err)
	second, err := b.GenerateBrokerID(s.ctx, 1000)
	s.must(err)
	if first != 1001 || second != 1002 {
		s.Errorf("generated ids %d, %d", first, second)
	}
}

// registrar has the session end: the hook comes before the next registration.
func (s *suite) registrar() {
	c := s.client()
	var mu sync.Mutex
	var story []string
	tell := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		story = append(story, what)
	}
	var epochs atomic.Int64
	r := metadata.NewRegistrar(metadata.RegistrarConfig{
		Client:     c,
		Expired:    func() { tell("expired") },
		Registered: func(metadata.SessionID, int64) { epochs.Add(1); tell("registered") },
	}, aBroker(7))
	s.must(r.Start(s.ctx))
	s.Cleanup(r.Close)
	first := r.Epoch()
	s.Expire(c.Coordinator)
	s.eventually("another registration", func() bool { return epochs.Load() == 2 && r.Epoch() > first })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"registered", "expired", "registered"}; !slices.Equal(story, want) {
		s.Errorf("%v, want %v", story, want)
	}
	stat, err := c.Exists(s.ctx, metadata.BrokerPath(7), false)
	s.must(err)
	if stat.Owner != c.Session() || int64(stat.Created) != r.Epoch() {
		s.Errorf("node %+v, epoch %d in session %v", stat, r.Epoch(), c.Session())
	}
}

// takeOver has another process take what the session of one that has ended still holds.
func (s *suite) takeOver() {
	dead, other, c := s.client(), s.client(), s.client()
	broker := aBroker(8)
	epoch, err := dead.Register(s.ctx, &broker, 0)
	s.must(err)
	s.write(dead, metadata.Create(metadata.ControllerEpochPath, metadata.EncodeControllerEpoch(3)),
		metadata.CreateEphemeral(metadata.ControllerPath, metadata.EncodeController(8, 1)))
	s.must(c.Sync(s.ctx))
	s.must(c.Vacate(s.ctx, other.Session())) // it has no office
	if _, err := c.Exists(s.ctx, metadata.ControllerPath, false); err != nil {
		s.Errorf("the controller of another session: %v", err)
	}
	s.must(c.Vacate(s.ctx, dead.Session()))
	_, err = c.Exists(s.ctx, metadata.ControllerPath, false)
	s.wantError(err, metadata.ErrNoNode)
	s.must(c.Vacate(s.ctx, dead.Session()))
	r := metadata.NewRegistrar(metadata.RegistrarConfig{Client: c, Former: dead.Session()}, broker)
	s.must(r.Start(s.ctx))
	s.Cleanup(r.Close)
	if r.Epoch() <= epoch {
		s.Errorf("epoch %d after %d", r.Epoch(), epoch)
	}
	r = metadata.NewRegistrar(metadata.RegistrarConfig{Client: other, Former: dead.Session()}, broker)
	s.wantError(r.Start(s.ctx), metadata.ErrRegistered) // it is not the dead one's any more
}

func (s *suite) topics() {
	c := s.client()
	node := &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: []metadata.Assignment{{Replicas: []int32{1, 2}}}}
	s.must(c.CreateTopic(s.ctx, "t", node, map[string]string{"retention.ms": "1"}))
	other := &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: node.Partitions}
	s.wantError(c.CreateTopic(s.ctx, "t", other, nil), metadata.ErrNodeExists)
	more := []metadata.Assignment{{Replicas: []int32{2, 1}}}
	s.must(c.AddPartitions(s.ctx, "t", node.ID, 1, more))
	s.wantError(c.AddPartitions(s.ctx, "t", node.ID, 1, more), metadata.ErrChanged)
	s.wantError(c.AddPartitions(s.ctx, "t", other.ID, 2, more), metadata.ErrNoNode)
	s.must(c.DeleteTopic(s.ctx, "t"))
	s.must(c.DeleteTopic(s.ctx, "t"))
	s.wantError(c.DeleteTopic(s.ctx, "u"), metadata.ErrNoNode)
	// A configuration that outlived its topic.
	s.write(c, metadata.Create("/config/topics/u", metadata.EncodeConfig(map[string]string{"a": "old"})))
	s.must(c.CreateTopic(s.ctx, "u", other, nil))
	data, _, err := c.Get(s.ctx, "/config/topics/u", false)
	s.must(err)
	if values, err := metadata.DecodeConfig(data); err != nil || len(values) != 0 {
		s.Errorf("configuration %q", data)
	}
	s.must(c.RequestReassignment(s.ctx, []metadata.Reassignment{{Topic: "u", Partition: 0, Replicas: []int32{3}}}))
	s.wantError(c.RequestReassignment(s.ctx, nil), metadata.ErrNodeExists)
	s.must(c.RequestPreferredElection(s.ctx, []metadata.TopicPartition{{Topic: "u"}}))
	s.wantError(c.RequestPreferredElection(s.ctx, nil), metadata.ErrNodeExists)
	s.must(c.NotifyISR(s.ctx, []metadata.TopicPartition{{Topic: "u"}}))
	s.must(c.NotifyLogDirFailure(s.ctx, 1))
}

func (s *suite) configs() {
	a, b := s.client(), s.client()
	e := metadata.UserClientEntity("alice@x", metadata.DefaultName)
	s.must(a.SetConfig(s.ctx, e, map[string]string{"producer_byte_rate": "1024", "x": "y"}))
	s.must(b.SetConfig(s.ctx, e, map[string]string{"z": "w"}, "x"))
	s.must(a.Sync(s.ctx))
	data, _, err := a.Get(s.ctx, "/config/users/alice%40x/clients/<default>", false)
	s.must(err)
	values, err := metadata.DecodeConfig(data)
	s.must(err)
	if want := map[string]string{"producer_byte_rate": "1024", "z": "w"}; !maps.Equal(values, want) {
		s.Errorf("values %v", values)
	}
	refusal := errors.New("no")
	err = a.AlterConfig(s.ctx, e, func(map[string]string) (map[string]string, error) { return nil, refusal })
	s.wantError(err, refusal)
	// Many at once: every one counts.
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			c := []*metadata.Client{a, b}[i%2]
			if err := c.SetConfig(s.ctx, metadata.TopicEntity("t"), map[string]string{fmt.Sprint(i): "1"}); err != nil {
				s.Error(err)
			}
		})
	}
	writers.Wait()
	s.must(a.Sync(s.ctx))
	data, _, err = a.Get(s.ctx, "/config/topics/t", false)
	s.must(err)
	if values, _ := metadata.DecodeConfig(data); len(values) != 8 {
		s.Errorf("values %v", values)
	}
	names, _, err := a.Children(s.ctx, metadata.ConfigChangesPath, false)
	s.must(err)
	if len(names) != 10 {
		s.Errorf("%d notifications", len(names))
	}
}

func (s *suite) acls() {
	a, b := s.client(), s.client()
	literal := metadata.Resource{Type: "Topic", Name: "t", Pattern: metadata.Literal}
	prefixed := metadata.Resource{Type: "TransactionalId", Name: "p", Pattern: metadata.Prefixed}
	f := s.follower(b, true)
	rule := metadata.ACL{Principal: "User:alice", Permission: "Allow", Operation: "Read", Host: "*"}
	add := func(rules []metadata.ACL) []metadata.ACL { return append(rules, rule) }
	s.must(a.AlterACLs(s.ctx, literal, add))
	s.must(a.AlterACLs(s.ctx, prefixed, add))
	s.must(f.Sync(s.ctx))
	for _, r := range []metadata.Resource{literal, prefixed} {
		if got := f.Image().ACLs(r); !slices.Equal(got, []metadata.ACL{rule}) {
			s.Errorf("%v: %v", r, got)
		}
	}
	s.must(a.AlterACLs(s.ctx, literal, func([]metadata.ACL) []metadata.ACL { return nil }))
	s.must(f.Sync(s.ctx))
	if got := f.Image().ACLs(literal); len(got) != 0 {
		s.Errorf("after removal: %v", got)
	}
	_, err := a.Exists(s.ctx, "/kafka-acl/Topic/t", false)
	s.wantError(err, metadata.ErrNoNode)
	again := s.follower(s.client(), true)
	if got := again.Image().ACLs(prefixed); len(got) != 1 {
		s.Errorf("read at start: %v", got)
	}
}

func (s *suite) producerIDs() {
	a, b := s.client(), s.client()
	var mu sync.Mutex
	taken := map[int64]bool{}
	var takers sync.WaitGroup
	for i := range 6 {
		takers.Go(func() {
			block, err := []*metadata.Client{a, b}[i%2].NextProducerIDs(s.ctx, int32(i), 1000)
			if err != nil {
				s.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if taken[block.First] || block.First%1000 != 0 || block.Last != block.First+999 {
				s.Errorf("block %+v", block)
			}
			taken[block.First] = true
		})
	}
	takers.Wait()
	if len(taken) != 6 || !taken[0] || !taken[5000] {
		s.Errorf("blocks %v", taken)
	}
}

func (s *suite) states() {
	a := s.client()
	s.must(a.CreateTopic(s.ctx, "t", &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: []metadata.Assignment{{Replicas: []int32{1, 2}}}}, nil))
	tp := metadata.TopicPartition{Topic: "t"}
	state := metadata.PartitionState{Leader: 1, ISR: []int32{1, 2}, ControllerEpoch: 1}
	_, err := a.SetPartitionState(s.ctx, tp, state, 0)
	s.wantError(err, metadata.ErrNoNode)
	s.write(a, metadata.Create(metadata.PartitionPath("t", 0), nil), metadata.Create(metadata.StatePath("t", 0), state.Encode()))
	state.ISR = []int32{1}
	version, err := a.SetPartitionState(s.ctx, tp, state, 0)
	s.must(err)
	if version != 1 {
		s.Errorf("version %d", version)
	}
	_, err = a.SetPartitionState(s.ctx, tp, state, 0)
	s.wantError(err, metadata.ErrBadVersion)
}

func (s *suite) follower(c *metadata.Client, acls bool) *metadata.Follower {
	s.Helper()
	if acls {
		s.must(c.EnsureACLPaths(s.ctx))
	}
	f := metadata.NewFollower(metadata.FollowerConfig{Coordinator: c.Coordinator, ACLs: acls})
	s.must(f.Start(s.ctx))
	s.Cleanup(f.Close)
	return f
}

// makeTopic makes a topic whose partitions have states, as a controller does.
func (s *suite) makeTopic(c *metadata.Client, name string, partitions int) metadata.TopicID {
	node := &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: make([]metadata.Assignment, partitions)}
	state := metadata.PartitionState{Leader: 1, ISR: []int32{1, 2}, ControllerEpoch: 1}
	var ops []metadata.Op
	for i := range node.Partitions {
		node.Partitions[i].Replicas = []int32{1, 2}
		ops = append(ops, metadata.Create(metadata.PartitionPath(name, int32(i)), nil), metadata.Create(metadata.StatePath(name, int32(i)), state.Encode()))
	}
	s.must(c.CreateTopic(s.ctx, name, node, map[string]string{"k": name}))
	s.write(c, ops...)
	return node.ID
}

func (s *suite) follow() {
	a, b := s.client(), s.client()
	early := s.makeTopic(a, "early", 3)
	f := s.follower(b, false)
	if t := f.Image().Topic("early"); t == nil || t.ID != early || f.Image().TopicByID(early) != t || f.Image().Config(metadata.TopicEntity("early"))["k"] != "early" {
		s.Fatalf("early: %+v", t)
	}
	var mu sync.Mutex
	var deltas []*metadata.Delta
	stop := f.Subscribe(func(d *metadata.Delta) {
		mu.Lock()
		defer mu.Unlock()
		deltas = append(deltas, d)
	})
	defer stop()
	s.must(f.Sync(s.ctx))
	broker := aBroker(1)
	epoch, err := a.Register(s.ctx, &broker, 0)
	s.must(err)
	s.makeTopic(a, "late", 2)
	version, err := a.SetPartitionState(s.ctx, metadata.TopicPartition{Topic: "early", Partition: 2}, metadata.PartitionState{Leader: 2, LeaderEpoch: 1, ISR: []int32{2}}, 0)
	s.must(err)
	s.must(a.SetConfig(s.ctx, metadata.DefaultBrokerEntity(), map[string]string{"a": "b"}))
	s.must(a.DeleteTopic(s.ctx, "late"))
	s.must(f.Sync(s.ctx))
	i := f.Image()
	b1 := i.Broker(1)
	if b1 == nil || b1.Epoch != epoch || b1.Rack != "r" || !slices.Equal(b1.Endpoints, broker.Endpoints) {
		s.Errorf("broker %+v", b1)
	}
	if p := i.Partition("early", 2); p.Leader != 2 || p.Version != version || !slices.Equal(p.ISR, []int32{2}) || i.Restarted(p, 1) {
		s.Errorf("partition %+v", p)
	}
	if p := i.Partition("late", 1); p == nil || p.Leader != 1 || !i.Deleting("late") || i.PartitionCount() != 5 || i.TopicCount() != 2 {
		s.Errorf("late %+v, %d partitions", p, i.PartitionCount())
	}
	if i.Config(metadata.DefaultBrokerEntity())["a"] != "b" || i.Config(metadata.TopicEntity("late"))["k"] != "late" {
		s.Error("configurations are missing")
	}
	mu.Lock()
	defer mu.Unlock()
	s.checkDeltas(deltas, i)
}

// checkDeltas has every delta begin where the last one ended, and all that the last image
// has have been told.
func (s *suite) checkDeltas(deltas []*metadata.Delta, last *metadata.Image) {
	told := map[metadata.TopicPartition]*metadata.Partition{}
	for n, d := range deltas {
		if n > 0 && d.Before != deltas[n-1].Image {
			s.Errorf("delta %d does not begin at the image before", n)
		}
		for _, p := range d.Partitions {
			told[metadata.TopicPartition{Topic: p.Topic.Name, Partition: p.Partition}] = p.Is
		}
	}
	if deltas[len(deltas)-1].Image != last {
		s.Error("the last image was not told")
	}
	for t := range last.Topics() {
		for n, p := range t.Partitions {
			if told[metadata.TopicPartition{Topic: t.Name, Partition: int32(n)}] != p {
				s.Errorf("%s-%d: not told as it is", t.Name, n)
			}
		}
	}
}

// followCut has changes happen while the follower's connection comes and goes.
func (s *suite) followCut() {
	a, b := s.client(), s.client()
	s.makeTopic(a, "t", 20)
	f := s.follower(b, false)
	for round := range int32(4) {
		var writer sync.WaitGroup
		writer.Go(func() {
			for p := range int32(20) {
				_, err := a.SetPartitionState(s.ctx, metadata.TopicPartition{Topic: "t", Partition: p}, metadata.PartitionState{Leader: 1, LeaderEpoch: round + 1, ISR: []int32{1}}, round)
				if err != nil {
					s.Error(err)
				}
			}
		})
		s.Cut(b.Coordinator)
		writer.Wait()
		s.must(f.Sync(s.ctx))
		for n, p := range f.Image().Topic("t").Partitions {
			if p.LeaderEpoch != round+1 || p.Version != round+1 {
				s.Errorf("round %d: partition %d is %+v", round, n, p)
			}
		}
	}
}

// followCutMany has a connection go that more was watched on than one message of the
// client holds, and changes all over it meanwhile. A Sync right after it shows them.
func (s *suite) followCutMany() {
	const topics, partitions = 12, 250
	name := func(n int) string { return fmt.Sprintf("%0100d", n) }
	a, b := s.client(), s.client()
	for n := range topics {
		s.makeTopic(a, name(n), partitions)
	}
	f := s.follower(b, false)
	for round := range int32(8) {
		s.Cut(b.Coordinator)
		state := metadata.PartitionState{Leader: 1, LeaderEpoch: round + 1, ISR: []int32{1}}
		var ops []metadata.Op
		for n := range topics {
			ops = append(ops, metadata.Set(metadata.StatePath(name(n), round), state.Encode(), 0))
		}
		s.write(a, ops...)
		s.must(f.Sync(s.ctx))
		for n := range topics {
			if p := f.Image().Partition(name(n), round); p.LeaderEpoch != round+1 {
				s.Errorf("round %d: topic %d is %+v", round, n, p)
			}
		}
	}
}

func (s *suite) followExpire() {
	a, b := s.client(), s.client()
	s.makeTopic(a, "t", 5)
	s.makeTopic(a, "goes", 1)
	f := s.follower(b, false)
	session := f.Image().Session()
	s.Expire(b.Coordinator)
	s.write(a, metadata.Delete(metadata.StatePath("goes", 0), 0), metadata.Delete(metadata.PartitionPath("goes", 0), 0),
		metadata.Delete("/brokers/topics/goes/partitions", 0), metadata.Delete(metadata.TopicPath("goes"), 0))
	s.must(a.SetConfig(s.ctx, metadata.TopicEntity("t"), map[string]string{"k": "new"}))
	ctx, cancel := context.WithTimeout(s.ctx, suitePatience/2)
	defer cancel()
	s.must(f.Wait(ctx, func(i *metadata.Image) bool { return i.Session() != session && i.Session() == b.Session() }))
	s.must(f.Sync(s.ctx))
	if i := f.Image(); i.Topic("goes") != nil || i.Config(metadata.TopicEntity("t"))["k"] != "new" {
		s.Errorf("image after the session's end: %v %v", i.Topic("goes"), i.Config(metadata.TopicEntity("t")))
	}
	// And it follows again.
	_, err := a.SetPartitionState(s.ctx, metadata.TopicPartition{Topic: "t", Partition: 4}, metadata.PartitionState{Leader: 2, ISR: []int32{2}}, 0)
	s.must(err)
	s.must(f.Sync(s.ctx))
	if p := f.Image().Partition("t", 4); p.Leader != 2 {
		s.Errorf("partition %+v", p)
	}
}

// followRecreated deletes a topic and makes another one of its name, in one step.
func (s *suite) followRecreated() {
	a, b := s.client(), s.client()
	first := s.makeTopic(a, "t", 2)
	_, err := a.SetPartitionState(s.ctx, metadata.TopicPartition{Topic: "t"}, metadata.PartitionState{Leader: 2, LeaderEpoch: 5, ISR: []int32{2}}, 0)
	s.must(err)
	f := s.follower(b, false)
	node := &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: []metadata.Assignment{{Replicas: []int32{3}}, {Replicas: []int32{4}}}}
	state := metadata.PartitionState{Leader: 3, ISR: []int32{3}}
	s.write(a,
		metadata.Delete(metadata.StatePath("t", 0), metadata.AnyVersion), metadata.Delete(metadata.PartitionPath("t", 0), 0),
		metadata.Delete(metadata.StatePath("t", 1), metadata.AnyVersion), metadata.Delete(metadata.PartitionPath("t", 1), 0),
		metadata.Delete(metadata.PartitionsPath("t"), 0), metadata.Delete(metadata.TopicPath("t"), 0), metadata.Delete("/config/topics/t", 0),
		metadata.Create(metadata.TopicPath("t"), node.Encode()), metadata.Create("/config/topics/t", metadata.EncodeConfig(map[string]string{"k": "second"})),
		metadata.Create(metadata.PartitionsPath("t"), nil), metadata.Create(metadata.PartitionPath("t", 0), nil), metadata.Create(metadata.StatePath("t", 0), state.Encode()))
	s.must(f.Sync(s.ctx))
	i := f.Image()
	t := i.Topic("t")
	if t == nil || t.ID != node.ID || i.TopicByID(first) != nil || i.TopicByID(node.ID) != t {
		s.Fatalf("topic %+v", t)
	}
	if p := t.Partitions[0]; p.Leader != 3 || p.LeaderEpoch != 0 || !slices.Equal(p.Replicas, []int32{3}) {
		s.Errorf("partition 0: %+v", p)
	}
	if p := t.Partitions[1]; p.HasState() || p.Leader != metadata.NoLeader {
		s.Errorf("partition 1: %+v", p)
	}
	if got := i.Config(metadata.TopicEntity("t"))["k"]; got != "second" {
		s.Errorf("configuration %q", got)
	}
}
