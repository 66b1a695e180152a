// Package compare drives one script at two servers of the ZooKeeper protocol and
// compares every byte that comes back: Apache ZooKeeper, the original, and Holt.
//
// A script is a list of steps, one line each: what a client does.
//
//	a connect
//	b connect timeout=8000
//	a create /x "hi" mode=e
//	b getData /x w
//	a closeSession
//
// The steps of a script fall into turns. A turn is what one client sends at once,
// without waiting; after a turn every other client that is connected sends a
// ping, and the turn is over when all have been answered:
//
//	client a ──req─req─req─ping──▶ ◀──reply─event─reply─reply─pong──
//	client b ───────────────────────────────ping──▶ ◀──event─pong──
//	         └─────────────── one turn ─────────────────────────────┘
//
// A server answers the requests of a connection in order and queues an event
// before the reply that could show its cause, so what each client receives in a
// turn is determined, byte for byte and in order, except for what Canon
// replaces: zxids (relative to the script's start), times, session ids and
// passwords, and the order of lists that have none. The result is a Transcript;
// two of them are equal or the first differing frame is the finding.
//
// Scripts come from three sources. testdata holds those written by hand, with
// the answers of the original beside them, so that they judge a server without
// the original being there. A Generator makes random ones from a seed. Shrink
// takes a random one on which the servers differ and leaves what is needed.
//
// Differences that are wanted stand in accepted.go, each with its reason.
//
// Two scripts must not run at the same server at once: they would see each
// other's zxids. A Side is for one goroutine; the two Sides of a Pair run each in
// its own.
//
// Left out: reloads of certificates, SASL but for DIGEST-MD5, the AdminServer (compat/operators), reconfiguration
// (compat/reconfig), and answers that depend on real time other than expiry and reaping.
package compare
