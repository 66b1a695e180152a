package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
	"holt/broker/partition"
	"holt/broker/protocol"
	"holt/broker/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTopic is the only topic of a cluster.
const testTopic = "t"

// cluster is brokers' Sets, each on a disk in memory, around a tree in memory. Who leads is said by the test. It
// lives in a bubble of testing/synctest: nothing happens but what the test has happen, and what follows of it.
type cluster struct {
	clusterConfig
	t       *testing.T
	tree    *metadatatest.Tree
	control *metadata.Client
	nodes   map[int32]*clusterNode

	mu      sync.Mutex
	fetches []string // what followers asked, and were told
}

// clusterConfig is what a cluster is like.
type clusterConfig struct {
	brokers, partitions int32
	flushOnAck          bool
	fetchBytes          int      // replica.fetch.max.bytes; 0: the default
	racks               []string // of the brokers, by which consumers are sent to followers; nil: neither
}

// testListener is where consumers come in.
const testListener = "L"

// clusterNode is a broker.
type clusterNode struct {
	c       *cluster
	id      int32
	mem     *vfs.MemFS
	fs      *gateFS // around mem
	session *metadatatest.Session
	follow  *metadata.Follower
	set     *Set

	// guarded by cluster.mu
	up     bool
	cut    bool // from the others; the tree it sees
	losing bool // the answer to its next fetch gets lost
}

func newCluster(t *testing.T, cfg clusterConfig) *cluster {
	c := &cluster{clusterConfig: cfg, t: t, tree: metadatatest.NewTree(), nodes: map[int32]*clusterNode{}}
	c.control = metadata.NewClient(c.tree.Open())
	c.must(c.control.EnsurePaths(t.Context()))
	topic := &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: make([]metadata.Assignment, c.partitions)}
	var replicas []int32
	for id := range c.brokers {
		replicas = append(replicas, id+1)
	}
	for i := range topic.Partitions {
		topic.Partitions[i].Replicas = replicas
	}
	for _, id := range replicas {
		n := &clusterNode{c: c, id: id, mem: vfs.NewCrashableMem()}
		c.nodes[id] = n
		n.start()
	}
	c.must(c.control.CreateTopic(t.Context(), testTopic, topic, nil))
	for p := range c.partitions {
		state := metadata.PartitionState{Leader: 1, ISR: replicas, ControllerEpoch: 1}
		_, err := c.control.Multi(t.Context(), metadata.Create(metadata.PartitionPath(testTopic, p), nil),
			metadata.Create(metadata.StatePath(testTopic, p), state.Encode()))
		c.must(err)
	}
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// up returns the nodes that run, by id.
func (c *cluster) running() (all []*clusterNode) {
	for _, id := range slices.Sorted(maps.Keys(c.nodes)) {
		if c.nodes[id].up {
			all = append(all, c.nodes[id])
		}
	}
	return all
}

func (c *cluster) close() {
	for _, n := range c.running() {
		n.stop()
	}
	c.must(c.control.Close())
}

func (n *clusterNode) tp(p int32) metadata.TopicPartition {
	return metadata.TopicPartition{Topic: testTopic, Partition: p}
}

// start opens what is on the disk and registers.
func (n *clusterNode) start() {
	c := n.c
	c.t.Helper()
	n.fs = &gateFS{FS: n.mem}
	topic := func(*metadata.Image, string) partition.Config {
		cfg := partition.Defaults()
		cfg.SegmentBytes = 300 // a few batches
		return cfg
	}
	const never = 24 * time.Hour
	d, err := partition.Open("/logs", partition.Options{FS: n.fs, FlushOnAck: c.flushOnAck, Config: func(string) partition.Config { return topic(nil, "") },
		RetentionInterval: never, CheckpointInterval: never, CleanerInterval: never})
	c.must(err)
	n.session = c.tree.Open()
	client := metadata.NewClient(n.session)
	n.set = Open(Config{Self: n.id, Dirs: []*partition.Dir{d}, Topic: topic, ISRs: client, Peers: n, LagMax: 10 * time.Second, FlushOnAck: c.flushOnAck,
		PartitionBytesMax: c.fetchBytes, RackAware: c.racks != nil, Throttled: n.throttled, ThrottleRates: n.throttleRates,
		Logger: zaptest.NewLogger(c.t).Named(fmt.Sprint(n.id))})
	n.follow = metadata.NewFollower(metadata.FollowerConfig{Coordinator: n.session})
	c.must(n.follow.Start(c.t.Context()))
	n.follow.Subscribe(n.set.Apply)
	epoch, err := client.Register(c.t.Context(), n.registration(), 0)
	c.must(err)
	n.set.Registered(epoch)
	c.mu.Lock()
	n.up = true
	c.mu.Unlock()
}

