package txn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// script steps one core, of partition 3 with coordinator epoch 5. Time stands still unless advanced; it
// begins at 1,000,000 ms of the wall clock. Producer ids are 1000, 1001, … LABEL names a request, so that
// a later answer can be told.
//
//	config [max=D] [expiration=D] [ids=N]            begin anew with settings and an empty log
//	init LABEL [id=T] [timeout=D] [pid=N epoch=N] [v=N]
//	add LABEL id=T pid=N epoch=N topics=(T:P,…) [v=N] [bad=(T:P,…)] [verify]
//	end LABEL id=T pid=N epoch=N commit|abort [v=N]
//	marked T [topics=(T:P,…)] [code=N]               what became of markers sent for a transactional id: of
//	                                                 those of some partitions, or of all
//	describe T      list [states=(…)] [pids=(…)] [longer=D]
//	log auto|hold   ack [N] [code=C]                 acknowledge appends at once, or keep them and do it later
//	advance D       time passes, timer by timer
//	epochs T PID N  the transactional id has come to an epoch
//	epoch N         the next term, of the same leader
//	crash N         another core loads what was acknowledged, with coordinator epoch N
//	lost            the partition goes to another broker: kept appends fail
//	dump            the log
type script struct {
	t    *testing.T
	c    Config
	core *core
	out  *journal.Outbox
	now  journal.Instant
	ids  int64
	hold bool
	held []heldWrite
	log  []record.Batch // nil where an append failed
	sent map[string][]Markers
	text strings.Builder
}

type heldWrite struct {
	at   int64
	done journal.Done
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		s := &script{t: t}
		s.begin(Config{})
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			s.text.Reset()
			s.run(t, d)
			if s.text.Len() == 0 {
				return "ok\n"
			}
			return s.text.String()
		})
	})
}

func (s *script) begin(c Config) {
	s.ids, s.hold, s.held, s.log = 1000, false, nil, nil
	s.c = c.withDefaults()
	s.now = journal.Instant{Up: time.Hour, Unix: 1_000_000}
	s.load(5)
}

func (s *script) load(epoch int32) {
	s.sent = make(map[string][]Markers)
	s.out = new(journal.Outbox)
	s.core = newCore(s.c, 3, epoch, s.out, func(m Markers) {
		s.sent[m.TransactionalID] = append(s.sent[m.TransactionalID], m)
		fmt.Fprintf(&s.text, "  markers %s %d/%d commit=%v epoch=%d:", m.TransactionalID, m.ProducerID, m.ProducerEpoch, m.Commit, m.CoordinatorEpoch)
		for _, p := range m.Partitions {
			fmt.Fprintf(&s.text, " %s:%d", p.topic, p.partition)
		}
		s.text.WriteByte('\n')
	})
	for _, b := range s.log {
		if b == nil {
			continue
		}
		if err := s.core.Replay(b); err != nil {
			s.t.Fatal(err)
		}
	}
	s.core.Loaded(s.now)
}

// args are the arguments of a command.
type args struct {
	t   *testing.T
	d   *datadriven.TestData
	pos []string
}

func (a *args) has(key string) bool {
	return slices.ContainsFunc(a.d.CmdArgs, func(c datadriven.CmdArg) bool { return c.Key == key })
}

func (a *args) list(key string) []string {
	for _, c := range a.d.CmdArgs {
		if c.Key == key {
			return c.Vals
		}
	}
	return nil
}

func (a *args) str(key, def string) string {
	if v := a.list(key); len(v) > 0 {
		return v[0]
	}
	return def
}

func (a *args) parse(v string) int64 {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", a.d.Pos, err)
	}
	return n
}

func (a *args) num(key string, def int64) int64 {
	if v := a.str(key, ""); v != "" {
		return a.parse(v)
	}
	return def
}

func (a *args) parseDur(v string) time.Duration {
	n, err := time.ParseDuration(v)
	if err != nil {
		a.t.Fatalf("%s: %v", a.d.Pos, err)
	}
	return n
}

func (a *args) dur(key string, def time.Duration) time.Duration {
	if v := a.str(key, ""); v != "" {
		return a.parseDur(v)
	}
	return def
}

