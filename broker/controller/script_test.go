package controller

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
)

// TestScripts runs testdata/*.txt. What a line may say is in the switch of script.run;
// partitions are written t-0, replicas 1,2,3.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{env: newEnv(t)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			for line := range strings.Lines(d.Input) {
				if line = strings.TrimSpace(line); line != "" {
					s.run(strings.Fields(line))
				}
			}
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

type script struct {
	*env
	out strings.Builder
	cfg CoreConfig
}

func (s *script) show(line string) { s.out.WriteString(line + "\n") }

func (s *script) run(words []string) {
	args := words[1:]
	switch words[0] {
	case "unclean": // as the cluster's default, of controllers elected from now on
		s.cfg.Unclean = true
	case "rebalance": // leaderships return by themselves
		s.cfg.Rebalance = true
	case "rack-aware": // consumers may read from followers
		s.cfg.RackAware = true
	case "no-delete": // delete.topic.enable=false
		s.cfg.NoDelete = true
	case "start": // brokers
		for _, id := range idsOf(args) {
			s.start(id)
		}
	case "kill": // brokers, whose sessions end
		for _, id := range idsOf(args) {
			s.kill(id)
		}
	case "bounce": // brokers, faster than anybody can see
		for _, id := range idsOf(args) {
			s.kill(id)
			s.start(id)
		}
	case "offline": // broker, topic, partitions whose log directory has failed there
		s.offline(idsOf(args[:1])[0], args[1], idsOf(args[2:]))
	case "elect": // a broker's controller; the one before, if any, notices nothing
		s.elect(idsOf(args)[0], s.cfg)
	case "topic": // name, replicas of each partition
		s.must(s.admin.CreateTopic(s.ctx(), args[0], &metadata.TopicNode{ID: s.newTopicID(), Partitions: assignmentsOf(args[1:])}, nil))
	case "kafka-topic": // the same as old tools make it: no id, no parent of partitions
		node := metadata.TopicNode{Partitions: assignmentsOf(args[1:])}
		_, err := s.admin.Multi(s.ctx(), metadata.Create(metadata.TopicPath(args[0]), node.Encode()))
		s.must(err)
	case "partitions": // name, replicas of each new one
		t := s.topic(args[0])
		s.must(s.admin.AddPartitions(s.ctx(), args[0], t.ID, len(t.Partitions), assignmentsOf(args[1:])))
	case "config": // of a topic, or of all brokers (-): key value
		e := metadata.DefaultBrokerEntity()
		if args[0] != "-" {
			e = metadata.TopicEntity(args[0])
		}
		s.must(s.admin.SetConfig(s.ctx(), e, map[string]string{args[1]: args[2]}))
	case "isr": // what a leader writes: partition, ISR
		s.leaderWrites(partitionOf(args[0]), idsOf(args[1:]))
	case "delete": // a request to delete a topic
		s.must(s.admin.DeleteTopic(s.ctx(), args[0]))
	case "raw": // create, set or delete a node: path [data]
		s.raw(args)
	case "reassign-node": // partition=replicas each
		s.must(s.admin.RequestReassignment(s.ctx(), wishesOf(args)))
	case "election-node": // partitions
		s.must(s.admin.RequestPreferredElection(s.ctx(), partitionsOf(args)))
	case "isr-note":
		s.must(s.admin.NotifyISR(s.ctx(), partitionsOf(args)))
	case "logdir": // a broker's directory has failed
		s.must(s.admin.NotifyLogDirFailure(s.ctx(), idsOf(args)[0]))
	case "lose": // the controller's next write: before or after its effect
		s.session.LoseNext(map[string]metadatatest.Loss{"before": metadatatest.BeforeEffect, "after": metadatatest.AfterEffect}[args[0]])
	case "update": // show the newest image, write nothing yet
		s.term.update(s.env)
	case "settle": // until nothing is left to do
		s.term.settle(s.env, s.show)
		s.answers()
	case "former": // the controller before writes what it had decided
		for s.former.flush(s.show) && !s.former.over {
			continue
		}
	case "former-update":
		s.former.update(s.env)
	case "tick": // time passes: duration
		d, err := time.ParseDuration(args[0])
		s.must(err)
		s.now = s.now.Add(d)
		s.term.core.Tick(s.now)
	case "shutdown": // a broker wants to stop; [epoch]
		s.shutdown(args)
	case "prefer", "unclean-elect": // partitions; none: all
		s.term.update(s.env)
		kind := map[string]ElectionType{"prefer": Preferred, "unclean-elect": Unclean}[words[0]]
		s.show(fmt.Sprintf("request %d", s.term.core.Elect(kind, partitionsOf(args))))
		s.answers()
	case "reassign": // partition=replicas each; partition= cancels
		s.show(fmt.Sprintf("request %d", s.term.core.Reassign(wishesOf(args))))
		s.answers()
	case "show": // topics: states
		for _, name := range args {
			s.showTopic(name)
		}
	case "dump": // the tree below a path
		s.out.WriteString(s.tree.Dump(args[0]))
	default:
		s.t.Fatalf("no such command: %q", words)
	}
}

