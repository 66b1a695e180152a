// Package checks is what the suites of Go's Kafka clients share: the checks, which
// are the same for all and described by the package comment of compat/kafkaclients,
// and what they want of a client.
package checks

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Patience bounds how long a check waits for what must happen.
const Patience = 45 * time.Second

// ErrLacks is returned by what a client cannot do.
var ErrLacks = errors.New("the client has no such feature")

// Partitions is how many partitions the topic of the check "group" has. All other topics have one.
const Partitions = 6

// Record is what is written and read. Offset is set in what was read; Partition is where to write.
type Record struct {
	Partition          int
	Offset             int64
	Key, Value, Header string // Header is the value of the header "header"
}

// Producing says how to write.
type Producing struct {
	Codec      string // none, gzip, snappy, lz4, zstd
	Idempotent bool
}

// Client is a client under test.
type Client interface {
	// Admin makes a topic of three partitions with retention.ms=7200000, sees both, and deletes it.
	Admin(topic string) error
	// Write writes the records and returns when all are acknowledged.
	Write(topic string, rs []Record, how Producing) error
	// Read reads partition 0 from its beginning until n records were seen, and a moment longer.
	Read(topic string, n int, committed bool) ([]Record, error)
	// Join becomes a member of the group of the topic's name. It calls assigned whenever the
	// partitions of the member change and seen for each record, and leaves when leave is called.
	Join(topic string, assigned func([]int), seen func(value string)) (leave func() error, err error)
	// ReadGroup reads n records as the only member of the topic's group; it commits the offset
	// after the last one if commit says so.
	ReadGroup(topic string, n int, commit bool) ([]Record, error)
	// Committed returns the offset that a group of the topic's name committed for partition 0.
	Committed(topic string) (int64, error)
	// Transact writes each batch in a transaction of its own, which is aborted if its name is
	// "aborted".
	Transact(topic string, batches []Batch) error
	// CommitInTransaction writes rs to topic and commits offset for the group in one transaction.
	CommitInTransaction(topic string, rs []Record, group string, offset int64) error
}

// Batch is what one transaction writes.
type Batch struct {
	Name    string
	Records []Record
}

// Main runs the checks of the stage that the command line names: BOOTSTRAP NAME STAGE.
func Main(open func(bootstrap []string) Client) {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: suite BOOTSTRAP NAME first|again")
		os.Exit(2)
	}
	s := suite{Client: open(strings.Split(os.Args[1], ",")), name: os.Args[2]}
	if os.Args[3] == "again" {
		run("restart", s.restart)
	} else {
		s.first()
	}
	fmt.Println("done")
}

type suite struct {
	Client
	name string
}

func (s suite) first() {
	run("admin", func() error { return s.Admin(s.name + "-admin") })
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		run(codec, func() error { return s.codec(codec) })
	}
	run("group", s.group)
	run("commit", s.commit)
	run("idempotent", s.idempotent)
	run("transaction", s.transaction)
	run("txn-offsets", s.txnOffsets)
}

// run runs one check and prints its line.
func run(name string, check func() error) {
	began := time.Now()
	switch err := check(); {
	case errors.Is(err, ErrLacks):
		fmt.Println("lacks", name, err)
	case err != nil:
		fmt.Println("FAIL", name, strings.ReplaceAll(err.Error(), "\n", " "))
	default:
		fmt.Printf("ok %s (%.1f s)\n", name, time.Since(began).Seconds())
	}
}

// records returns n records whose values compress.
func records(n int, prefix string) []Record {
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = Record{Key: fmt.Sprintf("key-%d", i), Header: fmt.Sprint(i), Value: fmt.Sprintf("%s-%d-%s", prefix, i, strings.Repeat("abcdefghij", 20))}
	}
	return rs
}

// Until waits until condition holds.
func Until(what string, condition func() bool) error {
	for end := time.Now().Add(Patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within %v", what, Patience)
		}
	}
	return nil
}

