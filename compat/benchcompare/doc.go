// Command benchcompare runs the same loads against Holt and against Apache
// ZooKeeper on one machine and prints the figures, their ratios, and whether each
// one reaches what Holt must reach.
//
//	go run ./compat/benchcompare [-rounds 3] [-only set,failover] [-scale 1]
//
// Both kinds of server run side by side, as one server and then as three, and
// each load is given to one and then to the other, in rounds of changing order,
// after both were warmed up with it; a figure is the median over the rounds. The
// generator is `holt bench` in a process of its own. Both sync every write to
// disk; ZooKeeper's Prometheus provider is off, which would double its cost, and
// Holt's metrics are as they always are.
//
// Three measurements are not rounds of a load: a million (four million) nodes
// under one parent, on a fresh server each round, with the memory after and the time
// from a restart, right after a kill, to the first reply; and the leader killed under
// load, several times.
//
// With -against COMMIT an older Holt takes the place of ZooKeeper, and the table says of
// each figure whether it is worse by more than 5 %.
//
// The program only measures; its exit status says whether it could.
package main
