// Command benchbroker puts the same loads on Holt's broker and on Apache Kafka, in turn
// on one machine, and prints the figures, their ratios, and whether each one reaches what
// Holt must reach.
//
//	go run ./compat/benchbroker [-rounds 3] [-only produce-1,consume,latency,memory,start] [-scale 1]
//
// Both kinds run on a Holt member of their own, first as one broker and then as three with
// every partition on all of them. A load is given to one and then to the other, in rounds of
// changing order, after both were warmed up with it; a figure is the median over the rounds.
// The client is franz-go in this process for both; it runs on the same cores, so that a
// throughput is that of client and brokers together, and CPU per MB is of the broker
// processes alone. Records are random bytes, not compressed.
//
// Two measurements are not rounds of a load: the memory (resident) of a fresh broker that holds
// 1,000 partitions, each with some records, and the time from a process's start until it
// serves and is listed.
//
// The program only measures; its exit status says whether it could.
package main