// soon repeats an assertion that may come true a moment later.
func soon(assertion func() error) error {
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err := assertion(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// same compares what was read with what was written, in order.
func same(got, want []Record) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i, g := range got {
		if w := want[i]; g.Key != w.Key || g.Value != w.Value || g.Header != w.Header {
			return fmt.Errorf("record %d is %.200q, want %.200q", i, fmt.Sprint(g), fmt.Sprint(w))
		}
	}
	return nil
}

func (s suite) codec(codec string) error {
	topic, rs := s.name+"-"+codec, records(100, "value")
	if err := s.Write(topic, rs, Producing{Codec: codec}); err != nil {
		return err
	}
	got, err := s.Read(topic, len(rs), false)
	if err != nil {
		return err
	}
	return same(got, rs)
}

func (s suite) commit() error {
	topic := s.name + "-commit"
	if err := s.Write(topic, records(100, "value"), Producing{}); err != nil {
		return err
	}
	if _, err := s.ReadGroup(topic, 50, true); err != nil {
		return err
	}
	return s.committed(topic, 50)
}

func (s suite) committed(group string, want int64) error {
	got, err := s.Committed(group)
	if err == nil && got != want {
		return fmt.Errorf("committed offset of %s is %d, want %d", group, got, want)
	}
	return err
}

func (s suite) idempotent() error {
	topic, rs := s.name+"-idempotent", records(500, "value")
	if err := s.Write(topic, rs, Producing{Idempotent: true}); err != nil {
		return err
	}
	got, err := s.Read(topic, len(rs), false)
	if err != nil {
		return err
	}
	return same(got, rs)
}

func (s suite) transaction() error {
	topic, one, two := s.name+"-txn", records(10, "one"), records(10, "two")
	if err := s.Transact(topic, []Batch{{"one", one}, {"aborted", records(10, "aborted")}, {"two", two}}); err != nil {
		return err
	}
	got, err := s.Read(topic, 20, true)
	if err != nil {
		return err
	}
	if err := same(got, slices.Concat(one, two)); err != nil {
		return fmt.Errorf("read_committed: %w", err)
	}
	all, err := s.Read(topic, 30, false)
	if err == nil && len(all) != 30 {
		err = fmt.Errorf("read_uncommitted: %d records, want 30", len(all))
	}
	return err
}

func (s suite) txnOffsets() error {
	group := s.name + "-txnin"
	if err := s.CommitInTransaction(s.name+"-txn", records(1, "offsets"), group, 7); err != nil {
		return err
	}
	// The markers are written after the producer was told of the end.
	return soon(func() error { return s.committed(group, 7) })
}

// restart: the brokers were restarted since the first stage.
func (s suite) restart() error {
	topic := s.name + "-commit"
	// Some clients hand it on that a coordinator has just begun to serve.
	if err := soon(func() error { return s.committed(topic, 50) }); err != nil {
		return err
	}
	got, err := s.ReadGroup(topic, 50, false)
	if err != nil {
		return err
	}
	for i, r := range got {
		if r.Offset != int64(50+i) {
			return fmt.Errorf("record %d has offset %d, want %d", i, r.Offset, 50+i)
		}
	}
	return soon(func() error { return s.committed(s.name+"-txnin", 7) })
}

// members is what the members of a group have read, and which partitions each has.
type members struct {
	mu       sync.Mutex
	values   map[string]bool // guarded by mu
	assigned [3][]int        // guarded by mu
}

func (m *members) assign(i int, partitions []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.assigned[i] = slices.Clone(partitions)
}

func (m *members) seen(value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[value] = true
}

// shared tells whether the members have as many partitions as sizes says, and all once.
func (m *members) shared(sizes [3]int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[int]bool)
	for i, ps := range m.assigned {
		if len(ps) != sizes[i] {
			return false
		}
		for _, p := range ps {
			all[p] = true
		}
	}
	return len(all) == Partitions
}

func (m *members) have(rs []Record) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !slices.ContainsFunc(rs, func(r Record) bool { return !m.values[r.Value] })
}

func (s suite) group() (err error) {
	topic, m := s.name+"-group", &members{values: make(map[string]bool)}
	var leave [3]func() error
	for i := range leave {
		l, err := s.Join(topic, func(ps []int) { m.assign(i, ps) }, m.seen)
		if err != nil {
			return err
		}
		leave[i] = sync.OnceValue(l)
		defer func() { err = errors.Join(err, leave[i]()) }()
	}
	if err := s.round(topic, m, [3]int{2, 2, 2}, "before"); err != nil {
		return err
	}
	if err := leave[2](); err != nil {
		return err
	}
	m.assign(2, nil)
	return s.round(topic, m, [3]int{3, 3, 0}, "after")
}

// round waits until the members share the partitions as said; then ten records for each
// partition must reach them.
func (s suite) round(topic string, m *members, sizes [3]int, prefix string) error {
	if err := Until(fmt.Sprintf("partitions shared %v", sizes), func() bool { return m.shared(sizes) }); err != nil {
		return fmt.Errorf("%w: %v", err, m.assigned)
	}
	rs := records(60, prefix)
	for i := range rs {
		rs[i].Partition = i % Partitions
	}
	if err := s.Write(topic, rs, Producing{}); err != nil {
		return err
	}
	return Until("60 records "+prefix, func() bool { return m.have(rs) })
}
