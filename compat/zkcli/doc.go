// Package zkcli compares cmd/zkcli with the command line of Apache ZooKeeper,
// ZooKeeperMain: the same lines go through both, each against a server of its own that
// starts empty, and what they write to stdout and stderr and how they end must be
// the same.
//
// The lines are in testdata:
//
//	session-*.txt  lines of one interactive session, piped in; a header says how to start
//	oneshot.txt    command lines of the program, each a process of its own
//	accepted.txt   differences that are meant to be, each with its reason
//
// The original writes events whenever they come, so the two streams are taken
// apart first: events, which must come in the same order; and for each line what it
// wrote to stdout, to stderr, and its exit code. In stderr lines are told apart by
// markers: a command after each line whose complaint holds a number. Times, ports, session
// ids and Java's log are taken out; zxids stay in interactive sessions, so both must
// have sent the same changes.
//
// Any server will do (-target), since only the two programs are compared.
//
// Left out: what is beyond the original (package tests of cmd/zkcli), and how
// lines are edited on a terminal.
package zkcli
