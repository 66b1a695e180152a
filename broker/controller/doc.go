// Package controller is the elected controller of a cluster: the one broker that
// gives partitions their leaders, carries reassignments out, and deletes topics.
//
// # Core and shell
//
//	Core        decides. Images, times, requests and outcomes of writes go in; versioned
//	            writes and answers come out. No goroutine, no clock, no IO.
//	Controller  stands for election, and while in office runs a Core: shows it each image of
//	            the Follower, sends its writes in batches, tells it what they came to.
//
// # What is decided
//
// Decisions go by what is, not by what happened. A partition whose state is not what it
// should be, given brokers, assignment and state as they are now, gets another one (see
// view.decide); so it makes no difference whether a controller saw a broker die or
// was elected afterwards, and a failover needs nothing but the image that each broker
// has anyway:
//
//	no state                       leader: first replica alive; ISR: those alive
//	leader dead, restarted,        first fit replica in the ISR, in assignment order; failing
//	leaving, or no replica         that a restarted one, then one that is leaving, then (if
//	                               the topic says so) any; else none. Epoch + 1
//	ISR with dead, restarted or    without them, but never without the last. Same epoch
//	leaving members                Epoch + 1 if consumers may read from followers
//	all of a reassignment's        target alone, in one multi with the topic's node. Epoch + 1
//	target in the ISR
//
// A broker that restarted is told from one that did not by its registration's czxid: a
// state that was written before (mzxid) is about its former life. That holds for a
// controller elected later too. Only the leader's own writes hide it, so restarts seen are
// noted until they have been dealt with.
//
// A replica whose log directory has failed (metadata.Broker.Offline) counts as one of a
// dead broker.
//
// # Fencing
//
//	multi [ check /controller_epoch v, set state a (version), set state b (version), ... ]
//
// v is the version that the election gave the epoch's node. A controller that was
// succeeded fails at the check, and knows that its term is over. A state that changed
// meanwhile fails at its version: the write is looked up and decided again, the rest of
// the batch is sent again.
//
// # The term
//
//	candidate ──multi[create /controller, set /controller_epoch]──▶ Sync ──▶ term
//	    ▲                                                                     │
//	    └── session expired (Resign), check failed, other controller seen ◀───┘
//
// Differs from Kafka: nothing is sent to brokers, they follow the tree; states are written
// some hundred per multi instead of one; the deletion of a topic waits for nobody; the
// first phase of a reassignment moves no leader epoch, since the leader reads of its new
// followers in the topic's node; a controller that closes gives the office up.
//
// # Goroutines
//
// A Controller has one, the loop, which owns term and Core. In a term there are at
// most BatchesInFlight more that wait for multis (and read what was refused), one that
// deletes a topic, and one that reads notifications; the loop waits for them before it
// ends the term.
//
// # Left out
//
// Feature versions, migration to KRaft.
package controller
