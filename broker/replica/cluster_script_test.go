package replica

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
	"holt/broker/record"
)

// clusterScript is a cluster driven by a file of testdata/cluster. Answers appear below the command after which they
// came. Unless it says otherwise a command is about partition 0.
//
//	start brokers=3 [partitions=2] [flush-on-ack] [fetch-bytes=200] [racks=a+b+b]   brokers 1 to 3, of which 1 leads
//	append 1 n=3 [acks=all] [p=1] [times=2] [producer=7 [txn]]   a batch to broker 1, or several
//	end 1 producer=7 [abort]          its transaction
//	read 2 from=3 [rack=b] [committed] [epoch=0] [version=10] [wait=5s] [listener=other]   a consumer's fetch
//	sent 1                            what it has counted of its consumers
//	throttle 1 leader=20              or follower: bytes a second that broker 1 replicates of partition 0; none: no bound
//	delete 1 before=4                 DeleteRecords, which may take 5 s
//	list 1 latest                     ListOffsets: latest, earliest
//	producers 1                       that its replica knows
//	lead 2 [isr=2,3]                  the controller elects
//	orphan                            the controller has nobody lead
//	wait 1.1s                         not a multiple of the 0.5 s that an idle fetch takes: which comes first is open then
//	stop 2, start 2                   in order
//	kill 2 [keeps=100]                without warning; of what was not synced the disk keeps a part, or nothing
//	cut 2, heal 2                     from the other brokers
//	lose 2                            the answer to its next fetch
//	evict 1                           all fetch sessions
//	hold 2, release 2                 syncs of its disk
//	fetches [skip]                    what followers asked since the last time; skip: before things settled
//	state                             what the brokers have, and the tree
type clusterScript struct {
	*cluster
	waiting int      // requests
	news    []string // answers; guarded by cluster.mu
}

// TestClusterScripts runs the files of testdata/cluster.
func TestClusterScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/cluster", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			s := &clusterScript{}
			defer func() { s.close() }()
			datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
				if d.HasArg("brokers") {
					s.cluster = newCluster(t, clusterConfig{brokers: int32(intArg(t, d, "brokers", 0)), partitions: int32(intArg(t, d, "partitions", 1)),
						flushOnAck: d.HasArg("flush-on-ack"), fetchBytes: int(intArg(t, d, "fetch-bytes", 0)), racks: wordsArg(d, "racks")})
				} else {
					s.run(d)
				}
				synctest.Wait()
				return s.report(d)
			})
		})
	})
}

func intArg(t *testing.T, d *datadriven.TestData, name string, otherwise int64) int64 {
	t.Helper()
	if d.HasArg(name) {
		d.ScanArgs(t, name, &otherwise)
	}
	return otherwise
}

func (s *clusterScript) run(d *datadriven.TestData) {
	s.t.Helper()
	var n *clusterNode
	if len(d.CmdArgs) > 0 {
		var id int32
		fmt.Sscan(d.CmdArgs[0].Key, &id)
		n = s.nodes[id]
	}
	switch d.Cmd {
	case "append":
		for range intArg(s.t, d, "times", 1) {
			s.append(n, d)
		}
	case "throttle":
		s.throttle(n, d)
	case "end":
		s.end(n, d)
	case "read":
		s.read(n, d)
	case "sent":
		m := n.set.Metrics()
		s.tell("sent near %d, bytes out %d, of them as a follower %d", m.SentNear.Load(), m.BytesOut.Load(), m.FollowedOut.Load())
	case "delete":
		s.delete(n, intArg(s.t, d, "before", 0))
	case "list":
		at := n.set.ListOffset(n.tp(0), -1, map[string]int64{"latest": Latest, "earliest": Earliest}[d.CmdArgs[1].Key], false)
		s.tell("offset %d, %v", at.Offset, at.Code)
	case "producers":
		s.producers(n)
	case "lead":
		s.lead(n.id, d)
	case "orphan":
		s.lead(metadata.NoLeader, d)
	case "wait":
		pause, err := time.ParseDuration(d.CmdArgs[0].Key)
		s.must(err)
		time.Sleep(pause)
	case "stop":
		n.stop()
	case "start":
		n.start()
	case "kill":
		n.kill(int(intArg(s.t, d, "keeps", 0)))
	case "cut", "heal", "lose":
		s.mu.Lock()
		n.cut, n.losing = d.Cmd == "cut", d.Cmd == "lose"
		s.mu.Unlock()
	case "evict":
		n.set.sessions.evictAll()
	case "hold":
		n.fs.shut()
	case "release":
		n.fs.open()
	case "fetches":
		for _, f := range s.takeFetches() {
			if d.HasArg("skip") {
				continue
			}
			s.tell("%s", f)
		}
	case "state":
	default:
		d.Fatalf(s.t, "no command %s", d.Cmd)
	}
}