func (n *clusterNode) registration() *metadata.Broker {
	b := &metadata.Broker{ID: n.id, JMXPort: -1, Endpoints: []metadata.Endpoint{{Listener: testListener, Security: "PLAINTEXT", Host: "h", Port: n.id}}}
	if n.c.racks != nil {
		b.Rack = n.c.racks[n.id-1]
	}
	return b
}

// stop closes in order.
func (n *clusterNode) stop() {
	n.c.t.Helper()
	n.leave()
	n.c.must(n.set.Close())
	n.follow.Close()
	n.c.must(n.session.Close())
}

// leave has the others lose the broker; its session has ended.
func (n *clusterNode) leave() {
	n.c.mu.Lock()
	n.up = false
	n.c.mu.Unlock()
	n.session.Disconnect()
	n.c.tree.Expire(n.session)
}

// kill ends the process without warning. Of what it wrote and did not sync, the disk keeps that percentage: 100 if
// the machine lives on.
func (n *clusterNode) kill(percent int) {
	n.leave()
	mem := n.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 1))})
	n.fs.open()       // what is left of the process writes to a disk that nobody will see
	_ = n.set.Close() // says what nobody asks a dead process
	n.follow.Close()
	n.c.must(n.session.Close())
	n.mem = mem
}

var errCut = errors.New("connection refused")

