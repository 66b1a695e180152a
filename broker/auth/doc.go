// Package auth decides who a client is and what it may do: SASL conversations,
// principals, access control lists, quotas.
//
//	token ──▶ Conversation (PLAIN, SCRAM) ──▶ Principal
//	Principal, host, operation, resource ──▶ Authorizer ──▶ allowed or not
//	Principal, client id, bytes or time  ──▶ Quotas ──▶ how long to mute
//
// Vocabulary, Kafka's throughout. A principal is a type and a name, as User:alice;
// who has not said who it is is User:ANONYMOUS. A mechanism is a way to prove it.
// A resource is a topic, a group, the cluster, a transactional id, a delegation
// token or a user; a pattern names one, all that begin with something, or all.
// A rule (an ACL entry) allows or denies a principal an operation on a pattern
// from a host. A quota is a rate that an entity, which is a user, a client id, or
// both, may use in the mean over the last seconds.
//
// The package does no IO, starts no goroutine, reads no clock and does not log:
// credentials come from a function, rules and quotas are put in as metadata changes,
// times are arguments. What a refused client is told is the caller's business, but
// for the texts of failed authentication.
//
// Concurrency: a Conversation belongs to one connection. Authorizer and Quotas may be
// used by any number of goroutines.
//
// Left out: TLS and its principals' certificates (broker/network maps distinguished
// names by DNRules), delegation tokens, Kerberos, OAuth.
package auth
