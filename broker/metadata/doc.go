// Package metadata is what the brokers of a cluster know of it and write about it:
// the tree of a coordination service, in the paths and payloads of Kafka's ZooKeeper
// mode, so that its tools read and write the same.
//
// # Parts
//
//	Coordinator   a session with the service, as an interface; ZooKeeper is the real
//	              one (on go-zookeeper/zk, over any net.Conn), metadatatest has one in memory
//	Client        writes: registration, topics, configurations, ACLs, ...
//	Image         what is known of the cluster at one moment; never changes
//	Follower      keeps the newest Image and tells subscribers each Delta
//	Registrar     keeps a broker registered, over the ends of sessions
//
// # How an image follows the tree
//
//	      watch fires                        Get, Exists, Children with watch
//	┌──────────────────────▶ dirty paths ───────────────────────────┐
//	│                       ▲   (a set)                              ▼
//	Coordinator             │                    round: read all that is dirty at once
//	                        │ what a reply leads to:                 │
//	                        │ a list to its new members,             ▼
//	                        └──── a topic to its states ◀─── apply to a copy of the image
//	                                                                 │
//	                          subscribers, in order ◀── Delta ◀── publish
//
// A path is dirty from the event on until it was read; a read sets the watch again. So
// each path has at most one read under way, and its answers come in order. Where an
// answer comes from a server that lags behind (after a session's end) it is dropped
// by its mzxid. After a lost connection, whether the session was kept or not,
// everything is dirty: what asking for missed events would miss is told at
// watchedConn. Configurations and ACLs have no watches of their own: as in Kafka a
// sequential node tells of each change.
//
// A Sync ends when all that was dirty when the service had answered it was read,
// and all that this led to, and subscribers were told.
//
// # Concurrency
//
// Image, Delta and what they lead to are shared and never change. Everything may be
// called from any goroutine. A Follower has one goroutine, its loop, which calls the
// subscribers; reads of a round run in as many goroutines as InFlight allows and end
// with the round. A Registrar has one goroutine. ZooKeeper has one for each call under
// way, besides those of the library, and Close waits for all of them.
//
// # Left out
//
// Delegation tokens, /feature, /migration, the /consumers of old clients (the node is
// made, nothing in it is used).
package metadata
