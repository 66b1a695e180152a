// Package migrate moves the data of an ensemble between Apache ZooKeeper and
// Holt, both stopped or, on the way out, with a member of Holt running.
//
//	Import   ZooKeeper's snapshot and logs ──znode/zkfile──▶ a data directory for a member
//	Export   a member's tree ──znode/zkfile──▶ a data directory for ZooKeeper
//
// What clients know goes along: zxids, stats, lists, TTLs, sessions with their passwords
// and ephemeral nodes. So clients go on with their sessions, if they find the
// servers under the same addresses.
//
// All members of an ensemble must begin with the same tree. Import is a function of the
// files it is given: the same files make the same tree, on any machine.
package migrate
