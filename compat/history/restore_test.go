package history

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// TestKillsInRestores kills the leader, and then the member that was asked, while a snapshot is on its way to the members.
// With the leader gone the restore goes on; with the other one nothing has changed, and another member restores.
func TestKillsInRestores(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("the original restores one server alone")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	r := newRestoring(ctx, t)
	e := r.e
	leader := target.Leader(t, e)
	var others []*ensemble.Member
	for _, m := range e.Members() {
		if m != leader {
			others = append(others, m)
		}
	}
	c := r.dial(others[0], client.Options{SessionTimeout: time.Minute})
	r.fill(c, 80)
	r.do(c.Create(ctx, "/e", nil, wire.OpenACL(), wire.ModeEphemeral))
	snapshot := r.snapshot(others[0])
	r.change(c)

	answer := r.restore(others[0], snapshot)
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; !strings.HasPrefix(got, "200 ") {
		t.Fatalf("restore with the leader killed: %s", got)
	}
	r.start(leader)
	r.same("old", "NoNode")
	// The session goes on, with its node.
	c = r.dial(others[1], client.Options{Session: c.Session(), LastZxid: c.LastZxid(), SessionTimeout: time.Minute})
	if _, stat, err := c.GetData(ctx, "/e", false); err != nil || wire.SessionID(stat.EphemeralOwner) != c.SessionID() {
		t.Errorf("/e: %+v, %v", stat, err)
	}

	r.change(c)
	answer = r.restore(others[0], snapshot)
	if err := others[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; strings.HasPrefix(got, "200 ") {
		t.Fatalf("restore by a member that was killed: %s", got)
	}
	r.start(others[0])
	r.same("new", "")
	if got := <-r.restore(others[1], snapshot); !strings.HasPrefix(got, "200 ") {
		t.Fatalf("restore by another member: %s", got)
	}
	r.same("old", "NoNode")
	compareDigests(t, e)
}

// restoring is an ensemble in a test of restores.
type restoring struct {
	t   *testing.T
	ctx context.Context
	e   *ensemble.Ensemble

	large int // nodes
}

func newRestoring(ctx context.Context, t *testing.T) *restoring {
	t.Helper()
	e := target.Start(t, ensemble.Config{Members: 3, Operators: true,
		Settings: []string{"tickTime=500", "initLimit=20", "syncLimit=10", "maxSessionTimeout=60000", "admin.rateLimiterIntervalInMS=0"}})
	return &restoring{t: t, ctx: ctx, e: e}
}

// fill makes what a restore brings back: large nodes, and one that change changes.
func (r *restoring) fill(c *client.Conn, large int) {
	r.t.Helper()
	r.do(c.Create(r.ctx, "/large", nil, wire.OpenACL(), wire.ModePersistent))
	for i := range large {
		r.do(c.Create(r.ctx, fmt.Sprint("/large/", i), bytes.Repeat([]byte{byte(i)}, 900_000), wire.OpenACL(), wire.ModePersistent))
	}
	r.do(c.Create(r.ctx, "/n", []byte("old"), wire.OpenACL(), wire.ModePersistent))
	r.large = large
}

func (r *restoring) do(_ string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// dial connects to a member that has all that was done before. One that restores a moment later than
// the one that was asked closes its connections then.
func (r *restoring) dial(m *ensemble.Member, o client.Options) *client.Conn {
	r.t.Helper()
	for {
		c, err := client.Dial(r.ctx, m.Addr(), o)
		if err == nil {
			if err = c.Sync(r.ctx, "/"); err == nil {
				r.t.Cleanup(c.Abort)
				return c
			}
			c.Abort()
		}
		if r.ctx.Err() != nil {
			r.t.Fatal(err)
		}
	}
}

// change changes what a restore takes back, by transactions enough for digests to be recorded.
func (r *restoring) change(c *client.Conn) {
	r.t.Helper()
	r.do(c.Create(r.ctx, "/later", nil, wire.OpenACL(), wire.ModePersistent))
	for range 300 {
		if _, err := c.SetData(r.ctx, "/n", []byte("new"), -1); err != nil {
			r.t.Fatal(err)
		}
	}
}

// start starts a member that was killed.
func (r *restoring) start(m *ensemble.Member) {
	r.t.Helper()
	if err := m.Start(); err != nil {
		r.t.Fatal(err)
	}
	if err := m.Ready(r.ctx); err != nil {
		r.t.Fatal(err)
	}
}

// same looks at every member, whether it has what it is to have.
func (r *restoring) same(n, later string) {
	r.t.Helper()
	for _, m := range r.e.Members() {
		c := r.dial(m, client.Options{})
		data, _, err := c.GetData(r.ctx, "/n", false)
		if err != nil || string(data) != n {
			r.t.Errorf("member %d: /n is %q, want %q: %v", m.ID(), data, n, err)
		}
		got := ""
		if _, _, err := c.GetData(r.ctx, "/later", false); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, later) || later == "" && got != "" {
			r.t.Errorf("member %d: /later: %q, want %q", m.ID(), got, later)
		}
		if names, err := c.GetChildren(r.ctx, "/large", false); err != nil || len(names) != r.large {
			r.t.Errorf("member %d: %d large nodes, %v", m.ID(), len(names), err)
		}
		for range 150 { // for digests to be recorded
			if _, err := c.SetData(r.ctx, "/", nil, -1); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// ask sends a request to the AdminServer.
func (r *restoring) ask(m *ensemble.Member, method, command string, body []byte) (code int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(r.ctx, method, m.AdminURL()+"/commands/"+command, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Close = true                                         // it may end meanwhile
	req.Header.Set("Authorization", "digest anybody:at-all") // on an open root
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

func (r *restoring) snapshot(m *ensemble.Member) []byte {
	r.t.Helper()
	code, b, err := r.ask(m, http.MethodGet, "snapshot", nil)
	if err != nil || code != http.StatusOK {
		r.t.Fatalf("snapshot: %d, %v", code, err)
	}
	return b
}

// restore asks a member to restore, and returns once the chunks are on their way. The answer comes later.
func (r *restoring) restore(m *ensemble.Member, snapshot []byte) <-chan string {
	r.t.Helper()
	const staging = "a snapshot is being staged"
	before := r.said(m, staging)
	answer := make(chan string, 1)
	go func() {
		code, b, err := r.ask(m, http.MethodPost, "restore", snapshot)
		answer <- fmt.Sprintf("%d %s %v", code, b, err)
	}()
	for r.said(m, staging) == before {
		select {
		case got := <-answer:
			r.t.Fatalf("restore ended at once: %s", got)
		case <-r.ctx.Done():
			r.t.Fatal("no chunk was staged")
		case <-time.After(2 * time.Millisecond):
		}
	}
	return answer
}

// said counts the lines of a member's log that hold a text.
func (r *restoring) said(m *ensemble.Member, text string) int {
	r.t.Helper()
	b, err := os.ReadFile(m.LogPath())
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Count(string(b), text)
}
