// Command metricscost measures what metrics cost a server: it runs one under loads of holt
// bench, profiles its CPU and says which share of the samples are in metrics.
//
//	metricscost ─▶ itself as server ──CPU profile──▶ go tool pprof, with a focus
//	     └───────▶ holt bench, one load after another
//
// Two shares are printed. "Counting" is what package wire/metric and the functions that feed
// it take. "With the clock" adds every reading of the clock in the process but the scheduler's, whatever it is for:
// most are for latencies, and none of the others could be left out, so it is an upper bound.
// Both are shares of all samples of the server's process, kernel included.
//
// The exit code is 1 if counting and clock take more than 2 % under a load whose throughput
// is bound by the server's CPU.
package main
