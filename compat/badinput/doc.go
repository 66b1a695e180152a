// Package badinput holds the suite of what no well-behaved client sends: frames
// and records that lie about their length, are cut off or random, op codes that
// do not exist, clients that never read, stop half-way through the handshake, or
// come by the thousand.
//
// For each case the answer of the original is written down, and the original is
// held to it when it is the target. A member of Holt must give the same answer or
// close that connection, and nothing else: a session beside it must go on being
// served, and the process must stay within its memory bound.
//
//	go test ./compat/badinput -target=holt
//
// Left out: bytes on the ports between members, which are for quorum's own
// tests; HTTP.
package badinput
