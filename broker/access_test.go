package broker

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
	"holt/broker/protocol"
)

const (
	noTopic   = "TOPIC_AUTHORIZATION_FAILED"
	noGroup   = "GROUP_AUTHORIZATION_FAILED"
	noCluster = "CLUSTER_AUTHORIZATION_FAILED"
	noTxn     = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"
	answered  = "" // an answer without a code, or OK
)

// refusals are the codes that each API answers who may do nothing, of Kafka: KafkaApis. What is
// listed is cut to what may be seen, which is nothing then.
var refusals = map[protocol.Key]string{
	protocol.Produce:                      noTxn,
	protocol.Fetch:                        noTopic,
	protocol.ListOffsets:                  noTopic,
	protocol.Metadata:                     noTopic,
	protocol.ControlledShutdown:           noCluster,
	protocol.OffsetCommit:                 noGroup,
	protocol.OffsetFetch:                  noGroup,
	protocol.FindCoordinator:              noGroup,
	protocol.JoinGroup:                    noGroup,
	protocol.Heartbeat:                    noGroup,
	protocol.LeaveGroup:                   noGroup,
	protocol.SyncGroup:                    noGroup,
	protocol.DescribeGroups:               noGroup,
	protocol.ListGroups:                   answered,
	protocol.CreateTopics:                 noTopic,
	protocol.DeleteTopics:                 noTopic,
	protocol.DeleteRecords:                noTopic,
	protocol.InitProducerID:               noTxn,
	protocol.OffsetForLeaderEpoch:         noTopic,
	protocol.AddPartitionsToTxn:           noCluster, // of several transactions, as brokers ask
	protocol.AddOffsetsToTxn:              noTxn,
	protocol.EndTxn:                       noTxn,
	protocol.WriteTxnMarkers:              noCluster,
	protocol.TxnOffsetCommit:              noTxn,
	protocol.DescribeAcls:                 noCluster,
	protocol.CreateAcls:                   noCluster,
	protocol.DeleteAcls:                   noCluster,
	protocol.DescribeConfigs:              noTopic,
	protocol.AlterConfigs:                 noTopic,
	protocol.CreatePartitions:             noTopic,
	protocol.DeleteGroups:                 noGroup,
	protocol.ElectLeaders:                 noCluster,
	protocol.IncrementalAlterConfigs:      noTopic,
	protocol.AlterPartitionReassignments:  noCluster,
	protocol.ListPartitionReassignments:   noCluster,
	protocol.OffsetDelete:                 noGroup,
	protocol.DescribeClientQuotas:         noCluster,
	protocol.AlterClientQuotas:            noCluster,
	protocol.DescribeUserScramCredentials: noCluster,
	protocol.AlterUserScramCredentials:    noCluster,
	protocol.DescribeCluster:              answered,
	protocol.DescribeTransactions:         noTxn,
	protocol.ListTransactions:             answered,
	protocol.AlterReplicaLogDirs:          noCluster,
	protocol.DescribeLogDirs:              noCluster,
	protocol.DescribeProducers:            noTopic,
	protocol.DescribeTopicPartitions:      noTopic,
}

