package metadatatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"holt/broker/metadata"
)

// Space is an empty tree for one test of the Suite.
type Space struct {
	// Open begins a session, which ends with the test.
	Open func() metadata.Coordinator

	// Cut takes a session's connection away for a moment, too short for the session
	// to end.
	Cut func(metadata.Coordinator)

	// Expire has a session end though its holder lives; it returns when the holder has
	// another one, or is about to.
	Expire func(metadata.Coordinator)
}

// suitePatience bounds every wait for something that must happen.
const suitePatience = 60 * time.Second

// Suite runs all tests that a Coordinator passes, each in a Space of its own.
func Suite(t *testing.T, fresh func(t *testing.T) Space) {
	tests := []struct {
		name string
		f    func(*suite)
	}{
		{"Nodes", (*suite).nodes},
		{"Multi", (*suite).multi},
		{"Sequence", (*suite).sequence},
		{"Ephemeral", (*suite).ephemeral},
		{"Watches", (*suite).watches},
		{"EventsBeforeReads", (*suite).eventsBeforeReads},
		{"Cut", (*suite).cut},
		{"CutMany", (*suite).cutMany},
		{"Expire", (*suite).expire},
		{"Close", (*suite).closed},
		{"Context", (*suite).context},
		{"Registration", (*suite).registration},
		{"Registrar", (*suite).registrar},
		{"TakeOver", (*suite).takeOver},
		{"Topics", (*suite).topics},
		{"Configs", (*suite).configs},
		{"ACLs", (*suite).acls},
		{"ProducerIDs", (*suite).producerIDs},
		{"States", (*suite).states},
		{"Follow", (*suite).follow},
		{"FollowCut", (*suite).followCut},
		{"FollowCutMany", (*suite).followCutMany},
		{"FollowExpire", (*suite).followExpire},
		{"FollowRecreated", (*suite).followRecreated},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), suitePatience)
			defer cancel()
			test.f(&suite{T: t, ctx: ctx, Space: fresh(t)})
		})
	}
}

type suite struct {
	*testing.T
	Space
	ctx context.Context // of the test
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) wantError(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got %v, want %v", err, want)
	}
}

func (s *suite) write(c metadata.Coordinator, ops ...metadata.Op) []metadata.Result {
	s.Helper()
	results, err := c.Multi(s.ctx, ops...)
	s.must(err)
	return results
}

// heard collects events.
type heard struct {
	mu     sync.Mutex
	events []metadata.Event
}

func (s *suite) listen(c metadata.Coordinator) *heard {
	h := new(heard)
	stop := c.Listen(func(e metadata.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	})
	s.Cleanup(stop)
	return h
}

func (h *heard) all() []metadata.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

func (h *heard) has(e metadata.Event) bool { return slices.Contains(h.all(), e) }

// eventually waits for something that nobody tells of.
func (s *suite) eventually(what string, f func() bool) {
	s.Helper()
	for !f() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-s.ctx.Done():
			s.Fatalf("%s: not in time", what)
		}
	}
}

