// Package quorum is one Raft member: it replicates entries, which it does not
// understand, and applies them to a state machine.
//
// TODO: the drawing of the loop.
package quorum
