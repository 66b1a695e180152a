// Package auth turns what a client proves into identities.
//
//	auth packet: scheme, credentials ──▶ Registry.Authenticate ──▶ identities
//	SASL tokens ──▶ SASLExchange.Step ──▶ principal ──rules──▶ identities
//
// An auth packet names a scheme and carries credentials. Of the schemes only
// digest takes any: the identity is the user name and a hash of name and
// password, and who matches the operator's super digest is the superuser too.
// The scheme ip needs no packet (the connection has it from its start), and
// world, super and sasl are not to be had by one. A login by SASL (package sasl) proves a
// principal, of which rules make the identity of the scheme sasl.
//
// Which identities an ACL lets through is the tree's business (znode): it has to
// be the same on every member. Here is what is local to one: the hash, and who
// is super.
//
// Concurrency: a Registry does not change after New and may be used from any
// goroutine; a SASLExchange is its connection's reader's.
//
// Left out: TLS certificates.
package auth
