// Package simnet is a network in memory for tests: hosts with listeners and
// connections that behave like TCP on a network that delays, loses and partitions.
//
// A [Network] has [Host]s by name; an address is "host:port". Between two hosts
// a [Link] says, for each direction, how long a segment takes and how often one is lost.
// As TCP sends again, a lost segment arrives late, and what was written after it not
// before. While a direction is cut nothing arrives, ends of connections included;
// what was sent meanwhile arrives when it heals. A host that crashes resets its
// connections, at once and visibly to its peers unless they are cut off; so does
// the kernel for a process that is killed.
//
//	a.Dial("b:1") ──▶ pipe a→b: segments with a time of arrival ──▶ b's conn
//	                  pipe b→a  ◀──
//
// Everything may be called from any goroutine. Time is the time package's, so
// that in a testing/synctest bubble delays cost nothing; the losses follow the seed,
// as far as the order of goroutines does.
//
// Not here: doubled and reordered messages, which TCP does not have (quorumtest
// has them), bandwidth, and addresses other than names.
package simnet
