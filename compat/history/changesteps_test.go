package history

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire/client"
)

// changeStep is a moment of a change of members at which one of them is killed.
type changeStep struct {
	name   string
	victim func(r *stepRound) []*ensemble.Member
	// The moment is a system call of the first victim on a file, or, without one, that the victim has
	// logged the line.
	calls string
	paths func(r *stepRound, m *ensemble.Member) []string
	line  string
	quiet bool // with no load, so that what is waited for happens for the change alone
}

// stepRound is one change.
type stepRound struct {
	*changer
	newcomer *ensemble.Member // the one that is added, or was
	leader   *ensemble.Member
}

func (r *stepRound) leads() []*ensemble.Member { return []*ensemble.Member{r.leader} }

func (r *stepRound) follows() []*ensemble.Member {
	i := slices.IndexFunc(r.in, func(m *ensemble.Member) bool { return m != r.leader && m != r.newcomer })
	return r.in[i : i+1]
}

func (r *stepRound) all() []*ensemble.Member {
	return append(r.leads(), slices.DeleteFunc(slices.Clone(r.in), func(m *ensemble.Member) bool { return m == r.leader })...)
}

// dynamics are the names that the next configuration file may have: it is named by the zxid of the change.
func (r *stepRound) dynamics(m *ensemble.Member, suffix string) []string {
	r.t.Helper()
	values, err := m.FourLetterWord(r.ctx, "srvr")
	if err != nil {
		r.t.Fatal(err)
	}
	var zxid uint64
	for line := range strings.Lines(values) {
		if _, err := fmt.Sscanf(line, "Zxid: 0x%x", &zxid); err == nil {
			break
		}
	}
	const soon = 200 // with no load, more than sessions begin and end until the change is done
	var names []string
	for i := range uint64(soon) {
		names = append(names, fmt.Sprintf("%s.dynamic.%x%s", m.ConfigPath(), zxid+i, suffix))
	}
	return names
}

func tempDynamic(r *stepRound, m *ensemble.Member) []string { return r.dynamics(m, ".tmp") }
func dynamic(r *stepRound, m *ensemble.Member) []string     { return r.dynamics(m, "") }

func beside(names ...string) func(*stepRound, *ensemble.Member) []string {
	return func(_ *stepRound, m *ensemble.Member) []string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(filepath.Dir(m.ConfigPath()), name))
		}
		return paths
	}
}

// raftLog is the file to which the next entries of a member's log go.
func raftLog(r *stepRound, m *ensemble.Member) []string { return logFiles(r.t, m) }

func logFiles(t *testing.T, m *ensemble.Member) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(m.DataDir(), "raft", "log", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("member %d has no log in %s: %v", m.ID(), m.DataDir(), err)
	}
	return logs
}

// changeSteps are in the order in which a change comes to them.
var changeSteps = []changeStep{
	{name: "proposed, leader", victim: (*stepRound).leads, line: "change of members begins"},
	{name: "proposed, all members", victim: (*stepRound).all, line: "change of members begins"},
	{name: "written to the leader's log", victim: (*stepRound).leads, calls: "fsync,fdatasync", paths: raftLog, quiet: true},
	{name: "written to a follower's log", victim: (*stepRound).follows, calls: "fsync,fdatasync", paths: raftLog, quiet: true},
	{name: "applied, leader", victim: (*stepRound).leads, line: "members changed"},
	{name: "applied, follower", victim: (*stepRound).follows, line: "members changed"},
	{name: "applied, all members", victim: (*stepRound).all, line: "members changed"},
	{name: "dynamic file to be written", victim: (*stepRound).leads, calls: "openat", paths: tempDynamic, quiet: true},
	{name: "dynamic file written", victim: (*stepRound).follows, calls: "fsync", paths: tempDynamic, quiet: true},
	{name: "dynamic file to be renamed", victim: (*stepRound).leads, calls: "renameat", paths: dynamic, quiet: true},
	{name: "dynamic file renamed", victim: (*stepRound).follows, calls: "openat", paths: beside(".")},
	{name: "zoo.cfg to be written", victim: (*stepRound).leads, calls: "openat", paths: beside("zoo.cfg.tmp")},
	{name: "zoo.cfg written", victim: (*stepRound).follows, calls: "fsync", paths: beside("zoo.cfg.tmp")},
	{name: "zoo.cfg to be renamed", victim: (*stepRound).leads, calls: "renameat", paths: beside("zoo.cfg")},
}

