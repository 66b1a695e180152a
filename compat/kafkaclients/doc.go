// Package kafkaclients runs Kafka clients that nobody here wrote, unmodified,
// against three broker processes.
//
//	topics made ── stage "first" ── all brokers stopped and started ── stage "again"
//	               each client:                                        each client:
//	               its suite BOOTSTRAP NAME first                      … again
//	                     │ one line per check
//	                     ▼
//	               table of clients and checks (-page FILE), after a look at
//	               what the brokers hold: codecs, producer ids, transactions
//
// The clients: kcat with Debian's librdkafka, confluent-kafka with the newest,
// Java's kafka-clients and Kafka's command-line tools in two versions each,
// franz-go, sarama, segmentio/kafka-go, kafkajs and kafka-python. Every one has a
// suite in its language: in testdata, or, for Go, in the module goclients, which is
// nested so that the product's go.mod does not take in what only these clients need.
//
// What a suite must do; topics begin with NAME, have one partition unless said
// otherwise, and exist before:
//
//	admin        make NAME-admin with 3 partitions and a retention, see both, delete it
//	none … zstd  write 100 records with key, value and header, and that compression, to
//	             NAME-<codec>; read the same ones back, in order
//	group        three members of group NAME-group read the six partitions of NAME-group,
//	             two each; one leaves, and the others have three each; records written
//	             before and after all arrive
//	commit       write 100 records to NAME-commit; a group of that name reads 50, commits
//	idempotent   write 500 records in many batches to NAME-idempotent by an idempotent
//	             producer; they are there once and in order
//	transaction  write 10 records to NAME-txn in a transaction, 10 in one that is aborted,
//	             10 in a third; read_committed sees 20, read_uncommitted 30
//	txn-offsets  commit offset 7 of NAME-txnin for a group of that name in a transaction
//	restart      (stage again) group NAME-commit is at 50 and reads the other 50 records;
//	             group NAME-txnin is at 7
//
// It prints "ok CHECK detail", "FAIL CHECK reason", or "lacks CHECK reason" where the
// client has no such feature, and "done" at its end.
//
// TestFranzGo runs the tests of franz-go's package kgo as they come in its module.
//
//	go test ./compat/kafkaclients -target=holt                    brokers of Holt
//	go test ./compat/kafkaclients -target=holt -brokers=kafka     of Apache Kafka 3.9, to test the suites
//
// Clients are fetched by their package managers into compat/.cache, once.
//
// TestSecured has the console clients in Java, kcat and franz-go connect over TLS, with
// and without certificates of their own, and by SASL, to brokers that talk to each
// other in the same way and ask an authorizer.
//
// TestNearby has consumers in Java, of librdkafka and in Go read from a follower in their
// rack, until it is killed.
//
// Left out: the failure of a broker under load (see compat/brokerkills).
package kafkaclients