func (s *suite) nodes() {
	c := s.Open()
	s.write(c, metadata.Create("/a", nil))
	s.write(c, metadata.Create("/a/b", []byte("x")))
	s.write(c, metadata.Create("/a/c", []byte{}))
	_, err := c.Multi(s.ctx, metadata.Create("/a/b", nil))
	s.wantError(err, metadata.ErrNodeExists)
	_, err = c.Multi(s.ctx, metadata.Create("/x/y", nil))
	s.wantError(err, metadata.ErrNoNode)

	data, stat, err := c.Get(s.ctx, "/a/b", false)
	s.must(err)
	if string(data) != "x" || stat.Version != 0 || stat.Created == 0 || stat.Created != stat.Modified || stat.Owner != 0 {
		s.Errorf("get: %q %+v", data, stat)
	}
	if age := time.Since(time.UnixMilli(stat.CreatedAt)); age < -time.Minute || age > time.Hour {
		s.Errorf("created %v ago", age)
	}
	if data, _, _ := c.Get(s.ctx, "/a", false); data != nil {
		s.Errorf("null data read as %q", data)
	}
	_, _, err = c.Get(s.ctx, "/nothing", true)
	s.wantError(err, metadata.ErrNoNode)
	_, err = c.Exists(s.ctx, "/nothing", false)
	s.wantError(err, metadata.ErrNoNode)
	_, _, err = c.Children(s.ctx, "/nothing", false)
	s.wantError(err, metadata.ErrNoNode)

	set := s.write(c, metadata.Set("/a/b", []byte("y"), 0))[0]
	if set.Stat.Version != 1 || set.Stat.Modified <= stat.Modified || set.Stat.Created != stat.Created {
		s.Errorf("set: %+v", set)
	}
	_, err = c.Multi(s.ctx, metadata.Set("/a/b", nil, 0))
	s.wantError(err, metadata.ErrBadVersion)
	names, stat, err := c.Children(s.ctx, "/a", false)
	s.must(err)
	if slices.Sort(names); !slices.Equal(names, []string{"b", "c"}) || stat.Children != 2 {
		s.Errorf("children: %v %+v", names, stat)
	}
	_, err = c.Multi(s.ctx, metadata.Delete("/a", metadata.AnyVersion))
	s.wantError(err, metadata.ErrNotEmpty)
	_, err = c.Multi(s.ctx, metadata.Delete("/a/b", 0))
	s.wantError(err, metadata.ErrBadVersion)
	s.write(c, metadata.Delete("/a/b", 1))
	_, err = c.Multi(s.ctx, metadata.Delete("/a/b", metadata.AnyVersion))
	s.wantError(err, metadata.ErrNoNode)
}

func (s *suite) multi() {
	c := s.Open()
	results := s.write(c,
		metadata.Create("/a", nil),
		metadata.CreateEphemeral("/a/e", nil),
		metadata.Set("/a/e", []byte("x"), 0),
		metadata.Check("/a", 0),
		metadata.Check("/a", metadata.AnyVersion),
		metadata.Create("/a/d", nil),
		metadata.Delete("/a/d", 0))
	_, stat, err := c.Get(s.ctx, "/a/e", false)
	s.must(err)
	if is := results[2].Stat; is.Created != stat.Created || is.Version != 1 || is.Owner != c.Session() || stat.Owner != c.Session() {
		s.Errorf("stat of set in the multi: %+v, of the node %+v", is, stat)
	}
	for i, test := range []struct {
		ops  []metadata.Op
		at   int
		want error
	}{
		{[]metadata.Op{metadata.Check("/a", 7), metadata.Set("/a", nil, 0)}, 0, metadata.ErrBadVersion},
		{[]metadata.Op{metadata.Set("/a", nil, 0), metadata.Set("/a", nil, 0)}, 1, metadata.ErrBadVersion},
		{[]metadata.Op{metadata.Set("/a", nil, 0), metadata.Create("/a/e", nil), metadata.Check("/a", 1)}, 1, metadata.ErrNodeExists},
		{[]metadata.Op{metadata.Set("/a", nil, 0), metadata.Check("/none", metadata.AnyVersion)}, 1, metadata.ErrNoNode},
		{[]metadata.Op{metadata.Delete("/a", 0)}, 0, metadata.ErrNotEmpty},
	} {
		_, err := c.Multi(s.ctx, test.ops...)
		var refused *metadata.OpError
		if !errors.As(err, &refused) || refused.Index != test.at || refused.Err != test.want {
			s.Errorf("%d: %v, want %v of operation %d", i, err, test.want, test.at)
		}
	}
	if _, stat, err := c.Get(s.ctx, "/a", false); err != nil || stat.Version != 0 {
		s.Errorf("after refused multis: %+v %v", stat, err)
	}
}