func (a *args) partitions(key string) []topicPartition {
	var ps []topicPartition
	for _, v := range a.list(key) {
		topic, p, _ := strings.Cut(v, ":")
		ps = append(ps, topicPartition{topic, int32(a.parse(p))})
	}
	return ps
}

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	s.t = t
	a := &args{t: t, d: d}
	for _, c := range d.CmdArgs {
		if len(c.Vals) == 0 {
			a.pos = append(a.pos, c.Key)
		}
	}
	switch d.Cmd {
	case "config":
		s.begin(Config{TimeoutMax: a.dur("max", 0), Expiration: a.dur("expiration", 0), IDsMax: int(a.num("ids", 0))})
	case "init":
		s.init(a)
	case "add":
		s.add(a)
	case "end":
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = a.str("id", ""), a.num("pid", 0), int16(a.num("epoch", 0)), a.has("commit")
		label, v := a.pos[0], int16(a.num("v", 3))
		s.core.end(s.now, req, func(code kerror.Code) { fmt.Fprintf(&s.text, "%s: %s\n", label, name(forVersion(code, v, 2))) })
	case "marked":
		s.marked(a)
	case "describe":
		r := kmsg.NewDescribeTransactionsResponseTransactionState()
		code := s.core.describe(a.pos[0], &r)
		fmt.Fprintf(&s.text, "%s %s %d/%d timeout=%d start=%d", name(code), r.State, r.ProducerID, r.ProducerEpoch, r.TimeoutMillis, r.StartTimestamp)
		for _, t := range r.Topics {
			fmt.Fprintf(&s.text, " %s:%v", t.Topic, t.Partitions)
		}
		s.text.WriteByte('\n')
	case "list":
		s.list(a)
	case "log":
		s.hold = a.pos[0] == "hold"
	case "ack":
		s.ack(a)
	case "advance":
		s.advance(a.parseDur(a.pos[0]))
	case "epochs":
		tx := s.core.txns[a.pos[0]]
		tx.producerID, tx.epoch = a.parse(a.pos[1]), int16(a.parse(a.pos[2]))
	case "epoch":
		s.core.SetEpoch(int32(a.parse(a.pos[0])))
	case "crash":
		s.held = nil
		s.load(int32(a.parse(a.pos[0])))
	case "lost":
		for _, h := range s.held {
			h.done(s.now, -1, kerror.NotLeaderOrFollower)
		}
		s.held = nil
		s.core.Unload()
	case "dump":
		for _, b := range s.log {
			if b != nil {
				s.writeBatch(b)
			}
		}
	default:
		t.Fatalf("%s: unknown command", d.Pos)
	}
	s.work()
}

// work does what the core wants done.
func (s *script) work() {
	for effects := s.out.Take(); len(effects) > 0; effects = s.out.Take() {
		for _, e := range effects {
			if e.Do != nil {
				e.Do()
				continue
			}
			at := int64(len(s.log))
			e.Batch.SetBaseOffset(at)
			s.log = append(s.log, e.Batch)
			for range e.Batch.Count() - 1 {
				s.log = append(s.log, nil)
			}
			s.writeBatch(e.Batch)
			if s.hold {
				s.held = append(s.held, heldWrite{at, e.Done})
			} else {
				e.Done(s.now, at, kerror.OK)
			}
		}
	}
}

func (s *script) ack(a *args) {
	i := 0
	if len(a.pos) > 0 {
		i = int(a.parse(a.pos[0]))
	}
	h := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	code := kerror.Code(a.num("code", 0))
	if code != kerror.OK {
		s.log[h.at] = nil
	}
	h.done(s.now, h.at, code)
}

func (s *script) advance(d time.Duration) {
	end := s.now.Up + d
	for {
		next := min(max(s.core.Next(), s.now.Up), end)
		s.now.Unix += (next - s.now.Up).Milliseconds()
		s.now.Up = next
		if s.core.Next() > next {
			return
		}
		n := s.text.Len()
		s.core.Tick(s.now)
		s.work()
		if s.text.Len() > n {
			text := s.text.String()
			s.text.Reset()
			fmt.Fprintf(&s.text, "%s+%v:\n%s", text[:n], d-(end-next), text[n:])
		}
	}
}

func name(code kerror.Code) string {
	if code == kerror.OK {
		return "OK"
	}
	return fmt.Sprintf("%v(%d)", code, int16(code))
}

func (s *script) init(a *args) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version = int16(a.num("v", 4))
	id := a.str("id", "")
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(a.dur("timeout", time.Minute).Milliseconds())
	req.ProducerID, req.ProducerEpoch = a.num("pid", -1), int16(a.num("epoch", -1))
	label := a.pos[0]
	answer := func(i initAnswer) {
		r := i.response(req)
		fmt.Fprintf(&s.text, "%s: %s", label, name(kerror.Code(r.ErrorCode)))
		if r.ErrorCode == 0 || r.ProducerID != -1 || r.ProducerEpoch != -1 {
			fmt.Fprintf(&s.text, " %d/%d", r.ProducerID, r.ProducerEpoch)
		}
		s.text.WriteByte('\n')
	}
	if code := (&Coordinator{c: s.c}).checkInit(req); code != kerror.OK {
		answer(initError(code))
		return
	}
	if s.core.initProducer(s.now, req, noID, answer) {
		s.ids++
		if s.core.initProducer(s.now, req, s.ids-1, answer) {
			s.t.Fatal("wants another producer id")
		}
	}
}

