// Package suites runs what others wrote to test their own clients, as it is:
// no file of theirs is changed, and what they start as "ZooKeeper" is the
// server under test.
//
//	suite        where it is from                        how it gets its servers
//	kazoo        PyPI sdist, its folder kazoo/tests      runs "java ... QuorumPeerMain zoo.cfg"
//	go-zookeeper module source of github.com/…/zk        runs "$ZOOKEEPER_BIN_PATH/zkServer.sh"
//	Curator      jars of curator-recipes, -discovery;    package ensemble
//	             the program in testdata drives them
//	Patroni      Debian package, with PostgreSQL         package ensemble
//
// Both programs that the first two run are the command of the folder launcher,
// under their names: it starts Holt, or Apache ZooKeeper, on the zoo.cfg that the
// suite wrote. The suites need the flag -target (see package target) and bring
// what they need by package name, once per checkout, into compat/.cache:
//
//	go test ./compat/suites -target=holt -run TestKazoo -v
//
// Every test of a suite must pass, but for those in testdata/exceptions.txt: they
// stand there with the servers they fail on and the reason, and a line whose test
// passes after all fails the run, so that the list stays true.
//
// Tests of GSSAPI get a realm of their own from package kdc.
//
// Left out: tests that need TLS, which the exceptions name as well.
package suites
