package broker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata/metadatatest"
)

// TestTopicsThatCannotBeMade: a client that names a topic which cannot be made, or not by it, hears
// so at once. Answers of a connection come in order, so all that it asks next would wait too.
func TestTopicsThatCannotBeMade(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tree := metadatatest.NewTree()
	secured := map[string]string{"authorizer.class.name": "kafka.security.authorizer.AclAuthorizer", "super.users": "User:ANONYMOUS"}
	b := startOne(t, tree, secured)
	allow := kmsg.NewPtrCreateACLsRequest()
	for _, name := range []string{"bad name", "seen"} {
		rule := kmsg.NewCreateACLsRequestCreation()
		rule.ResourceType, rule.ResourceName, rule.ResourcePatternType = kmsg.ACLResourceTypeTopic, name, kmsg.ACLResourcePatternTypeLiteral
		rule.Principal, rule.Host, rule.Operation, rule.PermissionType = "User:ANONYMOUS", "*", kmsg.ACLOperation(auth.Describe), kmsg.ACLPermissionTypeAllow
		allow.Creations = append(allow.Creations, rule)
	}
	if resp, err := allow.RequestWith(ctx, client(t, b)); err != nil || resp.Results[0].ErrorCode != 0 || resp.Results[1].ErrorCode != 0 {
		t.Fatalf("%+v, %v", resp, err)
	}
	asks := func(b *Broker, name string, want kerror.Code) {
		t.Helper()
		req := kmsg.NewPtrMetadataRequest()
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		req.Topics, req.AllowAutoTopicCreation = append(req.Topics, topic), true
		begin := time.Now()
		resp, err := req.RequestWith(ctx, client(t, b, kgo.AllowAutoTopicCreation()))
		if err != nil {
			t.Fatal(err)
		}
		if got := kerror.Code(resp.Topics[0].ErrorCode); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		if took := time.Since(begin); took > autoCreateMillis*time.Millisecond/2 {
			t.Errorf("%q: the answer took %v", name, took)
		}
	}
	asks(b, "bad name", kerror.InvalidTopicException)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	delete(secured, "super.users")
	b = startOne(t, tree, secured)
	asks(b, "bad name", kerror.InvalidTopicException)
	asks(b, "seen", kerror.TopicAuthorizationFailed) // Kafka: KafkaApis.handleTopicMetadataRequest
	asks(b, "unseen", kerror.TopicAuthorizationFailed)
}
