package brokerkills

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"holt/broker/record"
	"holt/compat/kafka"
)

// readReplicas reads the segment files of all brokers, none of which runs.
func readReplicas(brokers []*kafka.Broker) ([]Replica, error) {
	var out []Replica
	for _, b := range brokers {
		for p := range int32(partitions) {
			dir := filepath.Join(b.DataDir(), fmt.Sprintf("%s-%d", topic, p))
			entries, err := readLog(dir)
			if err != nil {
				return nil, fmt.Errorf("broker %d: %w", b.ID(), err)
			}
			out = append(out, Replica{Broker: b.ID(), Partition: p, Entries: entries})
		}
	}
	return out, nil
}

// readLog returns the records of a partition's segments.
func readLog(dir string) ([]Entry, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read %s: no segments", dir)
	}
	slices.Sort(names) // by base offset: they have twenty digits
	var entries []Entry
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for batch, err := range record.All(b) {
			if err == nil {
				err = batch.Check()
			}
			if err == nil {
				entries, err = appendEntries(entries, batch)
			}
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	return entries, nil
}

func appendEntries(entries []Entry, batch record.Batch) ([]Entry, error) {
	for r, err := range batch.Records(record.NewDecompressor(1 << 24)) {
		if err != nil {
			return nil, err
		}
		e := Entry{Offset: r.Offset, Control: batch.IsControl(), Epoch: batch.PartitionLeaderEpoch(), Time: r.Timestamp}
		if !e.Control {
			id, idErr := idOf(r.Value)
			if idErr != nil {
				return nil, errors.Join(fmt.Errorf("offset %d", r.Offset), idErr)
			}
			e.ID = id
			var headers []kgo.RecordHeader
			for _, h := range r.Headers {
				headers = append(headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
			}
			e.Sum = sumOf(r.Key, r.Value, headers)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
