package brokerkills

import (
	"slices"
	"testing"
	"time"
)

// good returns a history in which all is well: two producers, one of them transactional, on one
// partition with two replicas.
//
//	offset  0        1        2 (txn 1) 3 commit  4 (txn 2)  5 abort  6
//	record  1/0      1/1      2/0                 2/1                 1/2
func good() *History {
	log := []Entry{
		{ID: ID{1, 0}, Offset: 0, Sum: 10, Epoch: 0}, {ID: ID{1, 1}, Offset: 1, Sum: 11, Epoch: 0},
		{ID: ID{2, 0}, Offset: 2, Sum: 20, Epoch: 1}, {Control: true, Offset: 3, Epoch: 1},
		{ID: ID{2, 1}, Offset: 4, Sum: 21, Epoch: 1}, {Control: true, Offset: 5, Epoch: 1},
		{ID: ID{1, 2}, Offset: 6, Sum: 12, Epoch: 2},
	}
	pick := func(offsets ...int64) []Entry {
		var out []Entry
		for _, o := range offsets {
			e := log[o]
			e.Epoch = 0
			out = append(out, e)
		}
		return out
	}
	return &History{
		Writes: []Write{
			{ID: ID{1, 0}, Sum: 10, Acked: true, Offset: 0, Done: 1 * time.Second},
			{ID: ID{1, 1}, Sum: 11, Acked: true, Offset: 1, Done: 2 * time.Second},
			{ID: ID{2, 0}, Sum: 20, Txn: 1, Acked: true, Offset: 2, Done: 3 * time.Second},
			{ID: ID{2, 1}, Sum: 21, Txn: 2, Acked: true, Offset: 4, Done: 4 * time.Second},
			{ID: ID{1, 2}, Sum: 12, Acked: true, Offset: 6, Done: 6 * time.Second},
			{ID: ID{1, 3}, Sum: 13}, // given up, and not in the log
		},
		Txns: map[int64]Outcome{1: Committed, 2: Aborted},
		Readers: []Reader{
			{Name: "uncommitted", Entries: pick(0, 1, 2, 4, 6)},
			{Name: "committed", Committed: true, Entries: pick(0, 1, 2, 6)},
		},
		Replicas: []Replica{{Broker: 1, Entries: slices.Clone(log)}, {Broker: 2, Entries: slices.Clone(log)}},
		Samples:  []Sample{{High: 0}, {High: 4, Epoch: 1}, {High: 4, Epoch: 1}, {High: 7, Epoch: 2}},
		Owners:   []Owner{{Group: "g", Generation: 1, Member: "a"}, {Group: "g", Generation: 2, Member: "b"}},
		Commits: []Commit{
			{Group: "g", Member: "a", Generation: 1, Offset: 2, Delivered: 3, Acked: true},
			{Group: "g", Member: "b", Generation: 2, Offset: 7, Delivered: 7, Acked: true},
		},
		Final:   map[string]map[int32]int64{"g": {0: 7}},
		Probes:  []Probe{{Rule: "K13", Question: "fetch at the end", Got: "NONE", Want: "NONE"}},
		Outages: []Outage{{Fault: "kill -9 of broker 1", Ended: 5 * time.Second, Partitions: []int32{0}, Limit: 2 * time.Second}},
	}
}

func TestGoodHistoryPasses(t *testing.T) {
	if found := Check(good()); len(found) > 0 {
		t.Errorf("a good history is found wrong: %v", found)
	}
}

