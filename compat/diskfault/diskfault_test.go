package diskfault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/history"
	"holt/compat/target"
)

// diskMiB is the size of the disks that fail: enough to start a member on.
const diskMiB = 48

// testTimeout bounds each test, elections and restarts included.
const testTimeout = 3 * time.Minute

// disks are the ways to fail.
func disks() map[string]func(*testing.T, int) *disk {
	return map[string]func(*testing.T, int) *disk{"full": fullDisk, "failing": failingDisk}
}

// settings keep the original from taking 64 MiB for an empty log.
func settings() []string {
	return []string{"tickTime=500", "initLimit=20", "syncLimit=10", "preAllocSize=1024"}
}

func TestOneServer(t *testing.T) {
	for name, newDisk := range disks() {
		t.Run(name, func(t *testing.T) {
			kind := target.Kind(t)
			needRoot(t)
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			d := newDisk(t, diskMiB)
			e := target.Start(t, ensemble.Config{Settings: settings(), DataDir: func(int) string { return filepath.Join(d.dir, "data") }})
			command(t, "sync", "-f", d.dir) // what the suite wrote itself must not be at stake
			m := e.Members()[0]
			rec := history.NewRecorder()
			w := newWriter(rec, 0, m.Addr())
			w.untilEnded(ctx, t, m)
			stoppedClearly(ctx, t, kind, m, d)
			d.mend(t)
			if err := e.StartAll(ctx); err != nil {
				t.Fatal(err)
			}
			w.mustWrite(ctx, t)
			check(ctx, t, e, rec, kind, w)
		})
	}
}

// TestLeader fails the disk of the leader of three: the others go on, and it comes back.
func TestLeader(t *testing.T) {
	for name, newDisk := range disks() {
		t.Run(name, func(t *testing.T) {
			kind := target.Kind(t)
			if kind == ensemble.ZooKeeper {
				t.Skip("the original's leader goes on without its disk as long as two others have theirs")
			}
			needRoot(t)
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			// All have such a disk, since any may lead; only the leader's is filled up.
			all := make(map[int]*disk)
			for id := 1; id <= 3; id++ {
				all[id] = newDisk(t, 4*diskMiB)
			}
			e := target.Start(t, ensemble.Config{
				Members: 3, Settings: settings(), DataDir: func(id int) string { return filepath.Join(all[id].dir, "data") },
			})
			for _, d := range all {
				command(t, "sync", "-f", d.dir)
			}
			leader := target.Leader(t, e)
			d := all[leader.ID()]
			d.takeUp(t, 3*diskMiB)
			rec := history.NewRecorder()
			w := newWriter(rec, 0, e.Addrs()...)
			w.untilEnded(ctx, t, leader)
			stoppedClearly(ctx, t, kind, leader, d)
			w.mustWrite(ctx, t) // the other two go on
			d.giveBack(t)
			d.mend(t)
			if err := e.StartAll(ctx); err != nil {
				t.Fatal(err)
			}
			w.mustWrite(ctx, t)
			check(ctx, t, e, rec, kind, w)
		})
	}
}

// takeUp writes a file of so many mebibytes beside the member's data.
func (d *disk) takeUp(t *testing.T, mebibytes int) {
	t.Helper()
	command(t, "dd", "if=/dev/urandom", "of="+filepath.Join(d.dir, "ballast"), "bs=1M", fmt.Sprintf("count=%d", mebibytes), "conv=fsync")
}

func (d *disk) giveBack(t *testing.T) {
	t.Helper()
	if d.readOnly {
		return // fsck comes first
	}
	if err := os.Remove(filepath.Join(d.dir, "ballast")); err != nil {
		t.Fatal(err)
	}
}

// writer creates nodes with unique data.
type writer struct {
	*history.Client
	n int
}

func newWriter(rec *history.Recorder, id int, addrs ...string) *writer {
	return &writer{Client: history.NewClient(rec, id, 10*time.Second, addrs...)}
}

// next returns requests that write about a hundred kilobytes.
func (w *writer) next() []*history.Op {
	var ops []*history.Op
	for range 10 {
		w.n++
		token := fmt.Sprintf("%d-", w.n)
		ops = append(ops, &history.Op{
			Kind: history.Create, Version: -1, Path: fmt.Sprintf("/disk%06d", w.n), Token: token + strings.Repeat("x", 10<<10),
		})
	}
	return ops
}

// untilEnded writes until the process of m has ended by itself.
func (w *writer) untilEnded(ctx context.Context, t *testing.T, m *ensemble.Member) {
	t.Helper()
	for m.Running() {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		if err := w.Do(attempt, w.next()...); err != nil && ctx.Err() != nil {
			t.Fatalf("member %d runs on with a broken disk: %v", m.ID(), err)
		}
		cancel()
	}
	if w.n < 100 {
		t.Fatalf("only %d writes before the disk failed", w.n)
	}
}

// mustWrite has requests acknowledged, after failures of connections if need be.
func (w *writer) mustWrite(ctx context.Context, t *testing.T) {
	t.Helper()
	for {
		ops := w.next()
		if err := w.Do(ctx, ops...); err == nil {
			for _, o := range ops {
				if !o.OK() {
					t.Fatalf("refused: %v", o.Err)
				}
			}
			return
		} else if ctx.Err() != nil {
			t.Fatalf("nothing can be written: %v", err)
		}
	}
}

// stoppedClearly checks how a member of Holt ended: exit code 3, and one line at the end of its
// log that says what was wrong with the disk.
func stoppedClearly(ctx context.Context, t *testing.T, kind ensemble.Kind, m *ensemble.Member, d *disk) {
	t.Helper()
	code, err := m.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(m.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	last := lines[len(lines)-1]
	t.Logf("member %d ended with %d: %s", m.ID(), code, last)
	if kind != ensemble.Holt {
		return
	}
	if code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if !slices.ContainsFunc(d.texts, func(text string) bool { return strings.Contains(last, text) }) {
		t.Errorf("the last line says none of %q: %s", d.texts, last)
	}
	if strings.Contains(string(b), "goroutine ") {
		t.Error("the log holds a stack trace")
	}
}

// check judges the history by what every member holds.
func check(ctx context.Context, t *testing.T, e *ensemble.Ensemble, rec *history.Recorder, kind ensemble.Kind, w *writer) {
	t.Helper()
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
	var states []history.State
	for _, m := range e.Members() {
		s, err := history.ReadState(ctx, m.ID(), m.Addr(), "/")
		if err != nil {
			t.Fatal(err)
		}
		for path := range s.Nodes {
			if !strings.HasPrefix(path, "/disk") {
				delete(s.Nodes, path) // the system's own, which differ between members
			}
		}
		states = append(states, s)
	}
	t.Logf("%d writes acknowledged, %d nodes there", rec.Acknowledged(), len(states[0].Nodes))
	for _, v := range history.Check(rec.History(states, kind == ensemble.Holt)) {
		t.Error(shortened(v.String()))
	}
}

// shortened cuts the data out of a violation's text.
func shortened(s string) string {
	const most = 400
	return s[:min(len(s), most)]
}
