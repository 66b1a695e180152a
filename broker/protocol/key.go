package protocol

import "strconv"

// Key is the number of an API.
type Key int16

// The APIs that a broker of this kind may serve, as Kafka 3.9 numbers them.
const (
	Produce                      Key = 0
	Fetch                        Key = 1
	ListOffsets                  Key = 2
	Metadata                     Key = 3
	ControlledShutdown           Key = 7
	OffsetCommit                 Key = 8
	OffsetFetch                  Key = 9
	FindCoordinator              Key = 10
	JoinGroup                    Key = 11
	Heartbeat                    Key = 12
	LeaveGroup                   Key = 13
	SyncGroup                    Key = 14
	DescribeGroups               Key = 15
	ListGroups                   Key = 16
	SaslHandshake                Key = 17
	ApiVersions                  Key = 18
	CreateTopics                 Key = 19
	DeleteTopics                 Key = 20
	DeleteRecords                Key = 21
	InitProducerID               Key = 22
	OffsetForLeaderEpoch         Key = 23
	AddPartitionsToTxn           Key = 24
	AddOffsetsToTxn              Key = 25
	EndTxn                       Key = 26
	WriteTxnMarkers              Key = 27
	TxnOffsetCommit              Key = 28
	DescribeAcls                 Key = 29
	CreateAcls                   Key = 30
	DeleteAcls                   Key = 31
	DescribeConfigs              Key = 32
	AlterConfigs                 Key = 33
	AlterReplicaLogDirs          Key = 34
	DescribeLogDirs              Key = 35
	SaslAuthenticate             Key = 36
	CreatePartitions             Key = 37
	CreateDelegationToken        Key = 38
	RenewDelegationToken         Key = 39
	ExpireDelegationToken        Key = 40
	DescribeDelegationToken      Key = 41
	DeleteGroups                 Key = 42
	ElectLeaders                 Key = 43
	IncrementalAlterConfigs      Key = 44
	AlterPartitionReassignments  Key = 45
	ListPartitionReassignments   Key = 46
	OffsetDelete                 Key = 47
	DescribeClientQuotas         Key = 48
	AlterClientQuotas            Key = 49
	DescribeUserScramCredentials Key = 50
	AlterUserScramCredentials    Key = 51
	AlterPartition               Key = 56
	UpdateFeatures               Key = 57
	DescribeCluster              Key = 60
	DescribeProducers            Key = 61
	DescribeTransactions         Key = 65
	ListTransactions             Key = 66
	DescribeTopicPartitions      Key = 75
)

// KeyMax is the highest Key.
const KeyMax = DescribeTopicPartitions

// none stands for a version that no API has: never flexible.
const none = 1 << 14

// spec is what this package knows of an API.
type spec struct {
	name     string
	max      int16 // the highest version served, that of Kafka 3.9 in ZooKeeper mode; all from 0
	flexible int16 // the first version with tags, or none
}