func (s *script) add(a *args) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = int16(a.num("v", 3))
	if a.has("verify") {
		req.Version = 4
	}
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = a.str("id", ""), a.num("pid", 0), int16(a.num("epoch", 0)), a.has("verify")
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = t.TransactionalID, t.ProducerID, t.ProducerEpoch
	for _, p := range a.partitions("topics") {
		req.Topics = append(req.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: p.topic, Partitions: []int32{p.partition}})
		t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: p.topic, Partitions: []int32{p.partition}})
	}
	req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{t}
	label, bad := a.pos[0], a.partitions("bad")
	adds := addsOf(req)
	answer := func() {
		fmt.Fprintf(&s.text, "%s:", label)
		resp := addResponse(req, adds)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&s.text, " %s:%d %s", t.Topic, p.Partition, name(kerror.Code(p.ErrorCode)))
			}
		}
		for _, x := range resp.Transactions {
			for _, t := range x.Topics {
				for _, p := range t.Partitions {
					fmt.Fprintf(&s.text, " %s %s:%d %s", x.TransactionalID, t.Topic, p.Partition, name(kerror.Code(p.ErrorCode)))
				}
			}
		}
		s.text.WriteByte('\n')
	}
	ok := adds[0].check(func(topic string, p int32) kerror.Code {
		if slices.Contains(bad, topicPartition{topic, p}) {
			return kerror.UnknownTopicOrPartition
		}
		return kerror.OK
	})
	if !ok {
		answer()
		return
	}
	s.core.add(s.now, adds[0], func(code kerror.Code) {
		adds[0].set(code)
		answer()
	})
}

func (s *script) marked(a *args) {
	id := a.pos[0]
	if len(s.sent[id]) == 0 {
		s.t.Fatalf("%s: no markers of %s", a.d.Pos, id)
	}
	m := s.sent[id][0]
	r := Marked{Markers: m}
	if ps := a.partitions("topics"); a.has("topics") {
		r.Partitions = ps
		rest := slices.DeleteFunc(slices.Clone(m.Partitions), func(p topicPartition) bool { return slices.Contains(ps, p) })
		s.sent[id][0].Partitions = rest
	} else {
		s.sent[id][0].Partitions = nil
	}
	if len(s.sent[id][0].Partitions) == 0 {
		s.sent[id] = s.sent[id][1:]
	}
	for range r.Partitions {
		r.Codes = append(r.Codes, kerror.Code(a.num("code", 0)))
	}
	s.core.marked(s.now, r)
}

func (s *script) list(a *args) {
	req := kmsg.NewPtrListTransactionsRequest()
	req.Version = 1
	req.StateFilters = a.list("states")
	for _, p := range a.list("pids") {
		req.ProducerIDFilters = append(req.ProducerIDFilters, a.parse(p))
	}
	req.DurationFilterMillis = -1
	if a.has("longer") {
		req.DurationFilterMillis = a.dur("longer", 0).Milliseconds()
	}
	resp := kmsg.NewPtrListTransactionsResponse()
	s.core.list(s.now, newFilter(req, resp), resp)
	slices.SortFunc(resp.TransactionStates, func(a, b kmsg.ListTransactionsResponseTransactionState) int {
		return strings.Compare(a.TransactionalID, b.TransactionalID)
	})
	for _, t := range resp.TransactionStates {
		fmt.Fprintf(&s.text, "%s %d %s\n", t.TransactionalID, t.ProducerID, t.TransactionState)
	}
	if len(resp.UnknownStateFilters) > 0 {
		fmt.Fprintf(&s.text, "unknown states %v\n", resp.UnknownStateFilters)
	}
}

func (s *script) writeBatch(b record.Batch) {
	if err := b.Check(); err != nil {
		s.t.Fatal(err)
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			s.t.Fatal(err)
		}
		id, _, err := readKey(r.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&s.text, "  log %d: %s", r.Offset, id)
		if r.Value == nil {
			s.text.WriteString(" gone\n")
			continue
		}
		f, err := readValue(r.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&s.text, " %v %d/%d timeout=%d update=%d start=%d", f.state, f.producerID, f.epoch, f.timeout, f.lastUpdate, f.start)
		for _, p := range sorted(f.partitions) {
			fmt.Fprintf(&s.text, " %s:%d", p.topic, p.partition)
		}
		s.text.WriteByte('\n')
	}
}
