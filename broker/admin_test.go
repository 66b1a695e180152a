package broker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/metadata"
)

// administrated is three brokers with an authorizer, a topic with records, and an administrator.
type administrated struct {
	*testing.T
	c   *cluster
	ctx context.Context
	cl  *kgo.Client
	adm *kadm.Client
}

// TestAdministration asks for what administrators ask, of any broker, and looks at the effect.
func TestAdministration(t *testing.T) {
	c := newCluster(t, 3, map[string]string{"authorizer.class.name": "kafka.security.authorizer.AclAuthorizer", "super.users": "User:ANONYMOUS",
		"default.replication.factor": "2", "offsets.topic.replication.factor": "3", "transaction.state.log.num.partitions": "2"})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	a := &administrated{T: t, c: c, ctx: ctx, cl: c.client()}
	a.adm = kadm.NewClient(a.cl)
	ledBy(ctx, t, a.cl, "orders", 2, []int32{1, 2})
	produce(ctx, t, c.client(kgo.RecordPartitioner(kgo.ManualPartitioner())), "orders", 0, 5)
	t.Run("leaders", a.with((*administrated).leaders))
	t.Run("acls", a.with((*administrated).acls))
	t.Run("users", a.with((*administrated).users))
	t.Run("configs", a.with((*administrated).configs))
	t.Run("groups", a.with((*administrated).groups))
	t.Run("producers", a.with((*administrated).producers))
	t.Run("topics", a.with((*administrated).topics))
}

func (a *administrated) with(f func(*administrated)) func(*testing.T) {
	return func(t *testing.T) {
		b := *a
		b.T = t
		f(&b)
	}
}

// must fails the test on any of the errors.
func (a *administrated) must(errs ...error) {
	a.Helper()
	if err := errors.Join(errs...); err != nil {
		a.Fatal(err)
	}
}

// leaders: AlterPartitionReassignments, ListPartitionReassignments, ElectLeaders, OffsetForLeaderEpoch.
func (a *administrated) leaders() {
	var move kadm.AlterPartitionAssignmentsReq
	move.Assign("orders", 0, []int32{3, 1})
	moved, err := a.adm.AlterPartitionAssignments(a.ctx, move)
	a.must(err, moved.Error())
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool {
		p := i.Partition("orders", 0)
		return slices.Equal(p.Replicas, []int32{3, 1}) && len(p.ISR) == 2 && !p.Reassigning()
	})
	left, err := a.adm.ListPartitionReassignments(a.ctx, nil)
	a.must(err)
	if len(left["orders"]) != 0 {
		a.Errorf("reassignments are left: %v", left)
	}
	elected, err := a.adm.ElectLeaders(a.ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{"orders": {0: {}, 9: {}}})
	a.must(err)
	if none := elected["orders"][9]; !errors.Is(none.Err, kerr.UnknownTopicOrPartition) || none.ErrMessage != "The partition does not exist." {
		a.Errorf("election for a partition that there is not: %+v", none)
	}
	if err := elected["orders"][0].Err; err != nil && !errors.Is(err, kerr.ElectionNotNeeded) {
		a.Error(err)
	}
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool { return i.Partition("orders", 0).Leader == 3 })
	epoch := a.c.any().applied.get().Partition("orders", 0).LeaderEpoch
	var ask kadm.OffsetForLeaderEpochRequest
	ask.Add("orders", 0, 0)
	ends, err := a.adm.OffsetForLeaderEpoch(a.ctx, ask)
	a.must(err)
	if end := ends["orders"][0]; end.Err != nil || end.EndOffset != 5 || epoch == 0 {
		a.Errorf("epoch 0 of %d ends so: %+v", epoch, end)
	}
}

