// Package brokerkills puts load on a cluster of brokers, kills, pauses and restarts
// processes under it, and judges what the clients were told and what the replicas
// hold in the end.
//
//	producers (idempotent, transactional) ─▶ Write, Txn ──┐
//	readers (committed, uncommitted, near)─▶ Reader ──────┤
//	group members                         ─▶ Commit ──────┼─▶ History ─▶ Check ─▶ violations
//	a client that asks for end offsets    ─▶ Sample ──────┤
//	faults                                ─▶ Outage ──────┤
//	questions with one right answer       ─▶ Probe ───────┤
//	segment files of every broker         ─▶ Replica ─────┤
//	partitions' states in the tree        ─▶ State ───────┘
//	producers of topics that are compacted, or cut by retention, and Java's
//	producer                              ─▶ Kept ─▶ CheckKept ─▶ violations
//
// Vocabulary. A Write is one record that a producer handed to its client, with its
// outcome: acknowledged at an offset, or unknown when the client gave it up, and then it
// may be in the log or not. Every record's value tells who wrote it as its how-manieth,
// so that what is found anywhere can be traced to one Write. A Replica is a partition's
// log as the segment files of one broker have it once all brokers were stopped.
//
// Check knows nothing but the History. Its rules are named K1 to K13: offsets dense and
// of one value, acknowledged records kept, order and no duplicates, end offsets that do
// not go back, reads without gaps, commits and owners of groups, bytes unchanged,
// recovery, log start, epochs, truncation, the time index, error codes; TXN is atomicity
// and isolation, ACK the time until acknowledgements resume. Every rule has a test with a
// history made wrong in just that way.
//
// The suite runs against Holt's broker or Apache Kafka, on three Holt members:
//
//	go test ./compat/brokerkills -broker=holt [-kills 100] [-seed N]
//	go test ./compat/brokerkills -broker=kafka
//
// Clients run in goroutines that crew owns; a History is assembled when all have ended.
//
// Some readers, and a member of the group, stand in the rack of a broker and read from
// that, whoever leads, while it is there (KIP-392); what they are given must be the same.
//
// Left out: acks 0 and 1, which promise nothing here; damage to files.
package brokerkills
