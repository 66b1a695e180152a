package controller

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of TestRandom to repeat; 0: several")
	seeds = flag.Int("seeds", 60, "number of seeds of TestRandom")
)

// TestRandom lets brokers come, go and restart, leaders change ISRs, people ask for
// things, controllers be replaced, connections break, and outcomes be late. After each
// write that changes a state the rules are checked; in the end all must have leaders.
func TestRandom(t *testing.T) {
	if *seed != 0 {
		newChaos(t, *seed).run(400)
		return
	}
	for s := range uint64(*seeds) {
		if !t.Run(fmt.Sprint(s+1), func(t *testing.T) { newChaos(t, s+1).run(400) }) {
			t.Fatalf("repeat with -seed=%d", s+1)
		}
	}
}

type chaos struct {
	*env
	rand  *rand.Rand
	rules *rules
	held  []held // outcomes that the controller has not heard of
	log   []string
}

type held struct {
	t *term
	r report
}

const chaosBrokers = 4

func newChaos(t testing.TB, seed uint64) *chaos {
	c := &chaos{env: newEnv(t), rand: rand.New(rand.NewPCG(seed, 0))}
	c.rules = newRules(t)
	c.tree.Observe(c.rules.observe)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(c.log[max(0, len(c.log)-140):], "\n"))
		}
	})
	for id := range int32(chaosBrokers) {
		if id%2 == 0 {
			c.racks[id+1] = ""
		}
		c.start(id + 1)
	}
	c.newController()
	return c
}

func (c *chaos) note(format string, args ...any) { c.log = append(c.log, fmt.Sprintf(format, args...)) }

func (c *chaos) newController() {
	c.elect(1+c.rand.Int32N(chaosBrokers), CoreConfig{Rebalance: true, Unclean: false})
	c.rules.controller(c.session.Session(), c.term.epoch)
	c.session.BeforeWrites(func([]metadata.Op) metadatatest.Loss {
		switch c.rand.IntN(25) {
		case 0:
			return metadatatest.BeforeEffect
		case 1:
			return metadatatest.AfterEffect
		}
		return 0
	})
	c.note("controller epoch %d", c.term.epoch)
}

func (c *chaos) run(steps int) {
	for range steps {
		c.step()
		if c.t.Failed() {
			return
		}
	}
	c.heal()
}

func (c *chaos) step() {
	switch c.rand.IntN(16) {
	case 0:
		c.broker()
	case 1:
		c.ask()
	case 2:
		c.request()
	case 3:
		if c.rand.IntN(4) == 0 {
			c.newController()
		}
	case 4:
		c.now = c.now.Add(time.Duration(c.rand.IntN(100)) * time.Second)
		c.term.core.Tick(c.now)
	case 5, 6, 7:
		c.leader()
	case 8, 9, 10:
		c.term.update(c.env)
	case 11, 12, 13:
		c.send(c.term)
		if c.former != nil && c.rand.IntN(3) == 0 {
			c.send(c.former)
		}
	default:
		c.hear()
	}
}

// broker has one come, go, or restart.
func (c *chaos) broker() {
	id := 1 + c.rand.Int32N(chaosBrokers)
	switch {
	case c.brokers[id] == nil:
		c.start(id)
		c.note("start %d", id)
	case c.rand.IntN(2) == 0:
		c.kill(id)
		c.note("kill %d", id)
	default:
		c.kill(id)
		c.start(id)
		c.note("bounce %d", id)
	}
}

// ask leaves something in the tree.
func (c *chaos) ask() {
	name := fmt.Sprintf("t%d", c.rand.IntN(4))
	var err error
	switch c.rand.IntN(6) {
	case 0, 1:
		node := &metadata.TopicNode{ID: metadata.NewTopicID()}
		for range 1 + c.rand.IntN(3) {
			node.Partitions = append(node.Partitions, metadata.Assignment{Replicas: c.someBrokers()})
		}
		err = c.admin.CreateTopic(c.ctx(), name, node, nil)
		c.note("create %s%s: %v", name, describeAssignments(node.Partitions), err)
	case 2:
		err = c.admin.DeleteTopic(c.ctx(), name)
		c.note("delete %s: %v", name, err)
	case 3:
		err = c.admin.RequestReassignment(c.ctx(), []metadata.Reassignment{{Topic: name, Partition: 0, Replicas: c.someBrokers()}})
	case 4:
		err = c.admin.RequestPreferredElection(c.ctx(), []metadata.TopicPartition{{Topic: name, Partition: 0}})
	default:
		err = c.admin.NotifyLogDirFailure(c.ctx(), 1+c.rand.Int32N(chaosBrokers))
	}
	_ = err // somebody was first, or it is not there: part of the game
}

func (c *chaos) someBrokers() []int32 {
	all := []int32{1, 2, 3, 4}
	c.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+c.rand.IntN(3)]
}