// evictAll forgets all sessions that no request is under way in, as if others had taken their places.
func (s *sessions) evictAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.byID {
		s.removeLocked(x)
	}
}

func (s *clusterScript) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = append(s.news, fmt.Sprintf(format, args...))
}

func (s *clusterScript) append(n *clusterNode, d *datadriven.TestData) {
	var opts record.BuilderOptions
	if d.HasArg("producer") {
		opts.Producer, opts.Transactional = &record.Producer{ID: intArg(s.t, d, "producer", 0)}, d.HasArg("txn")
	}
	b := record.NewBuilder(opts)
	for range intArg(s.t, d, "n", 1) {
		b.Append(record.Record{Timestamp: 1, Value: make([]byte, 20)})
	}
	batch, err := b.Build()
	s.must(err)
	a := Append{TP: n.tp(int32(intArg(s.t, d, "p", 0))), Records: batch, Acks: 1, Timeout: time.Minute, LeaderEpoch: -1, Version: 9}
	if d.HasArg("acks") {
		a.Acks = -1
	}
	s.waiting++
	name := fmt.Sprint("append ", s.waiting)
	s.tell("%s", name)
	n.set.Append(a, func(p protocol.ProducedPartition) { s.tell("%s: offset %d, %v", name, p.BaseOffset, p.Code) })
}

// end writes the marker of a producer's transaction.
func (s *clusterScript) end(n *clusterNode, d *datadriven.TestData) {
	m := record.Marker{ProducerID: intArg(s.t, d, "producer", 0), Commit: !d.HasArg("abort"), Timestamp: 1}
	s.waiting++
	name := fmt.Sprint("marker ", s.waiting)
	s.tell("%s", name)
	n.set.Append(Append{TP: n.tp(0), Records: m.Batch(), Acks: -1, Timeout: time.Minute, LeaderEpoch: -1, Origin: record.Coordinator},
		func(p protocol.ProducedPartition) { s.tell("%s: offset %d, %v", name, p.BaseOffset, p.Code) })
}

func (s *clusterScript) read(n *clusterNode, d *datadriven.TestData) {
	q := consumed{version: int16(intArg(s.t, d, "version", 12)), from: intArg(s.t, d, "from", 0), epoch: int32(intArg(s.t, d, "epoch", -1)),
		listener: testListener, committed: d.HasArg("committed")}
	for name, to := range map[string]*string{"rack": &q.rack, "listener": &q.listener} {
		if d.HasArg(name) {
			d.ScanArgs(s.t, name, to)
		}
	}
	if d.HasArg("wait") {
		var wait string
		d.ScanArgs(s.t, "wait", &wait)
		var err error
		q.wait, err = time.ParseDuration(wait)
		s.must(err)
	}
	s.waiting++
	name := fmt.Sprint("read ", s.waiting)
	s.tell("%s", name)
	began := time.Now()
	n.consume(q, func(q consumed) {
		if took := time.Since(began); took > 0 {
			name += fmt.Sprint(" after ", took)
		}
		records, err := q.records()
		if err != nil {
			s.t.Error(err)
		}
		offsets := slices.Sorted(maps.Keys(records))
		text := "nothing"
		switch {
		case q.at.Code != kerror.OK:
			s.tell("%s: %v", name, q.at.Code)
			return
		case q.at.PreferredReadReplica >= 0:
			text = fmt.Sprintf("ask broker %d", q.at.PreferredReadReplica)
		case len(offsets) > 0:
			text = fmt.Sprintf("%d to %d", offsets[0], offsets[len(offsets)-1])
		}
		for _, a := range q.at.Aborted {
			text += fmt.Sprintf(", producer %d aborted from %d", a.ProducerID, a.FirstOffset)
		}
		s.tell("%s: %s; high watermark %d, stable %d", name, text, q.at.HighWatermark, q.at.LastStableOffset)
	})
}