// TestKillsAtStepsOfChanges kills a member, or all, at each step of a change under load. Afterwards there is
// the old configuration or the new one on all members; the same request again finishes the change; the
// configuration files of each member name the members that there are.
func TestKillsAtStepsOfChanges(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("Holt's steps")
	}
	target.Require(t, target.Tool{Check: []string{"strace", "-V"}, Package: "strace"})
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	c := newChanger(ctx, t)
	fourth := c.newcomer()
	rec := NewRecorder()
	const root = "/steps"
	if err := MakeRegisters(ctx, root, registersOfKill, c.in[0].Addr()); err != nil {
		t.Fatal(err)
	}
	w := newCrew(ctx, rec, root, c.e.Addrs()[:3], rand.New(rand.NewPCG(4, 4)))
	w.start(t)
	c.start(fourth)
	for _, step := range changeSteps {
		r := &stepRound{changer: c, newcomer: fourth, leader: target.Leader(t, c.e)}
		if step.quiet {
			w.stop()
		}
		r.run(&step)
		if step.quiet && !t.Failed() {
			w.halt.Store(false)
			w.start(t)
		}
		if t.Failed() {
			return
		}
	}
	c.start(c.in...)
	c.finish(rec, w)
}

// run adds the fourth member, or removes it if it is one; it has an empty log when it comes again.
func (r *stepRound) run(step *changeStep) {
	r.t.Helper()
	add, remove := []*ensemble.Member{r.newcomer}, []*ensemble.Member(nil)
	if slices.Contains(r.in, r.newcomer) {
		add, remove = nil, add
	}
	victims := step.victim(r)
	old := r.config()
	conn, err := r.connect(remove)
	if err != nil {
		r.t.Fatal(err)
	}
	at := killStep{name: step.name, line: step.line, leaves: slices.Contains(remove, victims[0])}
	if step.line == "" {
		at.point = ensemble.KillPoint{Calls: step.calls, Paths: step.paths(r, victims[0])}
	}
	reached := at.await(r.ctx, r.t, victims[0])
	done := make(chan error, 1)
	go func() { done <- r.askOver(conn, add, remove) }()
	reached()
	for _, m := range victims[1:] {
		if err := m.Kill(); err != nil && !ended(m, slices.Contains(remove, m)) {
			r.t.Fatal(err)
		}
	}
	first := <-done
	for _, m := range victims {
		if err := m.Start(); err != nil {
			r.t.Fatal(err)
		}
	}
	stay := slices.DeleteFunc(slices.Clone(r.in), func(m *ensemble.Member) bool { return slices.Contains(remove, m) })
	r.start(stay...)
	between := r.config()
	isNew := between != old
	if n := strings.Count(between, "server."); isNew && n != len(r.in)+len(add)-len(remove) {
		r.t.Errorf("neither the old configuration nor the new one:\n%s\nwas\n%s", between, old)
	}
	took := r.change(add, remove)
	for _, m := range r.in {
		r.files(m)
	}
	for _, m := range remove {
		r.removed(m)
		if err := r.e.Wipe(m, r.e.Members()); err != nil {
			r.t.Fatal(err)
		}
		r.start(m)
	}
	r.t.Logf("%-28s add %d, remove %d, killed %d; first answer %v, new after the restart: %v, then %v", step.name, len(add), len(remove), len(victims), first, isNew, took.Round(time.Millisecond))
}