func (c *chaos) request() {
	name := fmt.Sprintf("t%d", c.rand.IntN(4))
	core := c.term.core
	switch c.rand.IntN(4) {
	case 0:
		core.Elect(Preferred, nil)
	case 1:
		wish := metadata.Reassignment{Topic: name, Partition: c.rand.Int32N(2), Replicas: c.someBrokers()}
		if c.rand.IntN(3) == 0 {
			wish.Replicas = nil
		}
		core.Reassign([]metadata.Reassignment{wish})
		c.note("reassign %v", wish)
	case 2:
		core.Shutdown(1+c.rand.Int32N(chaosBrokers), -1)
	default:
		core.Elect(Unclean, []metadata.TopicPartition{{Topic: name, Partition: 0}})
	}
	core.Answers()
}

// leader has a leader change its ISR, as far as its own image is the tree's.
func (c *chaos) leader() {
	tp := metadata.TopicPartition{Topic: fmt.Sprintf("t%d", c.rand.IntN(4)), Partition: c.rand.Int32N(3)}
	data, _, err := c.admin.Get(c.ctx(), metadata.TopicPath(tp.Topic), false)
	if err != nil {
		return
	}
	node, err := metadata.DecodeTopic(data)
	c.must(err)
	s, version, ok := c.state(tp)
	if !ok || c.brokers[s.Leader] == nil || int(tp.Partition) >= len(node.Partitions) {
		return
	}
	isr := []int32{s.Leader}
	for _, r := range node.Partitions[tp.Partition].Replicas {
		if r != s.Leader && c.brokers[r] != nil && c.rand.IntN(4) > 0 {
			isr = append(isr, r)
		}
	}
	if slices.Equal(isr, s.ISR) {
		return
	}
	s.ISR, s.Recovering = isr, false
	_, err = c.admin.SetPartitionState(c.ctx(), tp, s, version)
	c.must(err)
	c.note("leader of %v: %s", tp, describeState(&s))
}

// send makes some of a controller's writes; it hears of them later.
func (c *chaos) send(t *term) {
	if t.over {
		return
	}
	t.queue(t.core.Take())
	t.cfg.BatchOps = 1 + c.rand.IntN(8)
	if len(t.batches) > 0 {
		batch := t.batches[0]
		t.batches = t.batches[1:]
		r := t.write(batch)
		for _, w := range batch {
			c.note("epoch %d: %s%s", t.epoch, describe(w), fate(w, r))
		}
		c.held = append(c.held, held{t, r})
	}
	if len(t.removals) > 0 && !t.removing {
		w := t.removals[0]
		t.removals, t.removing = t.removals[1:], true
		r := t.remove(w)
		c.note("epoch %d: %s%s", t.epoch, describe(w), fate(w, r))
		c.held = append(c.held, held{t, r})
	}
	if unread := t.core.UnreadLogDirEvents(); len(unread) > 0 {
		c.held = append(c.held, held{t, t.readLogDirs(unread)})
	}
}

// hear tells a controller one of the outcomes.
func (c *chaos) hear() {
	if len(c.held) == 0 {
		return
	}
	i := c.rand.IntN(len(c.held))
	h := c.held[i]
	c.held = slices.Delete(c.held, i, i+1)
	if h.t.over {
		return
	}
	if h.t == c.term && h.r.over != nil {
		c.t.Errorf("the controller of epoch %d is over: %v", h.t.epoch, h.r.over)
	}
	h.t.report(h.r)
}

// heal starts all brokers and lets the controller come to rest. Every partition must
// have a leader then, and nothing may be left to do.
func (c *chaos) heal() {
	for id := range int32(chaosBrokers) {
		if c.brokers[id+1] == nil {
			c.start(id + 1)
		}
	}
	c.session.BeforeWrites(nil)
	c.term.cfg.BatchOps = 400
	for len(c.held) > 0 {
		c.hear()
	}
	for range 5 {
		c.term.settle(c.env, func(line string) { c.note("healing: %s", line) })
		c.now = c.now.Add(20 * time.Second)
		c.term.core.Tick(c.now)
	}
	c.term.update(c.env)
	image := c.follower.Image()
	for t := range image.Topics() {
		for n, p := range t.Partitions {
			switch {
			case p.Leader == metadata.NoLeader || image.Broker(p.Leader) == nil:
				c.t.Errorf("%s-%d has leader %d: %+v", t.Name, n, p.Leader, p)
			case image.Restarted(p, p.Leader):
				c.t.Errorf("%s-%d is led by a broker that has restarted since: %+v", t.Name, n, p)
			}
			for _, r := range p.ISR {
				if !slices.Contains(p.Replicas, r) {
					c.t.Errorf("%s-%d: ISR %v, replicas %v", t.Name, n, p.ISR, p.Replicas)
				}
			}
		}
	}
	if a := image.Admin(); len(a.Deleting)+len(a.LogDirEvents)+len(a.ISRChanges) > 0 || a.ElectionNode.Exists {
		c.t.Errorf("left to do: %+v", a)
	}
	if n := c.term.core.Underway(); n > 0 {
		c.t.Errorf("%d writes under way", n)
	}
}