// wordsArg is a list of words with plus signs between, nil if it is not there.
func wordsArg(d *datadriven.TestData, name string) []string {
	for _, a := range d.CmdArgs {
		if a.Key == name {
			return strings.Split(strings.Join(a.Vals, "+"), "+")
		}
	}
	return nil
}

func (s *clusterScript) producers(n *clusterNode) {
	known, code := n.set.Producers(n.tp(0))
	s.tell("%v", code)
	for _, p := range known {
		s.tell("producer %d, sequence %d", p.ID, p.LastSequence)
	}
}

// throttle has a broker replicate partition 0 slowly, or again as fast as it can.
func (s *clusterScript) throttle(n *clusterNode, d *datadriven.TestData) {
	side := d.CmdArgs[1].Key
	set := func(e metadata.Entity, name, value string) {
		s.must(s.control.AlterConfig(s.t.Context(), e, func(now map[string]string) (map[string]string, error) {
			next := map[string]string{}
			maps.Copy(next, now)
			next[name] = value
			return next, nil
		}))
	}
	set(metadata.TopicEntity(testTopic), side+".replication.throttled.replicas", fmt.Sprintf("0:%d", n.id))
	set(metadata.BrokerEntity(n.id), side+".replication.throttled.rate", strings.Join(d.CmdArgs[1].Vals, ""))
}

func (s *clusterScript) delete(n *clusterNode, before int64) {
	s.waiting++
	name := fmt.Sprint("delete ", s.waiting)
	s.tell("%s", name)
	n.set.DeleteRecords(n.tp(0), before, 5*time.Second, func(low int64, code kerror.Code) { s.tell("%s: low %d, %v", name, low, code) })
}

// lead writes a state for all partitions, as the controller does.
func (s *clusterScript) lead(id int32, d *datadriven.TestData) {
	s.t.Helper()
	for p := range s.partitions {
		now, version := s.tree0(p)
		next := metadata.PartitionState{Leader: id, LeaderEpoch: now.LeaderEpoch + 1, ISR: now.ISR, ControllerEpoch: 1}
		for _, a := range d.CmdArgs {
			if a.Key == "isr" {
				next.ISR = nil
				for _, v := range strings.Split(strings.Join(a.Vals, ","), ",") {
					var member int32
					fmt.Sscan(v, &member)
					next.ISR = append(next.ISR, member)
				}
			}
		}
		_, err := s.control.SetPartitionState(s.t.Context(), metadata.TopicPartition{Topic: testTopic, Partition: p}, next, version)
		s.must(err)
	}
}

// tree0 is a partition's state in the tree.
func (s *clusterScript) tree0(p int32) (metadata.PartitionState, int32) {
	s.t.Helper()
	data, stat, err := s.control.Get(s.t.Context(), metadata.StatePath(testTopic, p), false)
	s.must(err)
	state, err := metadata.DecodePartitionState(data)
	s.must(err)
	return state, stat.Version
}

func (s *clusterScript) report(d *datadriven.TestData) string {
	s.mu.Lock()
	lines := slices.Clone(s.news)
	s.news = nil
	s.mu.Unlock()
	if d.Cmd != "state" {
		return strings.Join(append(lines, ""), "\n")
	}
	for p := range s.partitions {
		state, _ := s.tree0(p)
		prefix := ""
		if s.partitions > 1 {
			prefix = fmt.Sprintf("partition %d, ", p)
		}
		lines = append(lines, fmt.Sprintf("%sepoch %d: %d leads %v", prefix, state.LeaderEpoch, state.Leader, state.ISR))
		for _, n := range s.running() {
			lines = append(lines, n.describe(p))
		}
	}
	return strings.Join(append(lines, ""), "\n")
}

// describe says what a broker has of a partition.
func (n *clusterNode) describe(p int32) string {
	r := n.set.lookup(testTopic, p)
	if r == nil {
		return fmt.Sprintf("  %d has nothing", n.id)
	}
	text := fmt.Sprintf("  %d has %d to %d, high watermark %d", n.id, r.log.StartOffset(), r.log.EndOffset(), r.log.HighWatermark())
	if n.c.flushOnAck {
		text += fmt.Sprintf(", durable %d", r.log.FlushedOffset())
	}
	return text
}