func (s *suite) sequence() {
	c := s.Open()
	s.write(c, metadata.Create("/q", nil))
	last := ""
	for range 3 {
		path := s.write(c, metadata.CreateSequential("/q/n_", nil))[0].Path
		if len(path) != len("/q/n_")+10 || path <= last {
			s.Errorf("%q after %q", path, last)
		}
		last = path
	}
	s.write(c, metadata.Delete(last, 0))
	if path := s.write(c, metadata.CreateSequential("/q/n_", nil))[0].Path; path <= last {
		s.Errorf("%q after the deleted %q", path, last)
	}
}

func (s *suite) ephemeral() {
	a, b := s.Open(), s.Open()
	if a.Session() == 0 || a.Session() == b.Session() {
		s.Fatalf("sessions %v and %v", a.Session(), b.Session())
	}
	s.write(a, metadata.CreateEphemeral("/e", nil))
	s.must(b.Sync(s.ctx))
	events := s.listen(b)
	stat, err := b.Exists(s.ctx, "/e", true)
	s.must(err)
	if stat.Owner != a.Session() {
		s.Errorf("owner %v, want %v", stat.Owner, a.Session())
	}
	s.must(a.Close())
	s.eventually("watch of an ephemeral node", func() bool { return events.has(metadata.Event{Path: "/e"}) })
	_, err = b.Exists(s.ctx, "/e", false)
	s.wantError(err, metadata.ErrNoNode)
}

func (s *suite) watches() {
	a, b := s.Open(), s.Open()
	s.write(a, metadata.Create("/w", nil), metadata.Create("/w/x", nil), metadata.Create("/w/c", nil))
	s.must(b.Sync(s.ctx))
	events := s.listen(b)
	_, _, err := b.Get(s.ctx, "/w/x", true)
	s.must(err)
	_, err = b.Exists(s.ctx, "/w/new", true)
	s.wantError(err, metadata.ErrNoNode)
	_, _, err = b.Children(s.ctx, "/w/c", true)
	s.must(err)
	// Twice each: the second change meets no watch.
	s.write(a, metadata.Set("/w/x", nil, metadata.AnyVersion))
	s.write(a, metadata.Set("/w/x", nil, metadata.AnyVersion))
	s.write(a, metadata.Create("/w/new", nil))
	s.write(a, metadata.Set("/w/new", nil, metadata.AnyVersion))
	s.write(a, metadata.Create("/w/c/1", nil))
	s.write(a, metadata.Create("/w/c/2", nil))
	s.must(b.Sync(s.ctx))
	want := []metadata.Event{{Path: "/w/x"}, {Path: "/w/new"}, {Path: "/w/c"}}
	if got := events.all(); !slices.Equal(got, want) {
		s.Errorf("events %v, want %v", got, want)
	}
}

// eventsBeforeReads has one session write and another one read: when a read shows a
// change, the event of the watch has been heard.
func (s *suite) eventsBeforeReads() {
	a, b := s.Open(), s.Open()
	s.write(a, metadata.Create("/r", []byte("0")))
	s.must(b.Sync(s.ctx))
	events := s.listen(b)
	for i := 1; i <= 50; i++ {
		before, _, err := b.Get(s.ctx, "/r", true)
		s.must(err)
		heard := len(events.all())
		go a.Multi(s.ctx, metadata.Set("/r", fmt.Appendf(nil, "%d", i), metadata.AnyVersion)) // its outcome shows below
		s.eventually("a change", func() bool {
			data, _, err := b.Get(s.ctx, "/r", false)
			s.must(err)
			if string(data) == string(before) {
				return false
			}
			if len(events.all()) == heard {
				s.Fatalf("read %q, and no event", data)
			}
			return true
		})
	}
}

