package brokersuite

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"holt/broker/controller"
	"holt/broker/metadata"
)

// member is a broker without partitions: registered, following, standing for election.
type member struct {
	t          *testing.T
	id         int32
	session    metadata.Coordinator
	client     *metadata.Client
	follower   *metadata.Follower
	registrar  *metadata.Registrar
	controller *controller.Controller
}

func (s *space) member(t *testing.T, id int32) *member {
	t.Helper()
	m := &member{t: t, id: id, session: s.connect(20 * time.Second)}
	m.client = metadata.NewClient(m.session)
	must(t, m.client.EnsurePaths(t.Context()))
	m.follower = metadata.NewFollower(metadata.FollowerConfig{Coordinator: m.session})
	must(t, m.follower.Start(t.Context()))
	m.controller = controller.New(controller.Config{Client: m.client, Follower: m.follower, Broker: id})
	m.registrar = metadata.NewRegistrar(metadata.RegistrarConfig{
		Client: m.client, Expired: m.controller.Resign, Registered: func(_ metadata.SessionID, epoch int64) { m.controller.Registered(epoch) },
	}, metadata.Broker{ID: id, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Security: "PLAINTEXT", Host: "localhost", Port: 9092 + id}}})
	m.controller.Start()
	must(t, m.registrar.Start(t.Context()))
	t.Cleanup(m.stop)
	return m
}

// stop ends the session first: a crash whose session timeout has passed.
func (m *member) stop() {
	must(m.t, m.session.Close())
	m.registrar.Close()
	m.controller.Close()
	m.follower.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *member) wait(what string, predicate func(*metadata.Image) bool) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if err := m.follower.Wait(ctx, predicate); err != nil {
		m.t.Fatalf("%s: %v", what, err)
	}
}

const (
	scaleTopics     = 100
	scalePartitions = 100 // of each topic
)

// allLed tells whether all partitions of all topics have a leader among brokers.
func allLed(i *metadata.Image, brokers ...int32) bool {
	if i.PartitionCount() != scaleTopics*scalePartitions {
		return false
	}
	for t := range i.Topics() {
		if slices.ContainsFunc(t.Partitions, func(p *metadata.Partition) bool { return !slices.Contains(brokers, p.Leader) }) {
			return false
		}
	}
	return true
}

// failover has the controller's session end, which led a third of 10,000 partitions, and
// measures until the other brokers see a leader for each.
func failover(t *testing.T, s *service) {
	sp := s.space(t)
	members := []*member{sp.member(t, 1), sp.member(t, 2), sp.member(t, 3)}
	members[0].wait("brokers", func(i *metadata.Image) bool { return len(i.BrokerIDs()) == 3 })
	began := time.Now()
	for n := range scaleTopics {
		m := members[n%3]
		assigned, err := controller.Place(controller.Placement{Brokers: members[0].follower.Image().Brokers(), Partitions: scalePartitions, Replicas: 3, Start: n})
		must(t, err)
		must(t, m.client.CreateTopic(t.Context(), fmt.Sprintf("t%d", n), &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: assigned}, nil))
	}
	for _, m := range members {
		m.wait("leaders", func(i *metadata.Image) bool { return allLed(i, 1, 2, 3) })
	}
	figure(t, fmt.Sprintf("%d partitions created, seen by three brokers", scaleTopics*scalePartitions), began)

	i := slices.IndexFunc(members, func(m *member) bool { return m.controller.Active() })
	first := members[i]
	members = slices.Delete(members, i, i+1)
	must(t, first.session.Close())
	began = time.Now()
	for _, m := range members {
		m.wait("leaders after the failover", func(i *metadata.Image) bool { return allLed(i, members[0].id, members[1].id) })
	}
	figure(t, "failover, from the end of the controller's session until the others see all leaders", began)

	began = time.Now()
	f := metadata.NewFollower(metadata.FollowerConfig{Coordinator: sp.connect(sessionTimeout)})
	must(t, f.Start(t.Context()))
	defer f.Close()
	figure(t, "start of a follower", began)
	if n := f.Image().PartitionCount(); n != scaleTopics*scalePartitions {
		t.Errorf("%d partitions", n)
	}

	began = time.Now()
	sp.gate(members[0].session).cut(false)
	must(t, members[0].client.SetConfig(t.Context(), metadata.DefaultBrokerEntity(), map[string]string{"a": "b"}))
	must(t, members[0].follower.Sync(t.Context()))
	if members[0].follower.Image().Config(metadata.DefaultBrokerEntity())["a"] != "b" {
		t.Error("a configuration is missing")
	}
	figure(t, "reconnection", began)
}

// figure prints what was measured. It fails nothing: how long it takes is the machine's
// business, that it ends is the test's.
func figure(t *testing.T, what string, began time.Time) {
	t.Helper()
	t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
}

func TestFailoverInProcess(t *testing.T) { failover(t, inProcess(t)) }

func TestFailoverProcesses(t *testing.T) { failover(t, processes(t)) }
