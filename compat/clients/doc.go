// Package clients runs clients that nobody here wrote, unmodified, against an
// ensemble of three server processes.
//
// The clients are go-zookeeper/zk, kazoo with its recipes, the C client through
// its command line cli_mt and its library, and the Java client through
// ZooKeeperMain (zkCli.sh) and its library. Each one goes through the same
// stations: connect to one of three members, data, watches, ephemerals that
// vanish on close and when the client is killed, sequences, multi, and the loss
// of the member it is connected to, which must cost it neither its session nor
// its ephemerals and watches.
//
// The suites need the flag -target (see package target):
//
//	go test ./compat/clients -target=holt
//
// Suites of clients in other languages live in testdata. They are started with
// the members' addresses as argument and talk to the test by lines: a suite
// writes "kill <port>" to have the member with that client port killed, and
// reads "done"; every line "ok <station>" is a station passed.
//
// Logins by SASL have a server of their own, with users. Those of members by Kerberos are here too, for the KDC's sake.
//
// TLS has a server of its own, too, with stores that keytool makes; its tests pass against
// Apache ZooKeeper as they are (-target=zookeeper). So do those of revocation but for the outcomes that say why
// they differ: some fifty states of lists and OCSP responders, and whom the server lets in.
//
// Left out: the clients' own test suites; TLS and SASL of the C client, without which
// Debian builds it: it logs in by the scheme digest.
package clients
