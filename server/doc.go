// Package server is one running member of an ensemble: it serves clients of the
// ZooKeeper protocol from a tree that Raft replicates.
//
//	client ──TCP or memory──▶ conn.go: one reader goroutine      wire: frame, header, record
//	                            │ touch session; per-session fifo
//	       read ◀───────────────┴──────────────▶ write, createSession, closeSession
//	        │ waits for the session's           │ apply.Command, numbered (pipeline.go)
//	        │ own earlier writes                ▼
//	        │                                leader: stamps and forms entries (leader.go)
//	        ▼                                   ▼
//	 machine, read lock ─▶ reply             quorum: replicate, commit
//	 watch registered                           ▼ every member, same order
//	 under the same lock                     apply.Machine.Apply (sink.go)
//	                                            ├─ changes ─▶ watches ─▶ notifications, queued first
//	                                            └─ results ─▶ the connection that waits, if any
//
// An embedding program fills a Config, calls Start and, at the end, Close; Dial
// connects it. The zero Config is that of a single member on port 2181 with the
// defaults of ZooKeeper, but for DataDir, which is required. Reading zoo.cfg
// is the business of server/zoocfg; flags, signals and exit codes are those of
// cmd/holt.
//
// # Goroutines
//
// Every goroutine is started by Start or for a connection, and waited for by
// Close:
//
//	accept       one per listener
//	conn.serve   one per connection: reads requests, answers the reads that need
//	             not wait, writes what it has queued
//	flushAsync   one per connection and flush, while the apply goroutine has put
//	             something into its output
//	runSender    commands from here to the leader
//	proposer     on the leader: commands to Raft entries
//	runTicker    touches, expiry, reaping, loss of the leader
//	runMembers   after a change of the members: the client port, Config.OnMembers
//	watchMember  waits for the failure that ends the member
//	rebuild      makes a tree of a staged snapshot (restorestate.go)
//	quorum's     raft loop, log writer, apply, one sender per peer (package quorum)
//	admin's      HTTP
//	control's    HTTP on the socket in the data directory, one per connection
//	audit's      the lines of the audit log
//	peerlogin's  the tickets of a member that logs in by Kerberos
//
// # Invariants
//
// A session's requests take effect in the order they were sent (fifo.go). A
// notification is queued on its connection before any reply that could show the
// newer state, and behind any that could not: changes and results are delivered
// under the machine's write lock, reads are answered under its read lock. A
// read's reply carries the zxid of exactly what was read.
//
// Everything that waits is bounded: frames by MaxFrame, requests of a connection
// (connOutstandingMax), output of one that does not read (outputMax), entries.
//
// # Locks
//
// The machine's lock comes first, then conn.mu, then pipeline.mu or
// Server.mu or the watch table's, output.mu last. Nothing is sent and no disk is
// waited for under conn.mu, Server.mu or output.mu. Only the apply goroutine takes the mu of a second
// conn while it holds one: that of the connection which the first replaces.
//
// A connection that uses TLS gets it before its first byte is looked at as a request (tls.go);
// all after that is the same.
//
// Left out: the rules of the tree (znode), replication (quorum), stores and certificates
// (server/secure), what SASL's tokens mean (package sasl).
package server
