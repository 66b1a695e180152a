// Package reconfig changes the members of an ensemble of real processes:
//
//	TestScripts        what a reconfig answers, what /zookeeper/config holds, which events fire and
//	                   what is in the files; recorded from Apache ZooKeeper (-rewrite with
//	                   -target=zookeeper) and the same of Holt
//
//	TestServerLines    what clientPort, secureClientPort and the client parts of server lines come to, and
//	                   which of them are refused together (config/lines.txt, recorded likewise)
//
// What becomes of writes while members change is the business of package history.
//
// All but TestServerLines need -target.
package reconfig