// TestDoctoredHistories makes the good history wrong in one way each, and expects the rule that
// is there for it to see that.
func TestDoctoredHistories(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		doctor     func(h *History)
	}{
		{"two replicas differ at an offset", "K1", func(h *History) { h.Replicas[1].Entries[1].ID = ID{1, 3} }},
		{"a reader got another record than was acknowledged there", "K1", func(h *History) { h.Readers[0].Entries[4].ID = ID{1, 3} }},
		{"acknowledged at an offset that holds another", "K1", func(h *History) { h.Writes[4].Offset = 2 }},
		{"a hole in a log", "K1", func(h *History) {
			for i := range h.Replicas {
				h.Replicas[i].Entries[6].Offset = 9
			}
			h.Readers[0].Entries[4].Offset, h.Readers[1].Entries[3].Offset, h.Writes[4].Offset = 9, 9, 9
		}},
		{"an acknowledged record is in no log", "K2", func(h *History) { h.Writes[5].Acked, h.Writes[5].Offset = true, 7 }},
		{"one replica lacks an acknowledged record", "K2", func(h *History) { h.Replicas[0].Entries = h.Replicas[0].Entries[:6] }},
		{"a reader was not given the last record", "K2", func(h *History) { h.Readers[1].Entries = h.Readers[1].Entries[:3] }},
		{"a record twice", "K3", func(h *History) {
			for i := range h.Replicas {
				h.Replicas[i].Entries = append(h.Replicas[i].Entries, Entry{ID: ID{1, 2}, Offset: 7, Sum: 12, Epoch: 2})
			}
		}},
		{"a producer's records in another order", "K3", func(h *History) {
			for i := range h.Replicas {
				e := h.Replicas[i].Entries
				e[0].ID, e[1].ID = e[1].ID, e[0].ID
			}
		}},
		{"the end goes back", "K4", func(h *History) { h.Samples[2].High = 3 }},
		{"a record that was read is gone", "K4", func(h *History) {
			h.Readers[0].Entries = append(h.Readers[0].Entries, Entry{ID: ID{1, 3}, Offset: 7, Sum: 13})
		}},
		{"a reader skips", "K5", func(h *History) { h.Readers[0].Entries = slices.Delete(h.Readers[0].Entries, 1, 2) }},
		{"a reader skips a committed transaction", "K5", func(h *History) { h.Readers[1].Entries = slices.Delete(h.Readers[1].Entries, 2, 3) }},
		{"a reader begins late", "K5", func(h *History) { h.Readers[0].Entries = h.Readers[0].Entries[1:] }},
		{"a reader steps back", "K5", func(h *History) { h.Readers[0].Entries = append(h.Readers[0].Entries, h.Readers[0].Entries[1]) }},
		{"committed beyond what was delivered", "K6", func(h *History) { h.Commits[0].Delivered = 1 }},
		{"two owners", "K6", func(h *History) { h.Owners[1].Generation = 1; h.Commits = nil }},
		{"a zombie commits", "K6", func(h *History) { h.Commits[0].Generation = 2 }},
		{"a commit is lost", "K6", func(h *History) { h.Final["g"][0] = 2 }},
		{"bytes change", "K7", func(h *History) { h.Readers[0].Entries[0].Sum++ }},
		{"bytes change on disk", "K7", func(h *History) { h.Replicas[0].Entries[0].Sum++; h.Replicas[1].Entries[0].Sum++ }},
		{"a record from nowhere", "K7", func(h *History) { h.Writes = slices.Delete(h.Writes, 1, 2) }},
		{"a replica is behind after its recovery", "K8", func(h *History) { h.Replicas[1].Entries = h.Replicas[1].Entries[:5] }},
		{"the log start goes back", "K9", func(h *History) { h.Samples[1].Start = 1 }},
		{"an old leader's batch after a newer one's", "K10", func(h *History) { h.Replicas[0].Entries[6].Epoch, h.Replicas[1].Entries[6].Epoch = 0, 0 }},
		{"a stale epoch is served", "K10", func(h *History) {
			h.Probes = append(h.Probes, Probe{Rule: "K10", Question: "fetch with an old epoch", Got: "NONE", Want: "FENCED_LEADER_EPOCH"})
		}},
		{"the log ends before what clients were told", "K11", func(h *History) { h.Samples[3].High = 8 }},
		{"the time index is wrong", "K12", func(h *History) {
			h.Probes = append(h.Probes, Probe{Rule: "K12", Question: "offset for a time", Got: "3", Want: "2"})
		}},
		{"a wrong code past the end", "K13", func(h *History) { h.Probes[0].Got = "UNKNOWN_SERVER_ERROR" }},
		{"an aborted record is shown", "TXN", func(h *History) {
			h.Readers[1].Entries = slices.Insert(h.Readers[1].Entries, 3, h.Readers[0].Entries[3])
		}},
		{"half a transaction is shown", "TXN", func(h *History) {
			h.Writes[0].Txn = 1
			h.Readers[1].Entries = slices.Delete(h.Readers[1].Entries, 2, 3)
		}},
		{"acknowledgements resume late", "ACK", func(h *History) { h.Outages[0].Ended = 3500 * time.Millisecond; h.Writes[3].Done = 0 }},
		{"acknowledgements never resume", "ACK", func(h *History) { h.Outages[0].Ended = 7 * time.Second }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := good()
			c.doctor(h)
			found := Check(h)
			if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == c.rule }) {
				t.Errorf("%s is not found; found %v", c.rule, found)
			}
		})
	}
}
