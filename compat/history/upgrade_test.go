package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/apply"
)

// beforeFormats is the last commit that knew of no formats of entries.
const beforeFormats = "eca05ee846956460bebb5b837eec0163392c8ea6"

// TestRollingUpgrade makes three processes of one version, one after another, under load, processes of a
// later one; goes back before the last is changed, and tries to after it.
func TestRollingUpgrade(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("versions of Holt")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	now, err := ensemble.BuildHolt(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("from an earlier version", func(t *testing.T) {
		old, err := ensemble.BuildHoltAt(ctx, beforeFormats)
		if errors.Is(err, ensemble.ErrNoHistory) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		u := upgrade{old: old, new: now, format: apply.FormatMax}
		u.run(ctx, t)
	})
	t.Run("to the next version", func(t *testing.T) {
		next, err := ensemble.BuildHoltTagged(ctx, "nextformat")
		if err != nil {
			t.Fatal(err)
		}
		u := upgrade{old: now, new: next, format: apply.FormatMax + 1, refuses: true}
		u.run(ctx, t)
	})
}

// upgrade is from one program to another.
type upgrade struct {
	old, new string
	format   uint64 // that of the new one
	refuses  bool   // the old one knows that there are formats

	changer *changer
	w       *crew
}

func (u *upgrade) run(ctx context.Context, t *testing.T) {
	e := target.New(t, ensemble.Config{Members: 3, Settings: []string{"tickTime=500", "initLimit=20", "syncLimit=10"}})
	for _, m := range e.Members() {
		m.UseHolt(u.old)
	}
	if err := e.StartAll(ctx); err != nil {
		t.Fatal(err)
	}
	u.changer = &changer{t: t, ctx: ctx, e: e, in: e.Members()}
	rec := NewRecorder()
	const root = "/upgraded"
	if err := MakeRegisters(ctx, root, registersOfKill, e.Addrs()...); err != nil {
		t.Fatal(err)
	}
	u.w = newCrew(ctx, rec, root, e.Addrs(), rand.New(rand.NewPCG(3, 3)))
	u.w.start(t)
	pause(ctx, time.Second)

	// The leader last, as the page says, which another may have become meanwhile.
	order := []*ensemble.Member{nil, nil, target.Leader(t, e)}
	for _, m := range e.Members() {
		if m != order[2] && order[0] == nil {
			order[0] = m
		} else if m != order[2] {
			order[1] = m
		}
	}
	u.step(t, "a new member", order[0], u.new)
	u.step(t, "a second one", order[1], u.new)
	u.step(t, "one goes back", order[0], u.old)
	u.step(t, "and is new again", order[0], u.new)
	// Led by a new member, which alone would raise the format. A member tells its leader each half tick: after
	// this time it would have been.
	for target.Leader(t, e) == order[2] {
		u.step(t, "the old one hands over", order[2], u.old)
	}
	pause(ctx, 3*time.Second)
	if n := u.raised(t); n != 0 {
		t.Errorf("the format was raised %d times before all members were new", n)
	}
	u.step(t, "the last member", order[2], u.new)
	for u.raised(t) == 0 {
		if ctx.Err() != nil {
			t.Fatal("the format is not raised")
		}
		pause(ctx, 50*time.Millisecond)
	}
	if u.refuses {
		u.goBack(t, order[1])
	}
	pause(ctx, time.Second)
	u.changer.finish(rec, u.w)
	compareDigests(t, e)
	if n := u.raised(t); n != 1 {
		t.Errorf("the format was raised %d times", n)
	}
}

// step makes a member one of another version.
func (u *upgrade) step(t *testing.T, what string, m *ensemble.Member, program string) {
	t.Helper()
	rec := u.w.rec
	from := rec.now()
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	m.UseHolt(program)
	u.changer.start(m)
	pause(u.changer.ctx, time.Second)
	t.Logf("%-22s member %d is %s; writes paused for %v at most", what, m.ID(), filepath.Base(program), rec.gap(from).Round(time.Millisecond))
}

// goBack tries the old program on a member's data, which it refuses in one line, and leaves as they were.
func (u *upgrade) goBack(t *testing.T, m *ensemble.Member) {
	t.Helper()
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(m.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	m.UseHolt(u.old)
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	code, err := m.Wait(u.changer.ctx)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(m.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	said := string(log[len(before):])
	want := fmt.Sprintf("is of format %d, this version of the program knows up to %d: install the one that the other members have", u.format, u.format-1)
	if code == 0 || strings.Count(said, want) != 1 {
		t.Errorf("an old program on new data ended with %d, and not with one line %q:\n%s", code, want, said)
	}
	t.Logf("an old program ends with %d: %s", code, lastLineOf(said))
	m.UseHolt(u.new)
	u.changer.start(m)
}

func lastLineOf(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// raised counts how often a leader said that it raises the format to the new one.
func (u *upgrade) raised(t *testing.T) (n int) {
	t.Helper()
	for _, m := range u.changer.e.Members() {
		log, err := os.ReadFile(m.LogPath())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "all members know a newer format") && strings.Contains(line, fmt.Sprintf(`"format": %d}`, u.format)) {
				n++
			}
		}
	}
	return n
}
