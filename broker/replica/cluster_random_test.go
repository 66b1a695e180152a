package replica

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
	"holt/broker/record"
)

var clusterSeeds = flag.Int("clusters", 20, "number of random clusters")

// TestClusterRandom has three whole Sets, with log.flush.on.ack, replicate a partition while brokers are killed, with
// and without their machines, cut off from each other and from the tree, and come back; records are appended and
// deleted all the time. The controller elects members of the ISR only. Who leads must have each acknowledged record
// that was not deleted; in the end all have the same. What TestSimulation says of the cores this says of what is
// around them; a seed does not repeat a run exactly, for goroutines run as they like.
func TestClusterRandom(t *testing.T) {
	for i := range *clusterSeeds {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		if *simSeed != 0 {
			seed = *simSeed
		}
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := &clusterRun{cluster: newCluster(t, clusterConfig{brokers: 3, partitions: 1, flushOnAck: true, racks: []string{"a", "b", "b"}}),
					r: rand.New(rand.NewPCG(seed, 11)), acked: map[int64]string{}, seen: map[int64]string{}}
				defer x.close()
				for range 150 {
					x.step()
				}
				x.heal()
			})
		})
		if !ok {
			return
		}
	}
}

// clusterRun is one such run.
type clusterRun struct {
	*cluster
	r        *rand.Rand
	appended int

	ackedMu sync.Mutex
	acked   map[int64]string
	aims    int64            // before it all may be gone
	seen    map[int64]string // what consumers were given, by leaders and followers
}

func (x *clusterRun) step() {
	x.t.Helper()
	n := x.nodes[x.r.Int32N(3)+1]
	switch k := x.r.IntN(100); {
	case k < 40:
		x.append()
	case k < 50:
		x.consume(n)
	case k < 55:
		x.delete()
	case k < 70:
		x.elect()
	case k < 80:
		x.fault(n)
	case k < 90:
		x.mend(n)
	default:
		time.Sleep(time.Duration(x.r.IntN(3000)) * time.Millisecond)
	}
	time.Sleep(time.Duration(x.r.IntN(200)) * time.Millisecond)
	synctest.Wait()
	x.check()
}

// leader is who leads by the tree, and runs.
func (x *clusterRun) leader() *clusterNode {
	n := x.nodes[x.state().Leader]
	if n == nil || !n.up {
		return nil
	}
	return n
}

func (x *clusterRun) append() {
	n := x.leader()
	if n == nil {
		return
	}
	b := record.NewBuilder(record.BuilderOptions{})
	var values []string
	for range 1 + x.r.IntN(4) {
		x.appended++
		values = append(values, fmt.Sprint("value ", x.appended))
		b.Append(record.Record{Timestamp: 1, Value: []byte(values[len(values)-1])})
	}
	batch, err := b.Build()
	x.must(err)
	a := Append{TP: n.tp(0), Records: batch, Acks: -1, Timeout: 5 * time.Second, LeaderEpoch: -1, Version: 9}
	n.set.Append(a, func(p protocol.ProducedPartition) {
		x.ackedMu.Lock()
		defer x.ackedMu.Unlock()
		for i, v := range values {
			if p.Code == kerror.OK {
				x.acked[p.BaseOffset+int64(i)] = v
			}
		}
	})
}

// consume has a consumer in rack b ask a broker, which leads or follows or neither, for some offset, and take what
// comes now or later. At no offset are there ever two values.
func (x *clusterRun) consume(n *clusterNode) {
	if !n.up {
		return
	}
	q := consumed{version: 12, rack: "b", listener: testListener, epoch: -1, wait: time.Duration(x.r.IntN(1500)) * time.Millisecond}
	if r := n.set.lookup(testTopic, 0); r != nil {
		q.from = r.log.StartOffset() + x.r.Int64N(r.log.EndOffset()-r.log.StartOffset()+2)
	}
	if x.r.IntN(2) == 0 {
		q.epoch = x.state().LeaderEpoch
	}
	n.consume(q, func(q consumed) {
		records, err := q.records()
		if err != nil {
			x.t.Error(err)
		}
		x.ackedMu.Lock()
		defer x.ackedMu.Unlock()
		for offset, value := range records {
			if was, ok := x.seen[offset]; ok && was != value {
				x.t.Errorf("broker %d gives %q at offset %d, where somebody gave %q", n.id, value, offset, was)
			}
			x.seen[offset] = value
		}
	})
}