// acls: CreateAcls, DescribeAcls, DeleteAcls.
func (a *administrated) acls() {
	made, err := a.adm.CreateACLs(a.ctx, kadm.NewACLs().Allow("User:alice").AllowHosts("*").Topics("orders").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpRead))
	a.must(err)
	for _, m := range made {
		a.must(m.Err)
	}
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool {
		return len(i.ACLs(metadata.Resource{Type: "Topic", Name: "orders", Pattern: "LITERAL"})) == 1
	})
	filter := kadm.NewACLs().Allow("User:alice").AllowHosts().Topics("orders").ResourcePatternType(kadm.ACLPatternAny).Operations(kadm.OpAny)
	found, err := a.adm.DescribeACLs(a.ctx, filter)
	a.must(err)
	if len(found) != 1 || len(found[0].Described) != 1 || found[0].Described[0].Operation != kadm.OpRead {
		a.Errorf("described: %+v", found)
	}
	gone, err := a.adm.DeleteACLs(a.ctx, filter)
	a.must(err)
	if len(gone) != 1 || len(gone[0].Deleted) != 1 {
		a.Errorf("deleted: %+v", gone)
	}
}

// users: AlterUserScramCredentials, DescribeUserScramCredentials, AlterClientQuotas, DescribeClientQuotas.
func (a *administrated) users() {
	altered, err := a.adm.AlterUserSCRAMs(a.ctx, nil, []kadm.UpsertSCRAM{{User: "alice", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "wonder"}})
	a.must(err, altered.Error())
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool { _, ok := i.Scram("alice", "SCRAM-SHA-256"); return ok })
	users, err := a.adm.DescribeUserSCRAMs(a.ctx, "alice")
	a.must(err)
	if u := users["alice"]; u.Err != nil || len(u.CredInfos) != 1 || u.CredInfos[0].Iterations != 4096 {
		a.Errorf("described: %+v", u)
	}
	name := "alice"
	entity := kadm.ClientQuotaEntity{{Type: "user", Name: &name}}
	set, err := a.adm.AlterClientQuotas(a.ctx, []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1000}}}})
	a.must(err, set[0].Err)
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool {
		return i.Config(metadata.Entity("users/alice"))["producer_byte_rate"] == "1000"
	})
	quotas, err := a.adm.DescribeClientQuotas(a.ctx, true, []kadm.DescribeClientQuotaComponent{{Type: "user", MatchName: &name, MatchType: kmsg.QuotasMatchTypeExact}})
	a.must(err)
	if len(quotas) != 1 || len(quotas[0].Values) != 1 || quotas[0].Values[0].Value != 1000 {
		a.Errorf("quotas: %+v", quotas)
	}
}

// configs: IncrementalAlterConfigs, AlterConfigs, DescribeConfigs.
func (a *administrated) configs() {
	value := "1234567"
	for _, alter := range []func() (kadm.AlterConfigsResponses, error){
		func() (kadm.AlterConfigsResponses, error) {
			return a.adm.AlterTopicConfigs(a.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, "orders")
		},
		func() (kadm.AlterConfigsResponses, error) {
			value = "7654321"
			return a.adm.AlterTopicConfigsState(a.ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, "orders")
		},
	} {
		altered, err := alter()
		a.must(err, altered[0].Err)
		a.c.awaitAll(a.ctx, func(i *metadata.Image) bool { return i.Config(metadata.TopicEntity("orders"))["retention.ms"] == value })
		described, err := a.adm.DescribeTopicConfigs(a.ctx, "orders")
		a.must(err)
		if i := slices.IndexFunc(described[0].Configs, func(c kadm.Config) bool { return c.Key == "retention.ms" }); i < 0 || *described[0].Configs[i].Value != value {
			a.Errorf("described: %+v", described)
		}
	}
	// No limit of 0, for one broker or all; what the file says comes after.
	zero := "0"
	for _, refused := range []func() (kadm.AlterConfigsResponses, error){
		func() (kadm.AlterConfigsResponses, error) {
			return a.adm.AlterBrokerConfigs(a.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "log.retention.ms", Value: &zero}}, 1)
		},
		func() (kadm.AlterConfigsResponses, error) {
			return a.adm.AlterBrokerConfigs(a.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.connections.per.ip", Value: &zero}})
		},
	} {
		if altered, err := refused(); err != nil || !errors.Is(altered[0].Err, kerr.InvalidRequest) {
			a.Errorf("altered: %+v, %v", altered, err)
		}
	}
}

