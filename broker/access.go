package broker

import (
	"holt/broker/auth"
	"holt/broker/kerror"
)

// clusterName is the name of the one resource that is the cluster.
const clusterName = "kafka-cluster"

// may reports whether the client may do something to a resource.
func (c *call) may(op auth.Operation, kind auth.ResourceType, name string) bool {
	return c.authorizer.Allowed(c.who, c.host(), op, kind, name)
}

// mayCluster reports whether it may do something to the cluster; mayTopic, mayGroup and
// mayTxn are the same for a topic, a group and a transactional id.
func (c *call) mayCluster(op auth.Operation) bool { return c.may(op, auth.Cluster, clusterName) }

func (c *call) mayTopic(op auth.Operation, topic string) bool { return c.may(op, auth.Topic, topic) }

func (c *call) mayGroup(op auth.Operation, group string) bool { return c.may(op, auth.Group, group) }

func (c *call) mayTxn(op auth.Operation, id string) bool { return c.may(op, auth.TransactionalID, id) }

// clusterCode, topicCode, groupCode and txnCode are the code of a client that may not.
func (c *call) clusterCode(op auth.Operation) kerror.Code {
	return orRefused(c.mayCluster(op), kerror.ClusterAuthorizationFailed)
}

func (c *call) topicCode(op auth.Operation, topic string) kerror.Code {
	return orRefused(c.mayTopic(op, topic), kerror.TopicAuthorizationFailed)
}

func (c *call) groupCode(op auth.Operation, group string) kerror.Code {
	return orRefused(c.mayGroup(op, group), kerror.GroupAuthorizationFailed)
}

func (c *call) txnCode(op auth.Operation, id string) kerror.Code {
	return orRefused(c.mayTxn(op, id), kerror.TransactionalIDAuthorizationFailed)
}

func orRefused(may bool, code kerror.Code) kerror.Code {
	if may {
		return kerror.OK
	}
	return code
}

// operationsUnknown tells that nobody asked for the permitted operations.
const operationsUnknown = -2147483648

// permitted is the set of operations that the client may do to a resource, a bit each.
func (c *call) permitted(kind auth.ResourceType, name string) int32 {
	return c.authorizer.AllowedOperations(c.who, c.host(), kind, name)
}
