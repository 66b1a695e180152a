// Package operators compares what operators see of Holt with what they see of Apache
// ZooKeeper 3.9.4: the documents of the AdminServer and the names and types of metrics,
// from a leader, a follower and an observer that have had the same work.
//
//	make compare-operators
//
// What must be equal is what a program that reads the answers relies on: names and types
// of JSON, names, types and labels of metrics. Values are up to clocks and disks; the texts
// of server/admin/testdata/original pin some.
//
//	testdata/metrics.txt   names and types of the original's metrics, recorded with -rewrite
//	testdata/absent.txt    those that Holt does not have, each with the reason
//	testdata/documents.txt differences between documents that are wanted, each with the reason
//
// An entry that is not needed any more is an error, as one that is missing.
//
// The lines of the audit log are compared too, as clients of each role make both sides write them.
//
// Left out: four-letter words (compat/compare).
package operators
