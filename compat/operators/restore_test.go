package operators

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/wire"
	"holt/wire/client"
)

// TestRestore has both sides restore each other's snapshots, and refuse what is none: the answers have the same
// statuses, names and types. Holt's members have it all, where the original changes one.
func TestRestore(t *testing.T) {
	original, holt := start(t, false)
	of := map[string]string{}
	for name, s := range map[string]*side{"original": original, "Holt": holt} {
		code, _, snapshot := s.get(s.members["leader"].AdminURL()+"/commands/snapshot", "digest super:test")
		if code != http.StatusOK {
			t.Fatalf("snapshot of %s: %d", name, code)
		}
		of[name] = snapshot
	}
	for name, body := range map[string]string{
		"nothing": "", "something else": "{\"a\": \"snapshot\"}", "a part": of["original"][:len(of["original"])/2],
		"damaged": of["original"][:200] + "#" + of["original"][201:],
	} {
		wantCode, want := original.restore("follower", body)
		gotCode, got := holt.restore("follower", body)
		if gotCode != wantCode || !slices.Equal(got, want) {
			t.Errorf("restore of %s: %d %v, want %d %v", name, gotCode, got, wantCode, want)
		}
	}
	holt.check()
	for _, name := range []string{"original", "Holt"} {
		holt.change()
		wantCode, want := original.restore("follower", of[name])
		gotCode, got := holt.restore("follower", of[name])
		if gotCode != wantCode || !slices.Equal(got, want) || gotCode != http.StatusOK {
			t.Errorf("restore of a snapshot of %s: %d %v, want %d %v", name, gotCode, got, wantCode, want)
		}
		holt.check()
	}
}

// restore asks a member, and returns the status and the names of the answer with their types; of a text there may be
// where the original has null it says null.
func (s *side) restore(mode, body string) (int, []string) {
	s.t.Helper()
	code, _, answer := s.send(http.MethodPost, s.members[mode].AdminURL()+"/commands/restore", "digest super:test", []byte(body))
	var fields map[string]any
	if err := json.Unmarshal([]byte(answer), &fields); err != nil {
		s.t.Fatalf("%d %s", code, answer)
	}
	if code != http.StatusOK {
		fields["error"] = nil
	}
	names := slices.Sorted(maps.Keys(fields))
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %T", name, fields[name])
	}
	return code, names
}

// client connects to a member that has all that was done before. A member that restores a moment later
// than the one that was asked closes its connections then.
func (s *side) client(ctx context.Context, m *ensemble.Member) *client.Conn {
	s.t.Helper()
	for {
		c, err := client.Dial(ctx, m.Addr(), client.Options{})
		if err == nil {
			if err = c.Sync(ctx, "/"); err == nil {
				s.t.Cleanup(c.Abort)
				return c
			}
			c.Abort()
		}
		if ctx.Err() != nil {
			s.t.Fatal(err)
		}
	}
}

// change makes changes that a restore takes back.
func (s *side) change() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	c := s.client(ctx, s.members["leader"])
	if _, err := c.Create(ctx, "/later", nil, wire.OpenACL(), wire.ModePersistent); err != nil {
		s.t.Fatal(err)
	}
	for _, mode := range modes() {
		if _, err := c.SetData(ctx, "/"+mode, []byte("later"), -1); err != nil {
			s.t.Fatal(err)
		}
	}
}

// check looks at all members for what work has left.
func (s *side) check() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for _, m := range s.members {
		c := s.client(ctx, m)
		for _, mode := range modes() {
			if data, stat, err := c.GetData(ctx, "/"+mode, false); err != nil || string(data) != "z" || stat.Version != 131 {
				s.t.Errorf("member %d: /%s is %q, %+v, %v", m.ID(), mode, data, stat, err)
			}
		}
		if _, err := c.Exists(ctx, "/later", false); err == nil || !strings.Contains(err.Error(), "NoNode") {
			s.t.Errorf("member %d: /later: %v", m.ID(), err)
		}
	}
}
