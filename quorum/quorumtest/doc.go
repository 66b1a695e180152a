// Package quorumtest puts members of an ensemble under test.
//
// [Machine] is a small state machine that keeps a digest of everything applied.
package quorumtest
