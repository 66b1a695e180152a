package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
)

// env is a cluster without brokers: a tree, sessions that stand for them, and
// controllers that are stepped.
type env struct {
	t        testing.TB
	tree     *metadatatest.Tree
	admin    *metadata.Client // whoever is not a broker
	follower *metadata.Follower
	brokers  map[int32]*metadatatest.Session
	racks    map[int32]string
	now      time.Time
	topicIDs int
	term     *term // of the last controller elected
	session  *metadatatest.Session
	former   *term // the one before, which has not noticed
}

func newEnv(t testing.TB) *env {
	e := &env{t: t, tree: metadatatest.NewTree(), brokers: map[int32]*metadatatest.Session{}, racks: map[int32]string{}, now: time.Unix(1000, 0)}
	e.admin = metadata.NewClient(e.tree.Open())
	e.must(e.admin.EnsurePaths(e.ctx()))
	e.follower = metadata.NewFollower(metadata.FollowerConfig{Coordinator: e.tree.Open()})
	e.must(e.follower.Start(e.ctx()))
	t.Cleanup(e.follower.Close)
	return e
}

func (e *env) ctx() context.Context { return context.Background() }

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) start(id int32) {
	e.brokers[id] = e.tree.Open()
	_, err := metadata.NewClient(e.brokers[id]).Register(e.ctx(), &metadata.Broker{ID: id, Rack: e.racks[id]}, 0)
	e.must(err)
}

func (e *env) kill(id int32) {
	e.must(e.brokers[id].Close())
	delete(e.brokers, id)
}

// newTopicID counts: scripts are to be read.
func (e *env) newTopicID() metadata.TopicID {
	e.topicIDs++
	return metadata.TopicID{14: byte(e.topicIDs >> 8), 15: byte(e.topicIDs)}
}

// elect has a broker's controller take the office from whoever has it.
func (e *env) elect(broker int32, cfg CoreConfig) {
	if e.session != nil {
		e.tree.Expire(e.session)
		e.former = e.term
	}
	e.session = e.tree.Open()
	client := metadata.NewClient(e.session)
	c := New(Config{Client: client, Follower: e.follower, Broker: broker, Logger: zap.NewNop()})
	e.sync()
	epoch, version, err := c.elect(e.ctx(), e.follower.Image().Controller(), e.session.Session())
	e.must(err)
	if epoch == 0 {
		e.t.Fatal("not elected")
	}
	e.sync()
	cfg.Epoch, cfg.NewTopicID = epoch, e.newTopicID
	e.term = &term{
		Controller: c, ctx: e.ctx(), end: func() {}, epoch: epoch, version: version, session: e.session.Session(),
		core: NewCore(cfg, e.follower.Image(), e.now), askers: map[Ticket]chan<- Answer{}, image: e.follower.Image(),
	}
}

func (e *env) sync() {
	ctx, cancel := context.WithTimeout(e.ctx(), patience)
	defer cancel()
	e.must(e.follower.Sync(ctx))
}

// update shows the newest image to the core.
func (t *term) update(e *env) {
	e.sync()
	t.image = e.follower.Image()
	t.core.Update(t.image, e.now)
}

// flush makes the core's writes, and tells it what they came to. It returns what was
// tried, and whether there was anything.
func (t *term) flush(show func(string)) bool {
	for _, name := range t.core.UnreadLogDirEvents() {
		t.reading = true
		t.report(t.readLogDirs([]string{name}))
	}
	t.queue(t.core.Take())
	if len(t.batches) == 0 && len(t.removals) == 0 {
		return false
	}
	batches, removals := t.batches, t.removals
	t.batches, t.removals = nil, nil
	for _, batch := range batches {
		r := t.write(batch)
		for _, w := range batch {
			show(describe(w) + fate(w, r))
		}
		t.inFlight++
		t.report(r)
	}
	for _, w := range removals {
		r := t.remove(w)
		show(describe(w) + fate(w, r))
		t.removing = true
		t.report(r)
	}
	return true
}

// settle runs until there is nothing to do.
func (t *term) settle(e *env, show func(string)) {
	for range 100 {
		t.update(e)
		if !t.flush(show) || t.over {
			return
		}
	}
	e.t.Fatal("the controller does not come to rest")
}

func fate(w *Write, r report) string {
	switch {
	case errors.Is(r.over, errFenced):
		return " — fenced"
	case r.over != nil:
		return " — " + r.over.Error()
	case slices.Contains(r.failed, w):
		return " — refused"
	case !slices.Contains(r.done, w):
		return " — again"
	}
	return ""
}

// describe is a write in one line.
func describe(w *Write) string {
	if w.Remove != "" {
		return "remove " + w.Remove
	}
	parts := make([]string, len(w.Ops))
	for i, op := range w.Ops {
		parts[i] = describeOp(op)
	}
	return strings.Join(parts, "; ")
}

func describeOp(op metadata.Op) string {
	name := strings.TrimPrefix(op.Path, "/brokers/topics/")
	s := fmt.Sprintf("%v %s", op.Kind, name)
	if op.Kind == metadata.OpSet {
		s += fmt.Sprintf(" v%d", op.Version)
	}
	switch {
	case op.Data == nil:
	case strings.HasSuffix(op.Path, "/state"):
		state, err := metadata.DecodePartitionState(op.Data)
		if err != nil {
			return err.Error()
		}
		s += ": " + describeState(&state)
	case !strings.Contains(name, "/"):
		node, err := metadata.DecodeTopic(op.Data)
		if err != nil {
			return err.Error()
		}
		s += ":" + describeAssignments(node.Partitions)
	default:
		s += ": " + string(op.Data)
	}
	return s
}

func describeState(s *metadata.PartitionState) string {
	text := fmt.Sprintf("leader %d epoch %d isr %v", s.Leader, s.LeaderEpoch, s.ISR)
	if s.Recovering {
		text += " recovering"
	}
	return text
}

func describeAssignments(all []metadata.Assignment) string {
	var b strings.Builder
	for i, a := range all {
		fmt.Fprintf(&b, " %d%v", i, a.Replicas)
		if len(a.Adding) > 0 {
			fmt.Fprintf(&b, "+%v", a.Adding)
		}
		if len(a.Removing) > 0 {
			fmt.Fprintf(&b, "-%v", a.Removing)
		}
	}
	return b.String()
}

// state reads a partition's state from the tree.
func (e *env) state(tp metadata.TopicPartition) (metadata.PartitionState, int32, bool) {
	data, stat, err := e.admin.Get(e.ctx(), metadata.StatePath(tp.Topic, tp.Partition), false)
	if errors.Is(err, metadata.ErrNoNode) {
		return noState, -1, false
	}
	e.must(err)
	s, err := metadata.DecodePartitionState(data)
	e.must(err)
	return s, stat.Version, true
}
