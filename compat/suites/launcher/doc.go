// Command launcher stands in for the programs by which client suites start
// Apache ZooKeeper. Installed under one of their names it reads their command
// line and starts the server under test on the same zoo.cfg:
//
//	java -cp … -Dname=value … org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg
//	zkServer.sh start-foreground zoo.cfg        (properties in $SERVER_JVMFLAGS)
//
// The environment says what that server is: SUITE_SERVER, holt or zookeeper, and
// SUITE_PROGRAM, the path of the holt binary or of java; SUITE_CLASSPATH is for the
// latter.
//
// It stays the parent of the server: a signal to end reaches the server, whose exit
// code becomes its own, and when it is killed the server dies too.
//
// One thing is changed on the way. Under the name zkServer.sh the clients' port is a front that
// writes the date in the answer to srvr as ZooKeeper before 3.6 did: go-zookeeper's own tests
// wait for a server until they can read it, and can read no newer one, Apache's included.
package main
