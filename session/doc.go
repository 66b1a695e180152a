// Package session holds what is known of the clients' sessions.
//
// # Two kinds of knowledge
//
//	Table      replicated facts: id, password, timeout, owner. Part of the state
//	           machine; the same on each member at the same zxid.
//	Tracker    who is still alive. Kept by the leader alone, from what members
//	           report to have heard; lost with the leadership, after which every session
//	           starts with a full timeout again.
//
// # Life of a session
//
//	          Create                        Close: by the client, or
//	(none) ───────────▶ owned by a member ─────────────────────────▶ (none, for good)
//	                      │        ▲        by the leader when the
//	                      └─Attach─┘        Tracker finds it expired
//	                     with the password; the member through which
//	                     the client came becomes the owner
//
// Requests of a session are good only through its owner. (ZooKeeper: SessionMoved.)
//
// # Concurrency
//
// A Table has one writer. What it changes becomes visible to readers with Commit;
// the caller holds readers off during Commit, as in package znode. A Tracker belongs
// to one goroutine at a time. Neither reads a clock: times are handed in.
//
// # Left out
//
// Storage (server/apply writes the records), negotiation of the timeout, local sessions.
package session
