package journal_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holt/broker/journal"
	"holt/broker/journal/journaltest"
	"holt/broker/kerror"
	"holt/broker/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// core is a list of words, one record each; it says "tick" when it was told to.
type core struct {
	out      *journal.Outbox
	words    []string
	epoch    int32
	loaded   bool
	unloaded bool
	at       time.Duration
	ticks    int
	waiting  []func(kerror.Code)
}

func (c *core) Replay(b record.Batch) error {
	for r, err := range b.Records(nil) {
		if err != nil {
			return err
		}
		c.words = append(c.words, string(r.Key))
	}
	return nil
}

func (c *core) Loaded(journal.Instant) { c.loaded = true }
func (c *core) SetEpoch(epoch int32)   { c.epoch = epoch }
func (c *core) Next() time.Duration    { return c.at }
func (c *core) Tick(journal.Instant)   { c.ticks++; c.at = journal.Never }

func (c *core) Unload() {
	c.unloaded = true
	for _, f := range c.waiting {
		c.out.Do(func() { f(kerror.NotCoordinator) })
	}
}

func (c *core) say(word string, done func(kerror.Code)) {
	b := record.NewBuilder(record.BuilderOptions{})
	b.Append(record.Record{Key: []byte(word)})
	batch, err := b.Build()
	if err != nil {
		panic(err)
	}
	c.out.Append(batch, func(_ journal.Instant, _ int64, code kerror.Code) {
		if code == kerror.OK {
			c.words = append(c.words, word)
		}
		c.out.Do(func() { done(code) })
	})
}

// cores remembers the cores that were made.
type cores struct {
	mu  sync.Mutex
	all []*core
}

func (cs *cores) last() *core {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.all[len(cs.all)-1]
}

func start(t *testing.T, log journal.Log, onLoad func(journal.LoadResult)) (*journal.Shards[*core], *cores) {
	cs := &cores{}
	s := journal.NewShards(journal.Config[*core]{Log: log, Partitions: 1, OnLoad: onLoad,
		New: func(_, epoch int32, out *journal.Outbox) *core {
			c := &core{out: out, epoch: epoch, at: journal.Never}
			cs.mu.Lock()
			cs.all = append(cs.all, c)
			cs.mu.Unlock()
			return c
		}})
	t.Cleanup(s.Close)
	return s, cs
}

func say(t *testing.T, s *journal.Shards[*core], word string) <-chan kerror.Code {
	t.Helper()
	done := make(chan kerror.Code, 1)
	if code := s.Do("x", func(c *core, _ journal.Instant) { c.say(word, func(code kerror.Code) { done <- code }) }); code != kerror.OK {
		done <- code
	}
	return done
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journaltest.Log{Delay: time.Millisecond}
		s, cs := start(t, log, nil)
		expect := func(want kerror.Code) {
			t.Helper()
			if got := s.Do("x", func(*core, journal.Instant) {}); got != want {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		expect(kerror.NotCoordinator)
		s.Gained(0, 4)
		expect(kerror.CoordinatorLoadInProgress)
		synctest.Wait()
		expect(kerror.OK)
		if got := <-say(t, s, "a"); got != kerror.OK {
			t.Fatal(got)
		}

		// The same leader again: nothing is loaded. A later epoch: somebody else may have led.
		s.Gained(0, 5)
		if c := cs.last(); len(cs.all) != 1 || c.epoch != 5 {
			t.Fatalf("%d cores, epoch %d", len(cs.all), c.epoch)
		}
		s.Gained(0, 5)
		s.Gained(0, 3)
		s.Gained(0, 7)
		synctest.Wait()
		if c := cs.last(); len(cs.all) != 2 || !cs.all[0].unloaded || !slices.Equal(c.words, []string{"a"}) {
			t.Fatalf("%d cores, words %v", len(cs.all), c.words)
		}

		// Late news of an earlier term.
		s.Lost(0, 6)
		expect(kerror.OK)
		// Lost: what is in flight is over at once, whatever becomes of it.
		done := say(t, s, "b")
		s.Lost(0, 8)
		if got := <-done; got != kerror.NotLeaderOrFollower {
			t.Fatal(got)
		}
		expect(kerror.NotCoordinator)
		time.Sleep(time.Second)

		s.Gained(0, 9)
		synctest.Wait()
		if c := cs.last(); !slices.Equal(c.words, []string{"a", "b"}) {
			t.Fatalf("words %v", c.words)
		}
		answered := kerror.OK
		s.Do("x", func(c *core, _ journal.Instant) {
			c.waiting = append(c.waiting, func(code kerror.Code) { answered = code })
		})
		s.Close()
		s.Close()
		if answered != kerror.NotCoordinator {
			t.Fatal("who waited was not answered")
		}
		expect(kerror.CoordinatorNotAvailable)
		s.Gained(0, 10)
		s.Lost(0, 11)
	})
}

// What is decided in a term does not get into the log of a later one.
func TestEpochsOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journaltest.Log{}
		var epochs []int32
		log.Fail = func(w journal.Write) kerror.Code { epochs = append(epochs, w.LeaderEpoch); return kerror.OK }
		s, _ := start(t, log, nil)
		for epoch := int32(1); epoch < 5; epoch++ {
			s.Gained(0, epoch)
			synctest.Wait()
			if got := <-say(t, s, "x"); got != kerror.OK {
				t.Fatal(got)
			}
		}
		if !slices.Equal(epochs, []int32{1, 2, 3, 4}) {
			t.Fatal(epochs)
		}
	})
}