func (s *script) answers() {
	for _, a := range s.term.core.Answers() {
		line := fmt.Sprintf("answer %d %v", a.Ticket, a.Code)
		for _, o := range a.Outcomes {
			line += fmt.Sprintf(" %v:%v", o.TopicPartition, o.Code)
		}
		if a.Remaining != nil {
			line += fmt.Sprintf(" remaining %v", a.Remaining)
		}
		s.show(line)
	}
}

func (s *script) shutdown(args []string) {
	s.term.update(s.env)
	id := idsOf(args[:1])[0]
	epoch := int64(-1)
	if b := s.follower.Image().Broker(id); b != nil {
		epoch = b.Epoch
	}
	if len(args) > 1 {
		epoch--
	}
	s.show(fmt.Sprintf("request %d", s.term.core.Shutdown(id, epoch)))
	s.answers()
}

func (s *script) topic(name string) *metadata.Topic {
	s.sync()
	t := s.follower.Image().Topic(name)
	if t == nil {
		s.t.Fatalf("no topic %s", name)
	}
	return t
}

func (s *script) leaderWrites(tp metadata.TopicPartition, isr []int32) {
	state, version, _ := s.state(tp)
	state.ISR = isr
	_, err := s.admin.SetPartitionState(s.ctx(), tp, state, version)
	s.must(err)
}

func (s *script) raw(args []string) {
	var op metadata.Op
	switch data := []byte(strings.Join(args[2:], " ")); args[0] {
	case "create":
		if len(data) == 0 {
			data = nil
		}
		op = metadata.Create(args[1], data)
	case "set":
		op = metadata.Set(args[1], data, metadata.AnyVersion)
	case "delete":
		op = metadata.Delete(args[1], metadata.AnyVersion)
	}
	_, err := s.admin.Multi(s.ctx(), op)
	s.must(err)
}

func (s *script) showTopic(name string) {
	t := s.topic(name)
	s.show(fmt.Sprintf("%s v%d:%s", name, t.Version, describeAssignments(t.Node().Partitions)))
	for n := range t.Partitions {
		state, version, ok := s.state(metadata.TopicPartition{Topic: name, Partition: int32(n)})
		if !ok {
			s.show(fmt.Sprintf("  %d no state", n))
			continue
		}
		s.show(fmt.Sprintf("  %d v%d: %s", n, version, describeState(&state)))
	}
}

func idsOf(words []string) []int32 {
	var all []int32
	for _, w := range words {
		for _, digits := range strings.Split(w, ",") {
			n, err := strconv.Atoi(digits)
			if err != nil {
				panic(err)
			}
			all = append(all, int32(n))
		}
	}
	return all
}

func assignmentsOf(words []string) []metadata.Assignment {
	all := make([]metadata.Assignment, len(words))
	for i, w := range words {
		all[i].Replicas = idsOf([]string{w})
	}
	return all
}

func partitionOf(word string) metadata.TopicPartition {
	i := strings.LastIndexByte(word, '-')
	n, err := strconv.Atoi(word[i+1:])
	if err != nil {
		panic(err)
	}
	return metadata.TopicPartition{Topic: word[:i], Partition: int32(n)}
}

func partitionsOf(words []string) []metadata.TopicPartition {
	var all []metadata.TopicPartition
	for _, w := range words {
		all = append(all, partitionOf(w))
	}
	return all
}

func wishesOf(words []string) []metadata.Reassignment {
	var all []metadata.Reassignment
	for _, w := range words {
		name, replicas, _ := strings.Cut(w, "=")
		tp := partitionOf(name)
		r := metadata.Reassignment{Topic: tp.Topic, Partition: tp.Partition}
		if replicas != "" {
			r.Replicas = idsOf([]string{replicas})
		}
		all = append(all, r)
	}
	return slices.Clip(all)
}

// offline has a broker's registration say that replicas are offline.
func (e *env) offline(broker int32, topic string, partitions []int32) {
	b := metadata.Broker{ID: broker, Offline: map[string][]int32{topic: partitions}}
	e.must(metadata.NewClient(e.brokers[broker]).UpdateRegistration(e.ctx(), &b))
}
