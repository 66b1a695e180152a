// Package admin is what operators see of a member: the four-letter words on the
// client port, and commands, metrics and health over HTTP. Everything it shows it
// draws from one Source, which the server implements, but for the snapshots it hands on and takes; it
// changes nothing but the statistics that crst, srst and orst reset.
//
//	client port ──4 bytes────────────────▶ ParseWord ─▶ Words.Answer ─┐
//	HTTP ──GET /commands/NAME─▶ HTTP ─▶ Commands ─────────────────────┼─▶ Source (server)
//	     └─GET /metrics, /livez, /readyz ─▶ HTTP ─────────────────────┘
//	                                             text and JSON of ZooKeeper 3.9.4
//
// Vocabulary. A word is one of ZooKeeper's four-letter words. The whitelist is
// the set of words a member answers. A list is an answer with a line per
// connection, session, ephemeral or watch.
//
// Concurrency. Words and HTTP may be used from any number of goroutines. Lists
// are made one at a time, and from at most ListMax things, so that an answer
// bounds its own cost; one that was cut ends in a line, or a field, that says so,
// which is the one place where the form differs from the original's.
//
// Names. Metrics carry the names of ZooKeeper's own where the same thing is
// measured, and begin with holt_ where it has none. Times are milliseconds in
// the first and seconds in the second. mntr shows ZooKeeper's alone.
//
// Left out: how a snapshot is made and restored (package server), and the web console.
package admin
