package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// member is a broker without partitions: registered, following, standing for election.
type member struct {
	id         int32
	session    *metadatatest.Session
	client     *metadata.Client
	follower   *metadata.Follower
	registrar  *metadata.Registrar
	controller *Controller
}

func startMember(t testing.TB, tree *metadatatest.Tree, id int32) *member {
	t.Helper()
	m := &member{id: id, session: tree.Open()}
	m.client = metadata.NewClient(m.session)
	if err := m.client.EnsurePaths(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.follower = metadata.NewFollower(metadata.FollowerConfig{Coordinator: m.session})
	if err := m.follower.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := zaptest.NewLogger(t).Named(fmt.Sprint(id))
	m.controller = New(Config{Client: m.client, Follower: m.follower, Broker: id, Logger: log, TickEvery: 50 * time.Millisecond})
	m.registrar = metadata.NewRegistrar(metadata.RegistrarConfig{
		Client: m.client, Logger: log, Expired: m.controller.Resign, Registered: func(_ metadata.SessionID, epoch int64) { m.controller.Registered(epoch) },
	}, metadata.Broker{ID: id, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Security: "PLAINTEXT", Host: "localhost", Port: 9092 + id}}})
	m.controller.Start()
	if err := m.registrar.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.stop)
	return m
}

// stop ends the session, with no farewell, as a crash does after its timeout, and then
// the member's goroutines.
func (m *member) stop() {
	m.session.Close()
	m.registrar.Close()
	m.controller.Close()
	m.follower.Close()
}

func startCluster(t testing.TB, size int) (*metadatatest.Tree, []*member) {
	t.Helper()
	tree := metadatatest.NewTree()
	members := make([]*member, size)
	for i := range members {
		members[i] = startMember(t, tree, int32(i+1))
	}
	return tree, members
}

func (m *member) wait(t testing.TB, what string, predicate func(*metadata.Image) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.follower.Wait(ctx, predicate); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// createTopic makes a topic with replicas placed in turn.
func (m *member) createTopic(t testing.TB, name string, partitions, replicas int) {
	t.Helper()
	m.wait(t, "brokers", func(i *metadata.Image) bool { return len(i.BrokerIDs()) >= replicas })
	assigned, err := Place(Placement{Brokers: m.follower.Image().Brokers(), Partitions: partitions, Replicas: replicas})
	if err != nil {
		t.Fatal(err)
	}
	err = m.client.CreateTopic(t.Context(), name, &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: assigned}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// led tells whether all partitions of a topic have a leader among brokers.
func led(i *metadata.Image, topic string, brokers ...int32) bool {
	tp := i.Topic(topic)
	if tp == nil {
		return false
	}
	return !slices.ContainsFunc(tp.Partitions, func(p *metadata.Partition) bool { return !slices.Contains(brokers, p.Leader) })
}

func active(members []*member) *member {
	for _, m := range members {
		if m.controller.Active() {
			return m
		}
	}
	return nil
}

func TestFailover(t *testing.T) {
	_, members := startCluster(t, 3)
	members[1].createTopic(t, "t", 30, 3)
	members[2].wait(t, "leaders", func(i *metadata.Image) bool { return led(i, "t", 1, 2, 3) })
	first := active(members)
	epoch := first.controller.Epoch()
	first.stop()
	left := slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return m == first })
	left[0].wait(t, "leaders after the controller's end", func(i *metadata.Image) bool {
		return led(i, "t", left[0].id, left[1].id) && i.Controller().Epoch == epoch+1
	})
	for _, p := range left[0].follower.Image().Topic("t").Partitions {
		if slices.Contains(p.ISR, first.id) {
			t.Errorf("ISR %v contains the dead broker %d", p.ISR, first.id)
		}
	}
}

func TestDeleteTopic(t *testing.T) {
	tree, members := startCluster(t, 2)
	m := members[0]
	m.createTopic(t, "t", 3, 2)
	m.wait(t, "leaders", func(i *metadata.Image) bool { return led(i, "t", 1, 2) })
	if err := m.client.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	m.wait(t, "deletion", func(i *metadata.Image) bool { return i.Topic("t") == nil && len(i.Admin().Deleting) == 0 })
	if got := tree.Dump("/brokers/topics") + tree.Dump("/config/topics"); got != "/brokers/topics v0\n/config/topics v0\n" {
		t.Errorf("left:\n%s", got)
	}
}

func TestRequests(t *testing.T) {
	_, members := startCluster(t, 3)
	m := members[0]
	m.createTopic(t, "t", 6, 2)
	m.wait(t, "leaders", func(i *metadata.Image) bool { return led(i, "t", 1, 2, 3) })
	c := active(members).controller
	b := m.follower.Image().Broker(2) // that m has it is what was waited for
	remaining, code, err := c.Shutdown(t.Context(), 2, b.Epoch)
	if err != nil || code != kerror.OK || len(remaining) != 0 {
		t.Fatalf("shutdown: %v %v %v", remaining, code, err)
	}
	m.wait(t, "leaders elsewhere", func(i *metadata.Image) bool { return led(i, "t", 1, 3) })
	if _, code, _ := c.Shutdown(t.Context(), 2, b.Epoch-1); code != kerror.StaleBrokerEpoch {
		t.Errorf("shutdown of a former life: %v", code)
	}
	outcomes, code, err := c.Elect(t.Context(), Preferred, []metadata.TopicPartition{{Topic: "t", Partition: 99}, {Topic: "t", Partition: 0}})
	if err != nil || code != kerror.OK || outcomes[0].Code != kerror.UnknownTopicOrPartition || outcomes[1].Code != kerror.ElectionNotNeeded {
		t.Fatalf("elect: %v %v %v", outcomes, code, err)
	}
	for _, other := range members {
		if other.controller != c {
			if _, code, _ := other.controller.Elect(t.Context(), Preferred, nil); code != kerror.NotController {
				t.Errorf("broker %d answers %v", other.id, code)
			}
		}
	}
}

// TestExpiredSession has the controller's session end while the process lives on.
func TestExpiredSession(t *testing.T) {
	tree, members := startCluster(t, 3)
	members[0].createTopic(t, "t", 5, 3)
	members[0].wait(t, "leaders", func(i *metadata.Image) bool { return led(i, "t", 1, 2, 3) })
	c := active(members)
	before, brokerEpoch := c.controller.Epoch(), c.registrar.Epoch()
	tree.Expire(c.session)
	for _, m := range members {
		m.wait(t, "another term and registration", func(i *metadata.Image) bool {
			b := i.Broker(c.id)
			return i.Controller().Epoch > before && i.Controller().ID > 0 && b != nil && b.Epoch > brokerEpoch
		})
	}
	members[0].wait(t, "restart noticed", func(i *metadata.Image) bool {
		for _, p := range i.Topic("t").Partitions {
			if i.Restarted(p, p.Leader) || slices.Contains(p.ISR, c.id) {
				return false
			}
		}
		return true
	})
}