// spec returns the row of k; ok is false for a number that is not in the list.
func (k Key) spec() (s spec, ok bool) {
	switch k {
	case Produce:
		s = spec{"Produce", 11, 9}
	case Fetch:
		s = spec{"Fetch", 17, 12}
	case ListOffsets:
		s = spec{"ListOffsets", 9, 6}
	case Metadata:
		s = spec{"Metadata", 12, 9}
	case ControlledShutdown:
		s = spec{"ControlledShutdown", 3, 3}
	case OffsetCommit:
		s = spec{"OffsetCommit", 9, 8}
	case OffsetFetch:
		s = spec{"OffsetFetch", 9, 6}
	case FindCoordinator:
		// 5 and 6 are of transactions' second version and of share groups,
		// but answered as 4 is.
		s = spec{"FindCoordinator", 6, 3}
	case JoinGroup:
		s = spec{"JoinGroup", 9, 6}
	case Heartbeat:
		s = spec{"Heartbeat", 4, 4}
	case LeaveGroup:
		s = spec{"LeaveGroup", 5, 4}
	case SyncGroup:
		s = spec{"SyncGroup", 5, 4}
	case DescribeGroups:
		s = spec{"DescribeGroups", 5, 5}
	case ListGroups:
		s = spec{"ListGroups", 5, 3}
	case SaslHandshake:
		s = spec{"SaslHandshake", 1, none}
	case ApiVersions:
		s = spec{"ApiVersions", 4, 3}
	case CreateTopics:
		s = spec{"CreateTopics", 7, 5}
	case DeleteTopics:
		s = spec{"DeleteTopics", 6, 4}
	case DeleteRecords:
		s = spec{"DeleteRecords", 2, 2}
	case InitProducerID:
		s = spec{"InitProducerId", 5, 2}
	case OffsetForLeaderEpoch:
		s = spec{"OffsetForLeaderEpoch", 4, 4}
	case AddPartitionsToTxn:
		s = spec{"AddPartitionsToTxn", 5, 3}
	case AddOffsetsToTxn:
		s = spec{"AddOffsetsToTxn", 4, 3}
	case EndTxn:
		s = spec{"EndTxn", 4, 3}
	case WriteTxnMarkers:
		s = spec{"WriteTxnMarkers", 1, 1}
	case TxnOffsetCommit:
		s = spec{"TxnOffsetCommit", 4, 3}
	case DescribeAcls:
		s = spec{"DescribeAcls", 3, 2}
	case CreateAcls:
		s = spec{"CreateAcls", 3, 2}
	case DeleteAcls:
		s = spec{"DeleteAcls", 3, 2}
	case DescribeConfigs:
		s = spec{"DescribeConfigs", 4, 4}
	case AlterConfigs:
		s = spec{"AlterConfigs", 2, 2}
	case AlterReplicaLogDirs:
		s = spec{"AlterReplicaLogDirs", 2, 2}
	case DescribeLogDirs:
		s = spec{"DescribeLogDirs", 4, 2}
	case SaslAuthenticate:
		s = spec{"SaslAuthenticate", 2, 2}
	case CreatePartitions:
		s = spec{"CreatePartitions", 3, 2}
	case CreateDelegationToken:
		s = spec{"CreateDelegationToken", 3, 2}
	case RenewDelegationToken:
		s = spec{"RenewDelegationToken", 2, 2}
	case ExpireDelegationToken:
		s = spec{"ExpireDelegationToken", 2, 2}
	case DescribeDelegationToken:
		s = spec{"DescribeDelegationToken", 3, 2}
	case DeleteGroups:
		s = spec{"DeleteGroups", 2, 2}
	case ElectLeaders:
		s = spec{"ElectLeaders", 2, 2}
	case IncrementalAlterConfigs:
		s = spec{"IncrementalAlterConfigs", 1, 1}
	case AlterPartitionReassignments:
		s = spec{"AlterPartitionReassignments", 0, 0}
	case ListPartitionReassignments:
		s = spec{"ListPartitionReassignments", 0, 0}
	case OffsetDelete:
		s = spec{"OffsetDelete", 0, none}
	case DescribeClientQuotas:
		s = spec{"DescribeClientQuotas", 1, 1}
	case AlterClientQuotas:
		s = spec{"AlterClientQuotas", 1, 1}
	case DescribeUserScramCredentials:
		s = spec{"DescribeUserScramCredentials", 0, 0}
	case AlterUserScramCredentials:
		s = spec{"AlterUserScramCredentials", 0, 0}
	case AlterPartition:
		s = spec{"AlterPartition", 3, 0}
	case UpdateFeatures:
		s = spec{"UpdateFeatures", 1, 0}
	case DescribeCluster:
		s = spec{"DescribeCluster", 1, 0}
	case DescribeProducers:
		s = spec{"DescribeProducers", 0, 0}
	case DescribeTransactions:
		s = spec{"DescribeTransactions", 0, 0}
	case ListTransactions:
		s = spec{"ListTransactions", 1, 0}
	case DescribeTopicPartitions:
		s = spec{"DescribeTopicPartitions", 0, 0}
	default:
		return spec{flexible: none}, false
	}
	return s, true
}

// String is the API's name as Kafka's documentation has it, or its number.
func (k Key) String() string {
	if s, ok := k.spec(); ok {
		return s.name
	}
	return "API " + strconv.Itoa(int(k))
}

// Flexible reports whether requests of this version have tags in their headers
// and compact lengths in their bodies. The response's body goes with the request;
// its header too, but for ApiVersions.
func (k Key) Flexible(version int16) bool {
	s, _ := k.spec()
	return version >= s.flexible
}

// responseTags reports whether the response's header ends in tags.
func (k Key) responseTags(version int16) bool { return k != ApiVersions && k.Flexible(version) }
