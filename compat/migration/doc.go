// Package migration moves data between Apache ZooKeeper and Holt, as processes, and
// compares what clients find before and after.
//
//	record   starts ZooKeeper 3.4 to 3.9, has them write files, and keeps these with what a
//	         client was told, for the tests of znode/zkfile (-rewrite)
//	replay   kills ZooKeeper under load and compares what it makes of its own files with
//	         what Holt makes of them
//	move     stops the one, moves its data, starts the other, while clients keep their sessions
//	kills    imports, backups and restores are killed, at random and at each system call that
//	         changes a file
//
// Trees are compared as text: every node with data, ACL and stat, as a client reads them.
package migration
