// Command holt runs Holt: a server of an ensemble, a Kafka-style broker, a
// throw-away server or ensemble for development, and the tools around them.
//
//	holt serve [zoo.cfg]   a server, configured as ZooKeeper is
//	holt config check, show
//	                       what Holt makes of a zoo.cfg, and where a value comes from
//	holt zkserver start    zkServer.sh; the command is that script under its name
//	holt entrypoint        what a container runs first
//	holt broker [server.properties]
//	                       a broker, configured as Kafka is
//	holt dev [-n 3]        one server and broker, or three, without configuration
//	holt topic, produce, consume, group
//	                       what there is to do with a Kafka cluster, this one or another
//	holt import, export    data from Apache ZooKeeper, and back
//	holt backup            create, list, verify, restore
//	holt bench             load for any server that speaks ZooKeeper's protocol
//	holt version
//
// The package is glue: flags, files, environment, signals and exit codes. What
// is asked for goes to standard output; everything else, the log included, goes
// to standard error.
//
// Exit codes, as far as they go the original's:
//
//	0  done, or stopped by SIGTERM or SIGINT
//	1  anything without a code of its own, as a port in use
//	2  wrong command line or configuration; a directory that has no data to read, or some where none may be
//	3  data directory or disk: it cannot be used, is damaged, or failed while running
//
// and of the commands for a Kafka cluster:
//
//	4  no such topic, partition or group
//	5  exists already, or is in use
//	6  not permitted
//	7  no broker answers, or not in time
//	8  some of what was asked for was done
package main

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

func main() {
	args := commandLine(os.Args)
	if serves(args) {
		relaxTimers()
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, stop: stop,
		argv0: os.Args[0], getenv: os.Getenv, environ: os.Environ,
		giveUpRoot: giveUpRoot, notify: notifySystemd, watchdog: watchdogInterval, tuned: new(sync.Once),
	}
	a.start = a.startServer
	a.startBroker = a.startBrokerHere
	os.Exit(a.run(args))
}

// serves reports whether a command line starts servers in this process, for as long as it runs. What is asked of
// a broker (holt broker list) passes for that, and starts a few milliseconds later.
func serves(args []string) bool {
	switch {
	case len(args) == 0:
		return false
	case args[0] == "zkserver":
		return slices.Contains(args, "start-foreground")
	}
	return slices.Contains([]string{"serve", "dev", "broker"}, args[0])
}
