// Package broker is one running Kafka-style broker: unmodified Kafka clients use it
// over TCP, and it works with other brokers through a tree that they share.
//
// An embedding program fills a Config, calls Start and, at the end, Close.
package broker