// TestEveryAPIAsksForPermission sends a request of each API, about a topic that exists, as
// somebody whom no rule allows anything. An API that is served and is not in refusals fails.
func TestEveryAPIAsksForPermission(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tree := metadatatest.NewTree()
	id := withTopic(ctx, t, tree, "orders")
	b := startOne(t, tree, map[string]string{"authorizer.class.name": "kafka.security.authorizer.AclAuthorizer"})
	seed := client(t, b).SeedBrokers()[0]
	asks := func(name string, req kmsg.Request, want string) {
		resp, err := seed.Request(ctx, req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if got := codesOf(reflect.ValueOf(resp)); got != want {
			t.Errorf("%s answers %q, want %q: %+v", name, got, want, resp)
		}
		if text := fmt.Sprintf("%+v", resp); want == answered && strings.Contains(text, "orders") {
			t.Errorf("%s shows what may not be seen: %s", name, text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(handlers())) {
		if want, ok := refusals[key]; ok {
			asks(key.String(), sampleRequest(key, id), want)
		} else {
			t.Errorf("%s is served, and nothing says what it asks permission for", key)
		}
	}
	for _, o := range otherwise() {
		req := sampleRequest(protocol.Key(o.req.Key()), id)
		o.change(req)
		asks(o.name, req, o.want)
	}
}

// otherwise are requests that ask for something else by another field.
func otherwise() []otherRequest {
	return []otherRequest{
		{"Produce without a transaction", &kmsg.ProduceRequest{}, func(r kmsg.Request) { r.(*kmsg.ProduceRequest).TransactionID = nil }, noTopic},
		{"Fetch by a follower", &kmsg.FetchRequest{}, func(r kmsg.Request) { r.(*kmsg.FetchRequest).ReplicaState.ID = 2 }, noTopic},
		{"FindCoordinator of a transaction", &kmsg.FindCoordinatorRequest{}, func(r kmsg.Request) { r.(*kmsg.FindCoordinatorRequest).CoordinatorType = 1 }, noTxn},
		{"InitProducerID without a transaction", &kmsg.InitProducerIDRequest{}, func(r kmsg.Request) { r.(*kmsg.InitProducerIDRequest).TransactionalID = nil }, noCluster},
		{"DescribeConfigs of a broker", &kmsg.DescribeConfigsRequest{}, func(r kmsg.Request) {
			resource := &r.(*kmsg.DescribeConfigsRequest).Resources[0]
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
		}, noCluster},
		{"IncrementalAlterConfigs of a broker", &kmsg.IncrementalAlterConfigsRequest{}, func(r kmsg.Request) {
			resource := &r.(*kmsg.IncrementalAlterConfigsRequest).Resources[0]
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
		}, noCluster},
	}
}

type otherRequest struct {
	name   string
	req    kmsg.Request // which it is
	change func(kmsg.Request)
	want   string
}

func sampleRequest(key protocol.Key, id metadata.TopicID) kmsg.Request {
	req := kmsg.RequestForKey(int16(key))
	fill(reflect.ValueOf(req).Elem(), id)
	switch req := req.(type) {
	case *kmsg.DeleteTopicsRequest:
		req.Topics[0].TopicID = metadata.TopicID{} // by one of the two
	case *kmsg.ListTransactionsRequest:
		req.StateFilters = nil
	case *kmsg.DescribeConfigsRequest:
		req.Resources[0].ResourceType = kmsg.ConfigResourceTypeTopic
	case *kmsg.AlterConfigsRequest:
		req.Resources[0].ResourceType = kmsg.ConfigResourceTypeTopic
	case *kmsg.IncrementalAlterConfigsRequest:
		req.Resources[0].ResourceType = kmsg.ConfigResourceTypeTopic
	}
	return req
}

// withTopic makes a topic in the tree by a broker that asks nobody for permission.
func withTopic(ctx context.Context, t *testing.T, tree *metadatatest.Tree, name string) metadata.TopicID {
	t.Helper()
	b := startOne(t, tree, nil)
	cl := client(t, b, kgo.AllowAutoTopicCreation())
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: name, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	id := b.applied.get().Topic(name).ID
	cl.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return id
}

// fill puts something of everything into a request.
func fill(v reflect.Value, id metadata.TopicID) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case name == "Version" || name == "UnknownTags":
		case name == "TopicID":
			f.Set(reflect.ValueOf([16]byte(id)))
		case f.Kind() == reflect.Struct:
			fill(f, id)
		case f.Kind() == reflect.String:
			f.SetString(sample(name))
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String:
			s := sample(name)
			f.Set(reflect.ValueOf(&s))
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			fill(f.Index(0), id)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
			f.Set(reflect.ValueOf([]string{sample(name)}).Convert(f.Type()))
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Int32:
			f.Set(reflect.ValueOf([]int32{0}))
		}
	}
}

func sample(field string) string {
	switch {
	case strings.Contains(field, "Group"):
		return "group"
	case strings.Contains(field, "Transactional"):
		return "txn"
	case strings.Contains(field, "Principal"):
		return "User:alice"
	case strings.Contains(field, "Host"):
		return "*"
	}
	return "orders"
}

// codesOf are the names of the codes other than OK in a response, each once.
func codesOf(v reflect.Value) string {
	var codes []string
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).Name == "ErrorCode" {
					if code := kerror.Code(v.Field(i).Int()); code != kerror.OK {
						codes = append(codes, code.String())
					}
					continue
				}
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(v)
	slices.Sort(codes)
	return strings.Join(slices.Compact(codes), " ")
}
