// Package history records what clients did to an ensemble and what they were
// told, and judges it: every acknowledged write is there with its stat, none
// appears twice, sessions and ephemerals are right, all members hold the same.
//
//	Client ──▶ Op, Op, Op ──┐
//	Client ──▶ Op, Op ──────┼─▶ History ──┐
//	   each reply, or that  │             ├─▶ Check ─▶ violations
//	   there was none       ┘   States ───┘
//	                            what every member holds in the end
//
// Vocabulary. An Op is one request with its outcome. Its outcome is known when a
// reply came, and unknown when the connection broke first: then the member may
// have done it or not, and both must be allowed for. Every write carries a token
// of its own as data, so that what is found in the tree can be traced to the one
// Op that wrote it. A State is a copy of a subtree as one member showed it after a
// sync.
//
// Check trusts nothing but the replies. What it looks at is listed at its rules
// (rules.go); each has a test with a history made wrong in just that way, and a
// rule that could not see that would fail there.
//
// A Client is used by one goroutine. A Recorder is safe for concurrent use. Check
// is a pure function.
//
// The ensembles under load are made to suffer:
//
//	kill_test.go         members are killed at random
//	change_test.go       members come and go, and are killed meanwhile; leaders hand over
//	changesteps_test.go  they are killed at each step of a change
//	upgrade_test.go      they become another version, one after another
//
// Left out: watches, ACLs, quotas, and the search for a linearization without the
// servers' zxids.
package history
