// Package membership is who the members of an ensemble are, as text: what
// /zookeeper/config holds, what a dynamic configuration file lists and what a reconfig asks for.
//
//	server.1=h1:2888:3888:participant;0.0.0.0:2181
//	server.2=h2:2888:3888:observer;0.0.0.0:2181
//	version=100000000
//
// An ensemble's text has its servers by id, the role always told, and a version, in hex,
// which is the zxid of the change that made it; no line feed at the end. Differs from ZooKeeper, which
// has the servers in the order of a hash table, so that with ids above 7 they need not ascend.
//
// Next and Replace judge a reconfig's lists in the order, and with the outcomes, of ZooKeeper
// (PrepRequestProcessor, QuorumPeerConfig.parseDynamicConfig, QuorumPeer.QuorumServer). All are
// pure functions, for any goroutine.
//
// Left out: groups and weights (hierarchical quorums), several addresses of one server, secure client
// ports; how a change comes about (quorum), whether it is safe (server).
package membership