// Effects happen in the order of the decisions, though appends acknowledge within the call and from many
// goroutines.
func TestOrder(t *testing.T) {
	log := &journaltest.Log{Fail: func(journal.Write) kerror.Code {
		runtime.Gosched() // let others come between
		return kerror.OK
	}}
	s, cs := start(t, log, nil)
	s.Gained(0, 1)
	waitLoaded(t, s)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var decided []string
	for i := range 8 {
		wg.Go(func() {
			for k := range 200 {
				word := fmt.Sprintf("%d-%d", i, k)
				done := make(chan kerror.Code, 1)
				s.Do("x", func(c *core, _ journal.Instant) {
					mu.Lock()
					decided = append(decided, word)
					mu.Unlock()
					c.say(word, func(code kerror.Code) { done <- code })
				})
				<-done
			}
		})
	}
	wg.Wait()
	var logged []string
	for _, b := range log.Batches(0) {
		for r := range b.Records(nil) {
			logged = append(logged, string(r.Key))
		}
	}
	if !slices.Equal(decided, logged) {
		t.Fatal("the log has another order than the decisions")
	}
	if !slices.Equal(decided, cs.last().words) {
		t.Fatal("the core has another order than the log")
	}
}

func waitLoaded(t *testing.T, s *journal.Shards[*core]) {
	for s.At(0, func(*core, journal.Instant) {}) != kerror.OK {
		time.Sleep(time.Millisecond)
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := start(t, &journaltest.Log{}, nil)
		s.Gained(0, 1)
		synctest.Wait()
		due := func(d time.Duration) {
			s.Do("x", func(c *core, now journal.Instant) { c.at = now.Up + d })
		}
		ticks := func() (n int) {
			s.Do("x", func(c *core, _ journal.Instant) { n = c.ticks })
			return n
		}
		due(time.Hour)
		due(time.Second)
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if n := ticks(); n != 0 {
			t.Fatalf("%d ticks before time", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := ticks(); n != 1 {
			t.Fatalf("%d ticks", n)
		}
		due(time.Second)
		s.Lost(0, 2)
		time.Sleep(time.Minute)
	})
}

// A load that fails is tried again; one whose term ends is cut off.
func TestLoadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad disk")
		var fails atomic.Int32
		fails.Store(3)
		results := make(chan journal.LoadResult, 100)
		log := &journaltest.Log{FailLoad: func(int32) error {
			if fails.Add(-1) >= 0 {
				return bad
			}
			return nil
		}}
		s, _ := start(t, log, func(r journal.LoadResult) { results <- r })
		s.Gained(0, 1)
		time.Sleep(2500 * time.Millisecond)
		if got := s.Do("x", func(*core, journal.Instant) {}); got != kerror.CoordinatorLoadInProgress {
			t.Fatal(got)
		}
		time.Sleep(time.Second)
		if got := s.Do("x", func(*core, journal.Instant) {}); got != kerror.OK {
			t.Fatal(got)
		}
		for i := range 4 {
			if r := <-results; errors.Is(r.Err, bad) != (i < 3) {
				t.Fatalf("result %d: %v", i, r.Err)
			}
		}
		fails.Store(1 << 30)
		s.Gained(0, 3)
		time.Sleep(500 * time.Millisecond)
		s.Lost(0, 4)
		time.Sleep(time.Minute)
		if n := len(results); n != 1 {
			t.Fatalf("%d more: it went on", n)
		}
	})
}

// blockingLog reads until its context ends.
type blockingLog struct{ journaltest.Log }

func (l *blockingLog) Load(ctx context.Context, _, _ int32, _ func(record.Batch) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestCloseWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := start(t, &blockingLog{}, func(journal.LoadResult) { t.Error("told of a load that was cut off") })
		for p := range int32(20) {
			s.Gained(p, 1)
		}
		synctest.Wait()
		if code := s.Each(func(int32, *core, journal.Instant) { t.Error("visited") }); code != kerror.CoordinatorLoadInProgress {
			t.Error(code)
		}
		s.Close()
	})
}

func TestPartitionFor(t *testing.T) {
	// Hash values computed by Java's String.hashCode.
	for _, c := range []struct {
		name string
		n    int32
		want int32
	}{
		{"", 50, 0},
		{"a", 50, 97 % 50},
		{"my-group", 50, 12},
		{"hello", 50, 99162322 % 50},
		{"polygenelubricants", 50, 0},  // the hash is the least int32, whose absolute value Kafka takes for 0
		{"GydZG_", 50, 0},              // likewise
		{"zzzzzz", 50, 685785664 % 50}, // -685785664
		{"é", 50, 233 % 50},
		{"😀", 50, 1772899 % 50}, // two UTF-16 units: 0xd83d*31 + 0xde00
	} {
		if got := journal.PartitionFor(c.name, c.n); got != c.want {
			t.Errorf("PartitionFor(%q, %d) = %d, want %d", c.name, c.n, got, c.want)
		}
	}
}
