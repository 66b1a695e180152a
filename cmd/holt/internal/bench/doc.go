// Package bench loads a ZooKeeper-protocol server and says what that cost.
//
// A Config names a load (get, set, watch, ...), the servers and how hard to
// press; Run gives a Report with throughput, latencies, errors and, for servers
// whose process ids it was given, CPU per operation and memory.
//
//	prepare ──▶ warm-up ──▶ measured ──▶ drain ──▶ clean up
//	nodes        lanes run   counted      lanes end    nodes deleted
//	             uncounted                sessions
//
// A lane is one connection of package wire/client with a session of its own. Lanes
// are spread over the servers in turn. Two ways to press:
//
//   - closed loop: a lane keeps a number of requests outstanding and sends the
//     next one when a reply arrives. All of it happens on the reader of the
//     connection, with requests copied from encoded templates, so that the
//     generator costs about a microsecond per operation and needs no locks.
//   - open loop (Config.Rate): requests fall due at fixed times, whether or not
//     replies come. Latency counts from the due time, so a server that stalls is
//     charged for the requests that it made wait.
//
// Latencies are kept in histograms with steps of at most 1/32; the maximum is
// exact. Requests whose reply is an error are counted by its code and are no
// part of throughput and latency.
//
// The fan-out of watches and the churn of connections have drivers of their own
// that fill the same Report.
//
// Nothing here reconnects: a lane whose connection breaks ends, and the Report
// says so. A script belongs to the one goroutine that sends the lane's requests, a
// tally to the reader of the lane's connection; what a Report is made of is
// collected after the lanes have ended.
//
// Left out: several generator machines, SASL.
package bench