// Fetch is what Peers has: it carries a request to another broker's Set, and the answer back, in bytes.
func (n *clusterNode) Fetch(ctx context.Context, broker int32, req *protocol.FetchRequest, resp *protocol.FetchResponse) (func(), error) {
	leader, err := n.reach(broker)
	if err != nil {
		return nil, err
	}
	answered := make(chan []byte, 1)
	leader.serve(req, testListener, func(body []byte) { answered <- body })
	var body []byte
	select {
	case body = <-answered:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if _, err := n.reach(broker); err != nil {
		return nil, err // meanwhile
	}
	if err := resp.Decode(req.Version, body); err != nil {
		return nil, err
	}
	n.c.mu.Lock()
	lost := n.losing
	n.losing = false
	n.c.fetches = append(n.c.fetches, fmt.Sprintf("%d from %d: %s", n.id, broker, told(req, resp, lost)))
	n.c.mu.Unlock()
	if lost {
		return nil, errCut
	}
	return func() {}, nil
}

// serve has a broker answer a fetch in bytes, without what comes before the body.
func (n *clusterNode) serve(req *protocol.FetchRequest, listener string, done func(body []byte)) {
	n.set.Fetch(Fetch{Req: req, Readable: func(string) bool { return true }, Listener: listener}, func(r *protocol.FetchResponse, release func()) {
		var parts protocol.Parts
		r.AppendTo(&parts, req.Version, 0)
		b, err := parts.AppendTo(nil)
		if err != nil {
			n.c.t.Error(err)
		}
		release()
		header := 4 + 4 // size, correlation id
		if req.Version >= 12 {
			header++ // no tags
		}
		done(b[header:])
	})
}

// consumed is a consumer's request, for partition 0 of a broker, and what it was answered.
type consumed struct {
	version   int16
	from      int64
	rack      string
	listener  string
	committed bool
	epoch     int32 // of the leader, as the consumer knows it; -1: it does not say
	wait      time.Duration

	at protocol.FetchedPartition
}

// consume asks a broker, and calls done when it has answered.
func (n *clusterNode) consume(q consumed, done func(consumed)) {
	req := &protocol.FetchRequest{Version: q.version, ReplicaID: -1, ReplicaEpoch: -1, MaxWaitMillis: int32(q.wait.Milliseconds()), MinBytes: 1, MaxBytes: 1 << 20,
		SessionEpoch: -1, Rack: q.rack, Topics: []protocol.FetchTopic{{Name: testTopic, Partitions: []protocol.FetchPartition{
			{CurrentLeaderEpoch: q.epoch, Offset: q.from, LastFetchedEpoch: -1, LogStartOffset: -1, MaxBytes: 1 << 20}}}}}
	if q.committed {
		req.Isolation = 1
	}
	n.serve(req, q.listener, func(body []byte) {
		var resp protocol.FetchResponse
		if err := resp.Decode(req.Version, body); err != nil {
			n.c.t.Error(err)
			return
		}
		q.at = resp.Topics[0].Partitions[0]
		done(q)
	})
}

// records are those that were answered, by offset, markers as "".
func (q *consumed) records() (map[int64]string, error) {
	all := map[int64]string{}
	for _, run := range q.at.Records {
		for batch, err := range record.All(run.Bytes) {
			if err != nil {
				return nil, err
			}
			for r, err := range batch.Records(nil) {
				if err != nil {
					return nil, err
				}
				all[r.Offset] = string(r.Value)
				if batch.IsControl() {
					all[r.Offset] = ""
				}
			}
		}
	}
	return all, nil
}

func (n *clusterNode) reach(broker int32) (*clusterNode, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	to := n.c.nodes[broker]
	if n.cut || to.cut || !to.up {
		return nil, errCut
	}
	return to, nil
}

// told describes a fetch: whether it began a session, how many partitions it named, and how many the answer did.
func told(req *protocol.FetchRequest, resp *protocol.FetchResponse, lost bool) string {
	kind, named, answered := "goes on", 0, 0
	if req.SessionEpoch == 0 {
		kind = "begins"
	}
	for i := range req.Topics {
		named += len(req.Topics[i].Partitions)
	}
	for i := range resp.Topics {
		answered += len(resp.Topics[i].Partitions)
	}
	switch {
	case lost:
		return fmt.Sprintf("%s, names %d, answer lost", kind, named)
	case resp.Code != 0:
		return fmt.Sprintf("%s, names %d, %v", kind, named, resp.Code)
	}
	return fmt.Sprintf("%s, names %d, told of %d", kind, named, answered)
}

// takeFetches returns what was asked since the last call, by follower, one line for several that are the same.
func (c *cluster) takeFetches() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.fetches
	c.fetches = nil
	slices.SortStableFunc(all, func(a, b string) int { return int(a[0]) - int(b[0]) })
	return slices.Compact(all)
}

// gateFS is a file system whose syncs wait while it is shut.
type gateFS struct {
	vfs.FS
	mu   sync.Mutex
	wait chan struct{} // not nil while it is shut
}

func (g *gateFS) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait = make(chan struct{})
}

func (g *gateFS) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait != nil {
		close(g.wait)
		g.wait = nil
	}
}

func (g *gateFS) pass() {
	g.mu.Lock()
	wait := g.wait
	g.mu.Unlock()
	if wait != nil {
		<-wait
	}
}

func (g *gateFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, category)
	return gateFile{f, g}, err
}

func (g *gateFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.OpenReadWrite(name, category, opts...)
	return gateFile{f, g}, err
}

type gateFile struct {
	vfs.File
	gate *gateFS
}

func (f gateFile) Sync() error     { f.gate.pass(); return f.File.Sync() }
func (f gateFile) SyncData() error { f.gate.pass(); return f.File.SyncData() }

// throttled goes by the topic's settings, of which each is one partition:broker or empty.
func (n *clusterNode) throttled(image *metadata.Image, topic string) (serving, copying func(int32) bool) {
	has := func(name string) func(int32) bool {
		value := image.Config(metadata.TopicEntity(topic))[name]
		return func(p int32) bool { return value == fmt.Sprintf("%d:%d", p, n.id) }
	}
	return has("leader.replication.throttled.replicas"), has("follower.replication.throttled.replicas")
}

func (n *clusterNode) throttleRates(image *metadata.Image) (serving, copying int64) {
	rate := func(name string) int64 {
		if r, err := strconv.ParseInt(image.Config(metadata.BrokerEntity(n.id))[name], 10, 64); err == nil {
			return r
		}
		return unthrottled
	}
	return rate("leader.replication.throttled.rate"), rate("follower.replication.throttled.rate")
}
