package kafka

import (
	"context"
	"fmt"

	"holt/compat/ensemble"
)

// Kind names the program that the brokers of a cluster run.
type Kind string

const (
	// Kafka is Apache Kafka in its ZooKeeper mode, in the version of Version.
	Kafka Kind = "kafka"
	// Holt is the broker of this module, built from the working tree.
	Holt Kind = "holt"
)

// ParseKind returns the kind called name, or an error that lists the names.
func ParseKind(name string) (Kind, error) {
	switch k := Kind(name); k {
	case Kafka, Holt:
		return k, nil
	}
	return "", fmt.Errorf("unknown broker %q: want %s or %s", name, Kafka, Holt)
}

// Command returns what Config.Holt wants for the kind: the path of the command holt, which is
// built first, or "".
func (k Kind) Command(ctx context.Context) (string, error) {
	if k == Holt {
		return ensemble.BuildHolt(ctx)
	}
	return "", nil
}
