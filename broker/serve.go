package broker

import (
	"context"
	"time"

	"holt/broker/network"
	"holt/broker/protocol"
)

// handlers are the APIs that are served, but for those that the network answers itself.
func handlers() map[protocol.Key]handler {
	return map[protocol.Key]handler{
		protocol.Produce:                      (*call).produce,
		protocol.Fetch:                        (*call).fetch,
		protocol.ListOffsets:                  decoded((*call).listOffsets),
		protocol.Metadata:                     decoded((*call).metadata),
		protocol.ControlledShutdown:           decoded((*call).controlledShutdown),
		protocol.OffsetCommit:                 decoded((*call).offsetCommit),
		protocol.OffsetFetch:                  decoded((*call).offsetFetch),
		protocol.FindCoordinator:              decoded((*call).findCoordinator),
		protocol.JoinGroup:                    decoded((*call).joinGroup),
		protocol.Heartbeat:                    decoded((*call).heartbeat),
		protocol.LeaveGroup:                   decoded((*call).leaveGroup),
		protocol.SyncGroup:                    decoded((*call).syncGroup),
		protocol.DescribeGroups:               decoded((*call).describeGroups),
		protocol.ListGroups:                   decoded((*call).listGroups),
		protocol.CreateTopics:                 decoded((*call).createTopics),
		protocol.DeleteTopics:                 decoded((*call).deleteTopics),
		protocol.DeleteRecords:                decoded((*call).deleteRecords),
		protocol.InitProducerID:               decoded((*call).initProducerID),
		protocol.OffsetForLeaderEpoch:         decoded((*call).offsetForLeaderEpoch),
		protocol.AddPartitionsToTxn:           decoded((*call).addPartitionsToTxn),
		protocol.AddOffsetsToTxn:              decoded((*call).addOffsetsToTxn),
		protocol.EndTxn:                       decoded((*call).endTxn),
		protocol.WriteTxnMarkers:              decoded((*call).writeTxnMarkers),
		protocol.TxnOffsetCommit:              decoded((*call).txnOffsetCommit),
		protocol.DescribeAcls:                 decoded((*call).describeACLs),
		protocol.CreateAcls:                   decoded((*call).createACLs),
		protocol.DeleteAcls:                   decoded((*call).deleteACLs),
		protocol.DescribeConfigs:              decoded((*call).describeConfigs),
		protocol.AlterConfigs:                 decoded((*call).alterConfigs),
		protocol.CreatePartitions:             decoded((*call).createPartitions),
		protocol.DeleteGroups:                 decoded((*call).deleteGroups),
		protocol.ElectLeaders:                 decoded((*call).electLeaders),
		protocol.IncrementalAlterConfigs:      decoded((*call).incrementalAlterConfigs),
		protocol.AlterPartitionReassignments:  decoded((*call).alterPartitionReassignments),
		protocol.ListPartitionReassignments:   decoded((*call).listPartitionReassignments),
		protocol.OffsetDelete:                 decoded((*call).offsetDelete),
		protocol.DescribeClientQuotas:         decoded((*call).describeClientQuotas),
		protocol.AlterClientQuotas:            decoded((*call).alterClientQuotas),
		protocol.DescribeUserScramCredentials: decoded((*call).describeSCRAM),
		protocol.AlterUserScramCredentials:    decoded((*call).alterSCRAM),
		protocol.DescribeCluster:              decoded((*call).describeCluster),
		protocol.DescribeTransactions:         decoded((*call).describeTransactions),
		protocol.ListTransactions:             decoded((*call).listTransactions),
		protocol.AlterReplicaLogDirs:          decoded((*call).alterReplicaLogDirs),
		protocol.DescribeLogDirs:              decoded((*call).describeLogDirs),
		protocol.DescribeProducers:            decoded((*call).describeProducers),
		protocol.DescribeTopicPartitions:      decoded((*call).describeTopicPartitions),
	}
}

// APIs are the APIs and versions that a broker announces and serves.
func APIs() []protocol.Versions { return apis().All() }

// apis is the table that ApiVersions announces.
func apis() *protocol.Table {
	keys := []protocol.Key{protocol.ApiVersions, protocol.SaslHandshake, protocol.SaslAuthenticate}
	for key := range handlers() {
		keys = append(keys, key)
	}
	return protocol.NewTable(keys...)
}

// Handle serves a request; it is of network.Handler.
func (b *Broker) Handle(ctx context.Context, r *network.Request) {
	b.handlers[r.Key](&call{Broker: b, ctx: ctx, r: r, image: b.applied.get(), who: r.Conn.Principal(), began: time.Now()})
}