// groups: OffsetCommit, OffsetFetch, ListGroups, DescribeGroups, OffsetDelete, DeleteGroups.
func (a *administrated) groups() {
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: "orders", Partition: 0, At: 3})
	offsets.Add(kadm.Offset{Topic: "orders", Partition: 1, At: 0})
	committed, err := a.adm.CommitOffsets(a.ctx, "g", offsets)
	a.must(err, committed.Error())
	groups, err := a.adm.ListGroups(a.ctx)
	a.must(err)
	described, err := a.adm.DescribeGroups(a.ctx, "g")
	a.must(err)
	if g := described["g"]; !slices.Contains(groups.Groups(), "g") || g.Err != nil || g.State != "Empty" {
		a.Errorf("groups %v, described %+v", groups.Groups(), g)
	}
	deleted, err := a.adm.DeleteOffsets(a.ctx, "g", kadm.TopicsSet{"orders": {1: {}}})
	a.must(err, deleted.Error())
	fetched, err := a.adm.FetchOffsets(a.ctx, "g")
	a.must(err)
	if o, ok := fetched.Lookup("orders", 1); len(fetched["orders"]) != 1 || fetched["orders"][0].At != 3 {
		a.Errorf("offsets %+v, %+v %v", fetched, o, ok)
	}
	_, err = a.adm.DeleteGroup(a.ctx, "g")
	a.must(err)
	if groups, err = a.adm.ListGroups(a.ctx); err != nil || slices.Contains(groups.Groups(), "g") {
		a.Errorf("groups %v, %v", groups.Groups(), err)
	}
}

// producers: DescribeProducers, ListTransactions, DescribeTransactions.
func (a *administrated) producers() {
	cl := a.c.client(kgo.TransactionalID("t"), kgo.DefaultProduceTopic("orders"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	a.must(cl.BeginTransaction(), cl.ProduceSync(a.ctx, &kgo.Record{Partition: 1}).FirstErr())
	producers, err := a.adm.DescribeProducers(a.ctx, kadm.TopicsSet{"orders": {1: {}}})
	a.must(err)
	if p := producers.SortedProducers(); len(p) != 1 || p[0].CurrentTxnStartOffset != 0 {
		a.Errorf("producers %+v", p)
	}
	listed, err := a.adm.ListTransactions(a.ctx, nil, nil)
	a.must(err)
	described, err := a.adm.DescribeTransactions(a.ctx, "t")
	a.must(err)
	if len(listed) != 1 || listed["t"].State != "Ongoing" || described["t"].State != "Ongoing" || len(described["t"].Topics["orders"]) != 1 {
		a.Errorf("listed %+v, described %+v", listed, described)
	}
	a.must(cl.EndTransaction(a.ctx, kgo.TryAbort))
}

// topics: CreatePartitions, DeleteRecords, DescribeLogDirs, DescribeCluster, DeleteTopics.
func (a *administrated) topics() {
	more, err := a.adm.CreatePartitions(a.ctx, 1, "orders")
	a.must(err, more.Error())
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool {
		p := i.Partition("orders", 2)
		return p != nil && p.Leader >= 0
	})
	low, err := a.adm.DeleteRecords(a.ctx, kadm.Offsets{"orders": {0: kadm.Offset{Topic: "orders", At: 2}}})
	a.must(err)
	if low["orders"][0].LowWatermark != 2 {
		a.Errorf("low watermark %+v", low)
	}
	cluster, err := kmsg.NewPtrDescribeClusterRequest().RequestWith(a.ctx, a.cl)
	a.must(err)
	if len(cluster.Brokers) != 3 || cluster.ControllerID < 1 || cluster.ClusterID != a.c.any().ClusterID() {
		a.Errorf("cluster %+v", cluster)
	}
	gone, err := a.adm.DeleteTopics(a.ctx, "orders")
	a.must(err, gone.Error())
	a.c.awaitAll(a.ctx, func(i *metadata.Image) bool { return i.Topic("orders") == nil })
}
