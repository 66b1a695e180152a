// Package kafka runs Apache Kafka, unmodified and in its ZooKeeper mode, as real
// processes on this machine: brokers on a coordination ensemble, and the
// command-line tools, against those or any other brokers. Config.Holt has it run
// the brokers of Holt in the same way.
//
//	         tools, clients
//	              │
//	broker 1 … broker n    <dir>/<id>/server.properties  data/  log
//	              │
//	an ensemble (compat/ensemble): Holt, or Apache ZooKeeper
//
// The jars are fetched by Maven once per checkout and kept in compat/.cache,
// which git ignores; Java is needed besides.
//
// The tests show that a Kafka cluster lives on Holt: topics are created,
// records produced and consumed while brokers and members of Holt are killed,
// and no acknowledged record is missing afterwards. A consumer of the kind that
// Kafka shipped before 2.0, with group, owners and offsets below /consumers, is
// played by the tests, since no client of that kind runs on today's Java.
//
// TestHandover has brokers of Kafka and Holt serve the same directory and tree, one
// after the other; TestDumpLog has Kafka's tool read files of Holt's.
//
//	go test ./compat/kafka -target=holt
//	go test ./compat/kafka -target=zookeeper
//
// A Cluster and its Brokers may be used from several goroutines; starting and
// stopping the same Broker is for one goroutine at a time.
//
// Left out: KRaft, TLS and SASL between brokers, several machines.
package kafka
