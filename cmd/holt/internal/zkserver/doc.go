// Package zkserver is zkServer.sh and zkServer-initialize.sh of ZooKeeper 3.9 for
// Holt: the same commands, arguments, environment, files, texts and exit codes,
// so that init scripts, Ansible roles and habits go on working.
//
//	zkServer.sh [--config DIR] COMMAND [CFG]
//	  conf dir: --config, $ZOOCFGDIR, ../conf, ../etc/zookeeper ──▶ zookeeper-env.sh, java.env
//	  start ──▶ holt serve CFG, detached ──▶ $ZOOPIDFILE or dataDir/zookeeper_server.pid
//	                                     └─▶ $ZOO_LOG_DIR/zookeeper-$USER-server-$HOSTNAME.out
//	  stop, restart, status, version, print-cmd; start-foreground serves in this process
//
// Vocabulary. The conf dir holds zoo.cfg and, as an option, shell files that set
// variables; those are read by a shell. The pid file holds the server's pid
// between start and stop.
//
// Reference: bin/zkServer.sh, bin/zkEnv.sh and bin/zkServer-initialize.sh of
// 3.9.4; client.FourLetterWordMain, version.VersionInfoMain.
//
// Differs from ZooKeeper:
//   - nothing is said about JMX, which Holt does not have,
//   - the log is in the .out file, since Holt logs to standard error; a start adds to it,
//     where the original begins it anew,
//   - stop waits until the process has ended, up to 30 s, and says so if it has
//     not; the original waits for a second and says STOPPED either way,
//   - restart does not wait for 3 s on top of that, and keeps --config; it stops no server
//     for a configuration with which none would start,
//   - start shows the end of what a server said that did not start,
//   - a zoo.cfg that cannot be read is one line, where the original greps it
//     several times and puts its pid file into the root directory,
//   - initialize --force removes Holt's data and never ZooKeeper's.
//
// A Script runs one command and is used by one goroutine. The package starts no
// goroutine; the server that start makes outlives it by design.
package zkserver
