// Package session keeps one ZooKeeper session for a person at a command line: it
// finds a server in a list, reconnects when it is lost, hands in credentials and
// watches again, and reports what happens as events.
//
//	    ┌──────────── server lost ◀──────────┐
//	    ▼                                    │
//	Connecting ──────────────▶ Connected or ConnectedReadOnly
//	    │                                    │
//	    ├── session expired ──▶ Closed ◀── Close
//	    └── bad credentials ──▶ AuthFailed ◀─┘
//
// Vocabulary: a link is one connection to one server; an attempt is one try to
// make a link; a chroot is a path that stands in front of every path on the wire
// and in front of none here. The rules, and the texts of errors and events, are
// those of Apache ZooKeeper's Java client, on which zkCli.sh is built.
//
// A request waits while there is no link, and is lost (ConnectionLoss) when the
// link breaks before its reply or when each server of the list has been tried in
// vain meanwhile. It is never sent twice.
//
// Differs from ZooKeeper: the original loses a request at the first failed
// attempt, so with a dead server in its list a one-shot command fails by chance.
//
// # Concurrency
//
// One goroutine per session makes links (run), and one, while the link is
// read-only, looks for a better server; the connection has its own. All of them end
// with Close. Methods may be called from any goroutine. Events are delivered one
// at a time and in order, before a reply that a server sent after them is handed out.
//
// Left out: changing the list of servers of a running session.
package session