// rules check each write of a state against what was there before.
type rules struct {
	t           testing.TB
	states      map[string]ruled
	controllers map[metadata.SessionID]int32
	epoch       int32 // of controllers, the highest
	replicas    map[string][]metadata.Assignment
}

type ruled struct {
	state   metadata.PartitionState
	leaders map[int32]int32 // by epoch
}

func newRules(t testing.TB) *rules {
	return &rules{t: t, states: map[string]ruled{}, controllers: map[metadata.SessionID]int32{}, replicas: map[string][]metadata.Assignment{}}
}

// controller tells which session a controller has.
func (r *rules) controller(session metadata.SessionID, epoch int32) {
	r.controllers[session], r.epoch = epoch, epoch
}

func (r *rules) observe(w metadatatest.Write) {
	epoch, byController := r.controllers[w.Session]
	if byController && epoch < r.epoch && len(w.Ops) > 1 && w.Ops[0].Kind == metadata.OpCheck {
		r.t.Errorf("controller of epoch %d wrote in epoch %d", epoch, r.epoch)
	}
	for _, op := range w.Ops { // a multi is judged by its end
		topic, isTopic := strings.CutPrefix(op.Path, "/brokers/topics/")
		if !isTopic || strings.Contains(topic, "/") || op.Kind == metadata.OpCheck {
			continue
		}
		delete(r.replicas, topic)
		if op.Kind != metadata.OpDelete {
			node, err := metadata.DecodeTopic(op.Data)
			if err != nil {
				r.t.Error(err)
				continue
			}
			r.replicas[topic] = node.Partitions
		}
	}
	for _, op := range w.Ops {
		if strings.HasSuffix(op.Path, "/state") && op.Kind != metadata.OpCheck {
			r.judge(op, byController)
		}
	}
}

func (r *rules) judge(op metadata.Op, byController bool) {
	if op.Kind == metadata.OpDelete {
		delete(r.states, op.Path)
		return
	}
	if !json.Valid(op.Data) {
		r.t.Errorf("%s: %q", op.Path, op.Data)
	}
	s, err := metadata.DecodePartitionState(op.Data)
	if err != nil {
		r.t.Error(err)
		return
	}
	was, known := r.states[op.Path]
	if !known {
		was.leaders = map[int32]int32{}
	}
	wrong := func(format string, args ...any) {
		r.t.Errorf("%s: %s → %s: %s", op.Path, describeState(&was.state), describeState(&s), fmt.Sprintf(format, args...))
	}
	if len(s.ISR) == 0 {
		wrong("an empty ISR")
	}
	if s.Leader != metadata.NoLeader && !slices.Contains(s.ISR, s.Leader) {
		wrong("the leader is not in the ISR")
	}
	if leader, ok := was.leaders[s.LeaderEpoch]; ok && leader != s.Leader {
		wrong("two leaders in one epoch")
	}
	if known {
		r.judgeChange(was.state, s, byController, wrong)
	}
	if byController {
		r.judgeReplicas(op.Path, s, wrong)
	}
	was.state = s
	was.leaders[s.LeaderEpoch] = s.Leader
	r.states[op.Path] = was
}

func (r *rules) judgeChange(was, is metadata.PartitionState, byController bool, wrong func(string, ...any)) {
	if is.LeaderEpoch < was.LeaderEpoch || is.LeaderEpoch > was.LeaderEpoch+1 {
		wrong("the leader epoch goes from %d to %d", was.LeaderEpoch, is.LeaderEpoch)
	}
	if is.ControllerEpoch < was.ControllerEpoch {
		wrong("the controller epoch goes back")
	}
	if !byController || is.Recovering && !was.Recovering {
		return
	}
	for _, member := range is.ISR {
		if !slices.Contains(was.ISR, member) && !(is.Recovering && member == is.Leader) {
			wrong("broker %d got into the ISR by the controller", member)
		}
	}
}

func (r *rules) judgeReplicas(path string, s metadata.PartitionState, wrong func(string, ...any)) {
	var topic string
	var n int
	parts := strings.Split(path, "/")
	topic = parts[3]
	if _, err := fmt.Sscan(parts[5], &n); err != nil || n >= len(r.replicas[topic]) {
		return
	}
	if s.Leader != metadata.NoLeader && !slices.Contains(r.replicas[topic][n].Replicas, s.Leader) {
		wrong("the leader is no replica: %v", r.replicas[topic][n].Replicas)
	}
	if s.Leader == metadata.NoLeader {
		return // the ISR is left as it was
	}
	for _, member := range s.ISR {
		if !slices.Contains(r.replicas[topic][n].Replicas, member) {
			wrong("%d is no replica: %v", member, r.replicas[topic][n].Replicas)
		}
	}
}
