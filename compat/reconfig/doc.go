// Package reconfig changes the members of an ensemble of real processes:
//
//	TestScripts        what a reconfig answers, what /zookeeper/config holds, which events fire and
//	                   what is in the files; recorded from Apache ZooKeeper (-rewrite with
//	                   -target=zookeeper) and the same of Holt
//
// What becomes of writes while members change is the business of package history.
//
// It needs -target.
package reconfig
