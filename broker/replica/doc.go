// Package replica is a broker's copies of partitions: as a leader it appends, acknowledges and serves
// fetches; as a follower it copies the leader's log.
//
//	metadata.Delta ──▶ Set.Apply ──▶ replica: role, leader epoch
//	                                   │
//	  leading                          │                    following
//	  Append ─▶ log ─▶ core.appended   │    fetcher (one per leader broker) ─Fetch v17─▶ leader
//	  Fetch of a follower ─▶ core.fetched      │ records ─▶ log     diverging epoch ─▶ cut
//	             │ high watermark moves        │ high watermark, log start
//	             ▼                             ▼
//	  acks, parked fetches are answered        the next fetch says what is there
//	             │ a follower lags or has caught up
//	             ▼
//	  propose ─▶ isrQueue ─▶ the tree (setData with version) ─▶ confirmed, or the image shows another
//
// # Vocabulary
//
// Log end: the offset that the next record gets. High watermark: before it records are committed, and
// consumers see them. ISR: the replicas that may be elected; the maximal ISR adds those of a proposal
// that the tree has not answered. Leader epoch: the number of a leadership, by which everybody tells
// a former leader. Offline: a replica whose log directory failed, see offline.go. Life: a broker
// between two registrations, named by its broker epoch (the czxid of the registration).
//
// # What is decided where
//
// core is what a leader decides, as a pure function of what happened and when: core.go takes in what is
// known of the followers, and has the two rules that keep acknowledged records; insync.go says who is in the
// ISR, watermark.go what is committed. role.go begins and ends roles as the tree says. commonEnd is where a follower cuts. Everything else is
// plumbing that must hold one invariant: nothing is appended, read as a leader or counted in the name
// of a role that is over. replica.as sees to that: whoever acts holds it for reading, whoever changes the
// role for writing.
//
// A broker leads only by a state that was written after it registered: what an earlier life had it
// may have lost, so that the controller has to elect it anew, in another epoch.
//
// # Goroutines
//
//	scan      one per Set, looks for lagging followers
//	fetchers  one per broker that leads what is followed here
//	isrs      up to 16 that write states while there are some, and one that tells tools now and then
//	timers    of waiting producers, fetches and deletions
//
// All but the timers end with Close, which waits for them. Who waits in Append, Fetch and DeleteRecords
// is called from whichever goroutine ended the waiting, never with a lock held.
//
// Lock order: Set.applying, replica.as, replica.mu; Set.mu, sessions.mu, fetchers.mu, fetcher.mu and
// isrQueue.mu are leaves.
//
// testdata/core steps cores, testdata/cluster whole Sets on disks in memory: sessions of followers, DeleteRecords,
// log.flush.on.ack, restarts and power failures. TestSimulation runs three cores with logs in memory, a tree and a
// controller, by seeds: go test ./broker/replica -run TestSimulation -seeds=20000, -seed=N for one. TestClusterRandom
// runs three whole Sets: -run TestClusterRandom -clusters=1000.
//
// Consumers read from leaders, and from followers of their rack: see nearby.go (KIP-392).
//
// Left out: moving replicas between directories (see Place).
package replica