// killStep is a moment at which a member is killed: when it has logged a line, or at a point.
type killStep struct {
	name, line string
	point      ensemble.KillPoint
	leaves     bool // the member may end by itself, having been removed
}

// ended tells whether a member that cannot be killed ended by itself, as one that leaves does.
func ended(m *ensemble.Member, leaves bool) bool { return leaves && !m.Running() }

// await prepares for a member to be killed at the step. What it returns waits until it is.
func (step killStep) await(ctx context.Context, t *testing.T, m *ensemble.Member) (reached func()) {
	t.Helper()
	if step.line != "" {
		log, err := os.Open(m.LogPath())
		if err != nil {
			t.Fatal(err)
		}
		end, err := log.Seek(0, 2)
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			defer log.Close()
			for text := make([]byte, 1<<20); ; {
				n, _ := log.ReadAt(text, end) // to its end, which is an error
				if bytes.Contains(text[:n], []byte(step.line)) {
					break
				}
				if ctx.Err() != nil {
					t.Fatalf("member %d does not come to: %s", m.ID(), step.name)
				}
			}
			if err := m.Kill(); err != nil && !ended(m, step.leaves) {
				t.Fatal(err)
			}
		}
	}
	trap, err := step.point.Set(m.PID())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if _, err := m.Wait(ctx); err != nil {
			t.Fatalf("member %d does not come to: %s: %v, %v", m.ID(), step.name, err, trap.Close())
		}
		if err := trap.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// config is the configuration, the same on all members that are to stay.
func (r *stepRound) config() string {
	r.t.Helper()
	var config string
	for _, m := range r.in {
		if !m.Running() {
			continue // it was removed
		}
		text := r.configAt(m)
		if config != "" && text != "" && text != config {
			r.t.Errorf("member %d has the configuration\n%s\nothers\n%s", m.ID(), text, config)
		}
		config = max(config, text)
	}
	return config
}

// configAt is empty if the member ends meanwhile, as one does that was removed.
func (r *stepRound) configAt(m *ensemble.Member) string {
	r.t.Helper()
	var last error
	for m.Running() && r.ctx.Err() == nil {
		c, err := client.Dial(r.ctx, m.Addr(), client.Options{SessionTimeout: 5 * time.Second})
		if err != nil {
			last = err
			pause(r.ctx, 20*time.Millisecond)
			continue
		}
		err = c.Sync(r.ctx, "/")
		var data []byte
		if err == nil {
			data, _, err = c.GetData(r.ctx, "/zookeeper/config", false)
		}
		if err == nil && c.CloseSession(r.ctx) == nil {
			return string(data)
		}
		last = err
	}
	if r.ctx.Err() != nil {
		r.t.Fatalf("member %d does not tell its configuration: %v", m.ID(), last)
	}
	return ""
}

// files waits until the files of a member name the configuration that it has.
func (r *stepRound) files(m *ensemble.Member) {
	r.t.Helper()
	config := r.configAt(m)
	lines := strings.Split(config, "\n")
	servers, version := lines[:len(lines)-1], strings.TrimPrefix(lines[len(lines)-1], "version=")
	slices.Sort(servers)
	name := m.ConfigPath() + ".dynamic." + version
	for {
		static, err := os.ReadFile(m.ConfigPath())
		if err != nil {
			r.t.Fatal(err)
		}
		if strings.Contains(string(static), "dynamicConfigFile="+name+"\n") {
			break
		}
		if r.ctx.Err() != nil {
			r.t.Fatalf("zoo.cfg of member %d does not come to name %s:\n%s", m.ID(), name, static)
		}
		pause(r.ctx, 10*time.Millisecond)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != strings.Join(servers, "\n") {
		r.t.Errorf("member %d: %v: %s holds\n%s\nwant\n%s", m.ID(), err, name, text, config)
	}
}