func (x *clusterRun) delete() {
	n := x.leader()
	if n == nil {
		return
	}
	r := n.set.lookup(testTopic, 0)
	if r == nil {
		return
	}
	start, hw := r.log.StartOffset(), r.log.HighWatermark()
	if hw <= start {
		return
	}
	before := start + x.r.Int64N(hw-start+1)
	x.ackedMu.Lock()
	x.aims = max(x.aims, before)
	x.ackedMu.Unlock()
	n.set.DeleteRecords(n.tp(0), before, 5*time.Second, func(int64, kerror.Code) {})
}

// fault kills a broker, or cuts it off.
func (x *clusterRun) fault(n *clusterNode) {
	if !n.up {
		return
	}
	switch x.r.IntN(6) {
	case 0:
		n.stop()
	case 1:
		n.kill(100)
	case 2:
		n.kill(x.r.IntN(2) * 50)
	case 3:
		x.mu.Lock()
		n.cut = true
		x.mu.Unlock()
	case 4:
		x.mu.Lock()
		n.losing = true
		x.mu.Unlock()
	case 5:
		n.session.Disconnect()
		if x.r.IntN(2) == 0 {
			x.tree.Expire(n.session)
		}
	}
}

// mend has a broker be there, and see all.
func (x *clusterRun) mend(n *clusterNode) {
	x.mu.Lock()
	n.cut = false
	x.mu.Unlock()
	if !n.up {
		n.start()
		return
	}
	n.session.Reconnect()
	synctest.Wait()
	if _, life := x.life(n.id); life {
		return
	}
	epoch, err := metadata.NewClient(n.session).Register(x.t.Context(), n.registration(), 0)
	x.must(err)
	n.set.Registered(epoch)
}

// life is when a broker registered, if it lives.
func (x *clusterRun) life(id int32) (metadata.Zxid, bool) {
	x.t.Helper()
	stat, err := x.control.Exists(x.t.Context(), metadata.BrokerPath(id), false)
	if errors.Is(err, metadata.ErrNoNode) {
		return 0, false
	}
	x.must(err)
	return stat.Created, true
}

func (x *clusterRun) state() metadata.PartitionState {
	s, _ := x.stateOf()
	return s
}

func (x *clusterRun) stateOf() (metadata.PartitionState, metadata.Stat) {
	x.t.Helper()
	data, stat, err := x.control.Get(x.t.Context(), metadata.StatePath(testTopic, 0), false)
	x.must(err)
	s, err := metadata.DecodePartitionState(data)
	x.must(err)
	return s, stat
}

// elect is the controller's decision: who lives and has not restarted since the state was written stays; if none has,
// one that lives leads, alone.
func (x *clusterRun) elect() {
	x.t.Helper()
	s, stat := x.stateOf()
	var fit, alive []int32
	for _, id := range s.ISR {
		if life, ok := x.life(id); ok {
			alive = append(alive, id)
			if life < stat.Modified {
				fit = append(fit, id)
			}
		}
	}
	next := metadata.PartitionState{Leader: s.Leader, LeaderEpoch: s.LeaderEpoch, ISR: fit, ControllerEpoch: 1}
	switch {
	case slices.Contains(fit, s.Leader):
		if len(fit) == len(s.ISR) {
			return
		}
		next.LeaderEpoch += x.r.Int32N(2) // as where consumers read from followers
	case len(fit) > 0:
		next.Leader, next.LeaderEpoch = fit[0], s.LeaderEpoch+1
	case len(alive) > 0:
		next.Leader, next.LeaderEpoch, next.ISR = alive[0], s.LeaderEpoch+1, alive[:1]
	default:
		if s.Leader == metadata.NoLeader {
			return
		}
		next.Leader, next.LeaderEpoch, next.ISR = metadata.NoLeader, s.LeaderEpoch+1, s.ISR
	}
	_, err := x.control.SetPartitionState(x.t.Context(), metadata.TopicPartition{Topic: testTopic}, next, stat.Version)
	if err != nil && !errors.Is(err, metadata.ErrBadVersion) {
		x.t.Fatal(err)
	}
}

