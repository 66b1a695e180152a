// Package brokersuite holds the broker's way to its coordination service against the
// services themselves: metadatatest.Suite, and clusters of ten thousand partitions.
//
//	go test ./compat/brokersuite                       Holt in the test's process, over memory
//	go test ./compat/brokersuite -target=holt          three Holt processes, over TCP
//	go test ./compat/brokersuite -target=zookeeper     three Apache ZooKeeper processes
//
// Every test works below a chroot of its own. Connections go through a gate, which
// cuts them, or keeps a session from reconnecting until it has expired.
package brokersuite
