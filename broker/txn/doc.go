// Package txn is the coordinator of transactions: which producer id and epoch a transactional id
// has, which partitions its transaction writes to, and how it ended. It hands out producer ids too.
//
// # Vocabulary
//
// A transactional id is an application's name for one of its producers, over restarts. It has a
// producer id and an epoch; who knows an older epoch is a zombie, and fenced. A transaction is
// decided once PrepareCommit or PrepareAbort is in the log of __transaction_state. Then a marker goes
// into each partition it wrote to, and it is complete.
//
// # States
//
//	                 AddPartitions,                    EndTxn(commit)
//	  ┌──▶ Empty ───────────────────▶ Ongoing ──────────────────────────▶ PrepareCommit
//	  │                AddOffsets     ▲  ▲  │                                  │ all markers
//	  │ InitProducerId                │  │  │ EndTxn(abort),                   ▼ written
//	  ├── CompleteCommit ─────────────┘  │  │ timeout*, InitProducerId*   CompleteCommit
//	  │                                  │  └────────────────▶ PrepareAbort
//	  └── CompleteAbort ─────────────────┘                         │ all markers written
//	        ▲                                                      ▼
//	        └──────────────────────────────────────────────── CompleteAbort
//
//	* with the next epoch, so that whoever runs the transaction is out of it
//
// A change counts when the log has it: until then the transaction is pending, and others' requests
// get CONCURRENT_TRANSACTIONS. The one exception is the epoch of a transaction that is aborted
// without its producer: it is raised at once, since a fence may come too early but not too late.
//
// # Epochs
//
//	InitProducerId without an epoch           next epoch
//	with the current epoch (KIP-360)          next epoch, the current one is remembered as the last
//	with the last epoch                       the current epoch again: the answer got lost
//	with any other                            PRODUCER_FENCED
//	epoch 32766 is used up                    another producer id, epoch 0
//
// # Markers
//
//	core ──Markers──▶ sender ──WriteTxnMarkers, one at a time per broker──▶ leaders
//	  ▲                  all that came meanwhile in the next one               │
//	  └──────────────── what became of each partition ◀────────────────────────┘
//
// What failed is sent again after Config.RetryMarkers to whoever leads the partition then, until it
// is written or the partition is no more. A new coordinator finds PrepareX in the log and does the
// same, with its own coordinator epoch (the leader epoch of the partition of __transaction_state),
// by which the partitions' leaders refuse the markers of a former one.
//
// # Records
//
//	{0, transactional id} → {0, producer id, epoch, timeout, state, partitions by topic or null when
//	                         Empty, last update, start}, or null when expired
//
// as Kafka 3.9 writes them, with transaction.version 0.
//
// # Concurrency
//
// [Coordinator] may be used by any goroutine; it is a shell of journal.Shards, one lock per partition.
// The core reads no clock; scripts in testdata step it. The sender has a lock of its own, taken after
// none and before none. What is kept of a request is copied.
//
// # Left out
//
// Writing markers (WriteTxnMarkers), verification by leaders of partitions: package broker's.
// Transactions V2 (KIP-890 part 2).
package txn
