// Package kafka is what the command line does with topics, messages and
// consumer groups of any cluster that speaks Kafka's protocol: the commands
// topic, produce, consume, group and broker.
//
//	New, Broker ──▶ cobra commands ──▶ session (client.go) ──▶ franz-go's kgo and kadm
//	                        │
//	                        ├─ tables for people, JSON for programs ──▶ standard output
//	                        └─ Failure, with the process's exit code ──▶ caller
//
// Vocabulary: the end of a partition is its high watermark, the offset that the
// next record which consumers may see will have; a group's lag is the end minus
// the offset it has committed.
//
// A command runs until it is done or its context ends: a signal ends consume
// --follow with success, and any other command with what it has done so far.
// What is asked for goes to Out; talk goes to Err. The exit codes are those of
// Failure. Flags of Kafka's own scripts (--bootstrap-server, --topic,
// --from-beginning, ...) are taken where they mean the same.
//
// The commands run in the goroutine that calls them; kgo's own end when the
// session is closed, which every command does before it returns.
//
// Left out: ACLs, quotas and users; schemas; anything that reads a broker's
// files.
package kafka