// check looks whether who leads has what was acknowledged.
func (x *clusterRun) check() {
	x.t.Helper()
	s := x.state()
	n := x.leader()
	if n == nil {
		return
	}
	r := n.set.lookup(testTopic, 0)
	if r == nil || r.role != leading || r.epoch != s.LeaderEpoch {
		return // it has not heard of it yet, or will not
	}
	have := n.records(0)
	x.ackedMu.Lock()
	defer x.ackedMu.Unlock()
	if start := r.log.StartOffset(); start > x.aims {
		x.t.Errorf("broker %d begins at %d, nothing was deleted behind %d", n.id, start, x.aims)
	}
	for _, offset := range slices.Sorted(maps.Keys(x.acked)) {
		if offset >= r.log.StartOffset() && have[offset] != x.acked[offset] {
			x.t.Fatalf("broker %d leads in epoch %d and has %q at offset %d, acknowledged was %q", n.id, s.LeaderEpoch, have[offset], offset, x.acked[offset])
		}
	}
	for _, offset := range slices.Sorted(maps.Keys(x.seen)) {
		if offset >= r.log.StartOffset() && have[offset] != x.seen[offset] {
			x.t.Fatalf("broker %d leads in epoch %d and has %q at offset %d, where a consumer was given %q", n.id, s.LeaderEpoch, have[offset], offset, x.seen[offset])
		}
	}
}

// records are what a broker has, by offset.
func (n *clusterNode) records(p int32) map[int64]string {
	n.c.t.Helper()
	all := map[int64]string{}
	l := n.set.lookup(testTopic, p).log
	end := l.EndOffset()
	for from := l.StartOffset(); from < end; {
		slice, err := l.Read(from, 1<<20, end, true)
		n.c.must(err)
		b, err := slice.AppendTo(nil)
		n.c.must(errors.Join(err, slice.Release()))
		for batch, err := range record.All(b) {
			n.c.must(err)
			for r, err := range batch.Records(nil) {
				n.c.must(err)
				if r.Offset >= from {
					all[r.Offset] = string(r.Value)
				}
			}
		}
		from = slice.Upper()
	}
	return all
}

// heal ends all faults; then all brokers are in sync and have the same.
func (x *clusterRun) heal() {
	x.t.Helper()
	before := len(x.acked)
	for range 40 {
		for _, n := range x.nodes {
			x.mend(n)
			x.consume(n)
		}
		x.elect()
		x.append()
		time.Sleep(1700 * time.Millisecond)
		synctest.Wait()
		x.check()
	}
	if s := x.state(); len(s.ISR) != 3 || len(x.acked) == before {
		for _, n := range x.running() {
			x.t.Log(n.trouble())
		}
		x.t.Fatalf("with all faults over: %+v, %d records acknowledged", s, len(x.acked)-before)
	}
	var followed int64
	for _, n := range x.running() {
		followed += n.set.Metrics().FollowedOut.Load()
	}
	if followed == 0 {
		x.t.Error("no consumer read from a follower")
	}
	x.t.Logf("%d epochs, %d of %d records acknowledged, the log begins at %d; consumers saw %d, lately %d bytes from followers",
		x.state().LeaderEpoch, len(x.acked), x.appended, x.aims, len(x.seen), followed)
	one := x.leader().records(0)
	for _, n := range x.running() {
		have := n.records(0)
		start := max(n.set.lookup(testTopic, 0).log.StartOffset(), x.leader().set.lookup(testTopic, 0).log.StartOffset())
		for offset, value := range one {
			if offset >= start && have[offset] != value {
				x.t.Errorf("broker %d has %q at offset %d, the leader %q", n.id, have[offset], offset, value)
			}
		}
	}
}

// trouble says why a broker may be out of the ISR.
func (n *clusterNode) trouble() string {
	r := n.set.lookup(testTopic, 0)
	if r == nil {
		return n.describe(0)
	}
	return fmt.Sprintf("%s, role %d in epoch %d of leader %d, registered %d, %v", n.describe(0), r.role, r.epoch, r.leader, n.set.epoch.Load(), n.set.Err())
}
