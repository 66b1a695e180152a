package auth

import "holt/broker/kerror"

// Need is an operation on a resource that an API asks permission for, and the code of
// those who have it not.
type Need struct {
	Resource  ResourceType
	Operation Operation
	Refused   kerror.Code
}

// Needs returns what the API with this key asks permission for, in the order in which
// it is asked. Where a request names several resources each is judged by itself, and
// what is refused is answered for it alone. Alternatives stand in a row of their own,
// see the remarks. Kafka: KafkaApis.
//
//	 0 Produce          Write on the transactional id if there is one (code for the whole request)
//	 1 Fetch            a follower: ClusterAction, else Read
//	 3 Metadata         auto-creation also: Create on the cluster or the topic
//	 8 OffsetCommit     the group first; then each topic
//	10 FindCoordinator  the group or the transactional id, by the kind that is looked for
//	16 ListGroups       Describe on the cluster shows all, else each group that may be described
//	19 CreateTopics     Create on the cluster, else on each topic
//	22 InitProducerId   a transactional id: Write on it; else IdempotentWrite on the cluster, or
//	                    Write on some topic (AllowedSomewhere)
//	24 AddPartitionsToTxn  from a broker: ClusterAction
//	32 DescribeConfigs, 33 AlterConfigs, 44 IncrementalAlterConfigs: topics by the topic,
//	                    brokers and loggers by the cluster
//	23 OffsetForLeaderEpoch  a follower: ClusterAction, else Describe on each topic
//	66 ListTransactions, 65 DescribeTransactions: those that may be described are shown
//
// A topic that may not be described is answered as if it might exist: whoever lacks
// Describe gets TOPIC_AUTHORIZATION_FAILED for names that exist and names that do not.
// SaslHandshake, SaslAuthenticate and ApiVersions ask for nothing.
func Needs(key int16) []Need {
	topic := func(op Operation) Need { return Need{Topic, op, kerror.TopicAuthorizationFailed} }
	group := func(op Operation) Need { return Need{Group, op, kerror.GroupAuthorizationFailed} }
	cluster := func(op Operation) Need { return Need{Cluster, op, kerror.ClusterAuthorizationFailed} }
	txn := func(op Operation) Need {
		return Need{TransactionalID, op, kerror.TransactionalIDAuthorizationFailed}
	}
	switch key {
	case 0: // Produce
		return []Need{txn(Write), topic(Write)}
	case 1: // Fetch
		return []Need{topic(Read), cluster(ClusterAction)}
	case 2, 23: // ListOffsets, OffsetForLeaderEpoch
		return []Need{topic(Describe), cluster(ClusterAction)}
	case 3: // Metadata
		return []Need{topic(Describe), cluster(Create), topic(Create)}
	case 4, 5, 6, 7, 27, 56, 58, 67: // between brokers
		return []Need{cluster(ClusterAction)}
	case 8: // OffsetCommit
		return []Need{group(Read), topic(Read)}
	case 9: // OffsetFetch
		return []Need{group(Describe), topic(Describe)}
	case 10: // FindCoordinator
		return []Need{group(Describe), txn(Describe)}
	case 11, 12, 13, 14: // JoinGroup, Heartbeat, LeaveGroup, SyncGroup
		return []Need{group(Read)}
	case 15: // DescribeGroups
		return []Need{group(Describe)}
	case 16: // ListGroups
		return []Need{cluster(Describe), group(Describe)}
	case 19: // CreateTopics
		return []Need{cluster(Create), topic(Create)}
	case 20, 21: // DeleteTopics, DeleteRecords
		return []Need{topic(Delete)}
	case 22: // InitProducerId
		return []Need{txn(Write), cluster(IdempotentWrite), topic(Write)}
	case 24: // AddPartitionsToTxn
		return []Need{txn(Write), topic(Write), cluster(ClusterAction)}
	case 25: // AddOffsetsToTxn
		return []Need{txn(Write), group(Read)}
	case 26: // EndTxn
		return []Need{txn(Write)}
	case 28: // TxnOffsetCommit
		return []Need{txn(Write), group(Read), topic(Read)}
	case 29, 48, 50: // DescribeAcls, DescribeClientQuotas, DescribeUserScramCredentials
		return describeCluster(key, cluster)
	case 30, 31, 34, 43, 45, 51, 57: // acls, log dirs, elections, reassignments, credentials, features
		return []Need{cluster(Alter)}
	case 32: // DescribeConfigs
		return []Need{topic(DescribeConfigs), cluster(DescribeConfigs)}
	case 33, 44: // AlterConfigs, IncrementalAlterConfigs
		return []Need{topic(AlterConfigs), cluster(AlterConfigs)}
	case 35, 46, 60: // DescribeLogDirs, ListPartitionReassignments, DescribeCluster
		return []Need{cluster(Describe)}
	case 37: // CreatePartitions
		return []Need{topic(Alter)}
	case 42: // DeleteGroups
		return []Need{group(Delete)}
	case 47: // OffsetDelete
		return []Need{group(Delete), topic(Read)}
	case 49: // AlterClientQuotas
		return []Need{cluster(AlterConfigs)}
	case 61: // DescribeProducers
		return []Need{topic(Read)}
	case 65, 66: // DescribeTransactions, ListTransactions
		return []Need{txn(Describe)}
	case 75: // DescribeTopicPartitions
		return []Need{topic(Describe)}
	}
	return nil
}

func describeCluster(key int16, cluster func(Operation) Need) []Need {
	if key == 48 {
		return []Need{cluster(DescribeConfigs)}
	}
	return []Need{cluster(Describe)}
}
