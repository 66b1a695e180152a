// Package broker is one running Kafka-style broker: unmodified Kafka clients use it
// over TCP, and it works with other brokers through a tree that they share.
//
//	 client ──▶ network: frames, SASL, order ──▶ serve.go: one handler per API (NN_name.go)
//	                                               │
//	    ┌──────────────┬──────────────┬────────────┼─────────────┬───────────────┐
//	    ▼              ▼              ▼            ▼             ▼               ▼
//	replica: logs,  group: consumer  txn:        metadata:     controller:    metadata:
//	leaders, ISR    groups           transactions image (read) when elected   writes
//	    │              │  journal.Log │            ▲                             │
//	    │◀─────────────┴──────────────┘            │ Delta, in order             ▼
//	    └── peer: other brokers ◀──────────── Follower ◀───────────────────── the tree
//
// An embedding program fills a Config, calls Start and, at the end, Close. Reading
// server.properties is the business of broker/properties; flags, signals and exit codes
// are those of cmd/holt.
//
// # Vocabulary
//
// The tree is the coordination service's, as Kafka's ZooKeeper mode lays it out. The image
// is what this broker knows of it; the applied image is the newest one that replicas and
// coordinators have been told of (fresh.go), and the one that requests are answered by.
// An outcome is a code for the client (refusal, kerror.Code), a failure a Go error.
//
// # Every broker serves everything
//
// A client need not know who the controller is. What changes the tree is written by
// whichever broker was asked, fenced by versions; what only the controller may do
// (elections, reassignments) is handed on to it over the inter-broker listener. Whoever
// made a topic is answered when its leaders are known here, and a broker that is asked
// for a topic it does not know looks at the tree before it says so.
//
// # Goroutines
//
//	network's    accept, one per connection, ...; handlers run on the connection's
//	follower's   its loop, which calls apply (follow.go)
//	registrar's, controller's, replica's, group's, txn's, peer's: see there
//	blocks       one while a block of producer ids is being taken
//	markers      one per request to another broker under way, see 27_write_txn_markers.go
//	metrics      HTTP, if MetricsAddr is set
//
// # Start and Close
//
// Start: tree, cluster id, directories (recovered), listeners bound, image read, broker
// registered, coordinators and controller up, requests taken. A start that fails undoes
// itself. Close: leaderships handed over, requests that wait answered, connections
// drained, office and registration given up, logs flushed and marked as clean.
//
// # Locks
//
// Broker has none of its own; what handlers share is atomic or behind the locks of the
// other packages, none of which is held while a handler calls another.
//
// Left out: delegation tokens, moving replicas that there are between directories, feature versions,
// KRaft, the consumer group protocol of KIP-848, share groups, telemetry.
package broker