func (s *suite) cut() {
	a, b := s.Open(), s.Open()
	s.write(a, metadata.Create("/k", nil), metadata.Create("/l", nil))
	s.must(b.Sync(s.ctx))
	events := s.listen(b)
	session := b.Session()
	_, _, err := b.Get(s.ctx, "/k", true)
	s.must(err)
	_, err = b.Exists(s.ctx, "/absent", true)
	s.wantError(err, metadata.ErrNoNode)
	_, _, err = b.Children(s.ctx, "/l", true)
	s.must(err)
	s.Cut(b)
	s.eventually("connection", func() bool {
		return events.has(metadata.Event{State: metadata.Disconnected}) && events.has(metadata.Event{State: metadata.Connected})
	})
	s.write(a, metadata.Set("/k", []byte("unseen"), 0))
	s.must(b.Sync(s.ctx))
	for _, e := range events.all() {
		if e.Path != "" {
			s.Errorf("event of %s, whose watch went with its connection", e.Path)
		}
	}
	if b.Session() != session {
		s.Errorf("session %v became %v", session, b.Session())
	}
	_, _, err = b.Get(s.ctx, "/k", true)
	s.must(err)
	s.write(b, metadata.Set("/k", nil, 1))
	s.eventually("event of the new connection", func() bool { return events.has(metadata.Event{Path: "/k"}) })
}

// cutMany cuts a connection with more watches than one message of the client holds,
// while reads are under way, and sets the watches anew.
func (s *suite) cutMany() {
	const many = 3000
	a, b := s.Open(), s.Open()
	name := func(i int) string { return fmt.Sprintf("/many/%060d", i) }
	s.write(a, metadata.Create("/many", nil))
	for i := 0; i < many; i += 500 {
		var ops []metadata.Op
		for j := range 500 {
			ops = append(ops, metadata.Create(name(i+j), nil))
		}
		s.write(a, ops...)
	}
	s.must(b.Sync(s.ctx))
	events := s.listen(b)
	read := func(watch bool) {
		var readers sync.WaitGroup
		for w := range 8 {
			readers.Go(func() {
				for i := w; i < many; i += 8 {
					if _, _, err := b.Get(s.ctx, name(i), watch); err != nil {
						s.Error(err)
					}
				}
			})
		}
		readers.Wait()
	}
	read(true)
	var others sync.WaitGroup
	others.Go(func() { read(false) })
	s.Cut(b)
	s.Cut(b)
	others.Wait()
	s.must(b.Sync(s.ctx))
	read(true)
	for i := 0; i < many; i += 500 {
		var ops []metadata.Op
		for j := range 500 {
			ops = append(ops, metadata.Set(name(i+j), []byte("new"), 0))
		}
		s.write(a, ops...)
	}
	s.eventually("all events", func() bool {
		seen := map[string]bool{}
		for _, e := range events.all() {
			seen[e.Path] = true
		}
		delete(seen, "")
		return len(seen) == many
	})
}

func (s *suite) expire() {
	a, b := s.Open(), s.Open()
	s.write(a, metadata.CreateEphemeral("/e", nil))
	events := s.listen(a)
	former := a.Session()
	s.Expire(a)
	s.eventually("another session", func() bool {
		i := slices.Index(events.all(), metadata.Event{State: metadata.Expired})
		return i >= 0 && slices.Contains(events.all()[i:], metadata.Event{State: metadata.Connected})
	})
	if a.Session() == former || a.Session() == 0 {
		s.Errorf("session %v after %v", a.Session(), former)
	}
	s.must(b.Sync(s.ctx))
	_, err := b.Exists(s.ctx, "/e", false)
	s.wantError(err, metadata.ErrNoNode)
	s.write(a, metadata.CreateEphemeral("/e", nil))
}

func (s *suite) closed() {
	c := s.Open()
	s.must(c.Close())
	s.must(c.Close())
	_, _, err := c.Get(s.ctx, "/", false)
	s.wantError(err, metadata.ErrClosed)
	_, err = c.Multi(s.ctx, metadata.Create("/a", nil))
	s.wantError(err, metadata.ErrClosed)
	s.wantError(c.Sync(s.ctx), metadata.ErrClosed)
}

func (s *suite) context() {
	c := s.Open()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	_, _, err := c.Get(ctx, "/", false)
	s.wantError(err, context.Canceled)
	_, err = c.Multi(ctx, metadata.Create("/a", nil))
	s.wantError(err, context.Canceled)
	s.must(c.Sync(s.ctx))
}
