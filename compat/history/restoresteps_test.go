package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire/client"
)

// restoreStep is a moment of a restore at which a member, or all, are killed.
type restoreStep struct {
	killStep
	victims string // the first of them comes to it: l leader, a the member that was asked, f the third
	paths   func(t *testing.T, m *ensemble.Member) []string
}

func inData(names ...string) func(*testing.T, *ensemble.Member) []string {
	return func(_ *testing.T, m *ensemble.Member) []string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(m.DataDir(), name))
		}
		return paths
	}
}

// treeAt is the directory of the tree that a member has, or of the next.
func treeAt(ahead int) func(*testing.T, *ensemble.Member) []string {
	return func(t *testing.T, m *ensemble.Member) []string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(m.DataDir(), "tree.current"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		return inData(fmt.Sprint("tree-", n+ahead))(t, m)
	}
}

func atLine(name, victims, line string) restoreStep {
	return restoreStep{killStep: killStep{name: name, line: line}, victims: victims}
}

func atCall(name, victims, calls string, paths func(*testing.T, *ensemble.Member) []string) restoreStep {
	return restoreStep{killStep: killStep{name: name, point: ensemble.KillPoint{Calls: calls}}, victims: victims, paths: paths}
}

const (
	stagingLine  = "a snapshot is being staged"
	treeMadeLine = "made a tree of the staged snapshot"
	restoredLine = "the state is that of a restored snapshot now"
)

// restoreSteps are in the order in which a restore comes to them.
var restoreSteps = []restoreStep{
	atCall("upload to be written", "a", "openat", inData("restore-upload")),
	atCall("upload to be checked", "a", "mkdirat", inData("restore-check")),
	atLine("staging begins, asked", "a", stagingLine),
	atLine("staging begins, all", "alf", stagingLine),
	atCall("chunk to be synced, leader", "l", "fsync,fdatasync", logFiles),
	atCall("chunk to be synced, follower", "f", "fsync,fdatasync", logFiles),
	atCall("tree to be made, asked", "a", "mkdirat", treeAt(1)),
	atCall("tree to be made, leader", "l", "mkdirat", treeAt(1)),
	atCall("tree to be made, follower", "f", "mkdirat", treeAt(1)),
	atLine("tree made, asked", "a", treeMadeLine),
	atLine("tree made, leader", "l", treeMadeLine),
	atLine("tree made, all", "lfa", treeMadeLine),
	atCall("switch to be written, leader", "l", "openat", inData("tree.current.tmp")),
	atCall("switch to be synced, follower", "f", "fsync", inData("tree.current.tmp")),
	atCall("switch to be renamed, asked", "a", "renameat", inData("tree.current")),
	atCall("switch to be renamed, follower", "f", "renameat", inData("tree.current")),
	atCall("old tree to be removed, leader", "l", "unlinkat", treeAt(0)),
	atCall("old tree to be removed, asked", "a", "unlinkat", treeAt(0)),
	atLine("restored, leader", "l", restoredLine),
	atLine("restored, asked", "a", restoredLine),
	atLine("restored, all", "fla", restoredLine),
}

// TestKillsAtStepsOfRestores kills a member, or all, at each step of a restore of a running ensemble. Without the member
// that was asked all members have the old state or all the new one; without another one the restore goes on, and
// its answer holds; the same request again restores in any case.
func TestKillsAtStepsOfRestores(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("Holt's steps")
	}
	target.Require(t, target.Tool{Check: []string{"strace", "-V"}, Package: "strace"})
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r := newRestoring(ctx, t)
	c := r.dial(r.e.Members()[0], client.Options{})
	r.fill(c, 8)
	snapshot := r.snapshot(r.e.Members()[0])
	r.end(c)
	restored, kept := 0, 0
	for _, step := range restoreSteps {
		if r.step(step, snapshot) {
			restored++
		} else {
			kept++
		}
		if t.Failed() {
			return
		}
	}
	if restored < 5 || kept < 5 {
		t.Errorf("restored %d times, %d times not: the test shows less than it should", restored, kept)
	}
	r.same("old", "NoNode")
	compareDigests(t, r.e)
}

// step is one round. It reports whether the restore that was hit took place.
func (r *restoring) step(step restoreStep, snapshot []byte) bool {
	r.t.Helper()
	leader := target.Leader(r.t, r.e)
	others := slices.DeleteFunc(slices.Clone(r.e.Members()), func(m *ensemble.Member) bool { return m == leader })
	role := map[rune]*ensemble.Member{'l': leader, 'a': others[0], 'f': others[1]}
	var victims []*ensemble.Member
	for _, v := range step.victims {
		victims = append(victims, role[v])
	}
	asked := role['a']
	c := r.dial(asked, client.Options{})
	r.change(c)
	r.end(c)
	if step.paths != nil {
		step.point.Paths = step.paths(r.t, victims[0])
	}
	reached := step.await(r.ctx, r.t, victims[0])
	answers := make(chan string, 1)
	go func() {
		code, b, err := r.ask(asked, "POST", "restore", snapshot)
		answers <- fmt.Sprintf("%d %.100s %v", code, b, err)
	}()
	reached()
	for _, m := range victims[1:] {
		if err := m.Kill(); err != nil {
			r.t.Fatal(err)
		}
	}
	answer := <-answers
	done := strings.HasPrefix(answer, "200 ")
	for _, m := range victims {
		if err := m.Start(); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, m := range victims {
		if err := m.Ready(r.ctx); err != nil {
			r.t.Fatal(err)
		}
	}
	state := r.state()
	restored := state == "old NoNode"
	switch {
	case !restored && state != "new there":
		r.t.Errorf("%s: neither the state before nor the snapshot's: %s", step.name, state)
	case !done && !slices.Contains(victims, asked):
		r.t.Errorf("%s: the member that was asked is there and does not restore: %s", step.name, answer)
	case done && !restored:
		r.t.Errorf("%s: the answer is %s, the state %s", step.name, answer, state)
	}
	again := time.Now()
	if code, b, err := r.ask(asked, "POST", "restore", snapshot); err != nil || code != 200 {
		r.t.Fatalf("%s: the same request again: %d %s %v", step.name, code, b, err)
	}
	if state := r.state(); state != "old NoNode" {
		r.t.Errorf("%s: after the same request again: %s", step.name, state)
	}
	r.t.Logf("%-30s killed %d; restored %v, again in %v", step.name, len(victims), restored, time.Since(again).Round(time.Millisecond))
	return restored
}

// end ends a session, whose end is in no later round then.
func (r *restoring) end(c *client.Conn) {
	r.t.Helper()
	if err := c.CloseSession(r.ctx); err != nil {
		r.t.Fatal(err)
	}
}

// state is what a restore changes, the same on all members.
func (r *restoring) state() (state string) {
	r.t.Helper()
	for _, m := range r.e.Members() {
		c := r.dial(m, client.Options{})
		data, _, err := c.GetData(r.ctx, "/n", false)
		if err != nil {
			r.t.Fatal(err)
		}
		later := "there"
		if _, _, err := c.GetData(r.ctx, "/later", false); err != nil {
			later = "NoNode"
			if !strings.Contains(err.Error(), later) {
				r.t.Fatal(err)
			}
		}
		if names, err := c.GetChildren(r.ctx, "/large", false); err != nil || len(names) != r.large {
			r.t.Errorf("member %d: %d large nodes, %v", m.ID(), len(names), err)
		}
		r.end(c)
		got := string(data) + " " + later
		if state != "" && state != got {
			r.t.Errorf("member %d: %s, others %s", m.ID(), got, state)
		}
		state = got
	}
	return state
}
