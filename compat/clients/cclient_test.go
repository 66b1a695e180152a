package clients

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// cliMT is the C client's command line as Debian installs it.
const cliMT = "/usr/lib/zookeeper/bin/cli_mt"

// talkC starts cli_mt and waits for its session, whose id it returns.
func talkC(t *testing.T, addrs ...string) (*dialogue, string) {
	t.Helper()
	// Its standard output is a pipe here, so it must be told to write by the line.
	d := talk(t, exec.Command("stdbuf", "-oL", cliMT, strings.Join(addrs, ",")))
	return d, d.expect(`Got a new session id: (0x[0-9a-f]+)`)[1]
}

func TestCClient(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"test", "-x", cliMT}, Package: "zookeeper-bin"})
	e := three(t)
	t.Run("data", func(t *testing.T) { cData(t, e) })
	t.Run("watches", func(t *testing.T) { cWatches(t, e) })
	t.Run("ephemerals", func(t *testing.T) { cEphemerals(t, e) })
	t.Run("library", func(t *testing.T) { cLibrary(t, e) })
	t.Run("failover", func(t *testing.T) { cFailover(t, e) })
}

func cData(t *testing.T, e *ensemble.Ensemble) {
	for i, addr := range e.Addrs() {
		d, _ := talkC(t, addr)
		path := fmt.Sprintf("/c-data-%d", i)
		d.ask("create "+path, `\[`+path+`\]: rc = 0\n\tname = `+path+`\n`)
		d.ask("create "+path, `\[`+path+`\]: rc = -110\n`)
		d.ask("create /absent/child", `\[/absent/child\]: rc = -101\n`)
		d.ask("set "+path+" hello", path+`: rc = 0 Stat:(?s:.*)version=1\taversion=0`)
		d.ask("get "+path, path+`: rc = 0\n value_len = 5\nhello\nStat:(?s:.*)version=1\taversion=0`)
		d.ask("get /absent", `/absent: rc = -101\n`)
		d.ask("create2 "+path+"/child", `name = `+path+`/child\n(?s:.*)version=0\taversion=0`)
		d.ask("ls "+path, path+`: rc = 0\n\tchild\n`)
		d.ask("ls2 "+path, path+`: rc = 0\n\tchild\n`)
		d.ask("delete "+path, path+`: rc = -111`)
		d.ask("exists /absent", `Error -101 for /absent\n`)
		d.ask("create +s "+path+"/s-", `name = `+path+`/s-0000000001\n`)
		d.ask("create +es "+path+"/s-", `name = `+path+`/s-0000000002\n`)
		d.ask("sync "+path, `: rc = 0`)
		d.send("quit")
		d.wait()
	}
}

func cWatches(t *testing.T, e *ensemble.Ensemble) {
	watcher, _ := talkC(t, e.Addrs()[0])
	writer := dialGozk(t, e.Addrs()[1])
	watcher.ask("wexists /c-watch", `Error -101 for /c-watch`)
	if _, err := writer.Create("/c-watch", nil, 0, worldACL); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`CREATED_EVENT state = CONNECTED_STATE for path /c-watch\n`)
	watcher.ask("get /c-watch", `/c-watch: rc = 0`)
	if _, err := writer.Set("/c-watch", []byte("x"), -1); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`CHANGED_EVENT state = CONNECTED_STATE for path /c-watch\n`)
	watcher.ask("ls /c-watch", `/c-watch: rc = 0`)
	if _, err := writer.Create("/c-watch/child", nil, 0, worldACL); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`CHILD_EVENT state = CONNECTED_STATE for path /c-watch\n`)
	watcher.ask("get /c-watch/child", `/c-watch/child: rc = 0`)
	if err := writer.Delete("/c-watch/child", -1); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`DELETED_EVENT state = CONNECTED_STATE for path /c-watch/child\n`)
}

func cEphemerals(t *testing.T, e *ensemble.Ensemble) {
	observer := dialGozk(t, e.Addrs()[2])
	for _, end := range []string{"quit", "kill"} {
		owner, session := talkC(t, e.Addrs()[0])
		path := "/c-ephemeral-" + end
		owner.ask("create +e "+path, `name = `+path)
		gone := watchEphemeral(t, observer, path, session)
		start, least := time.Now(), time.Duration(0)
		if end == "quit" {
			owner.send("quit")
			owner.wait()
		} else {
			owner.kill()
			least = sessionTimeout / 2
		}
		expect(t, gone, zk.EventNodeDeleted, path)
		if took := time.Since(start); took < least {
			t.Errorf("%s: gone after %v, before the session could expire", end, took)
		}
	}
}

// watchEphemeral checks the owner of an ephemeral, a session id in hex, and watches for its end.
func watchEphemeral(t *testing.T, observer *gozk, path, session string) <-chan zk.Event {
	t.Helper()
	if _, err := observer.Sync(path); err != nil {
		t.Fatal(err)
	}
	found, stat, gone, err := observer.ExistsW(path)
	if err != nil || !found {
		t.Fatalf("exists %s = %v, %v", path, found, err)
	}
	if owner := fmt.Sprintf("0x%x", stat.EphemeralOwner); owner != session {
		t.Errorf("owner of %s = %s, want %s", path, owner, session)
	}
	return gone
}

// cLibrary runs what cli_mt has no command for, above all multi, through the C library.
func cLibrary(t *testing.T, e *ensemble.Ensemble) {
	target.Require(t, target.Tool{Check: []string{"test", "-e", "/usr/include/zookeeper/zookeeper.h"}, Package: "libzookeeper-mt-dev"})
	target.Require(t, target.Tool{Check: []string{"cc", "--version"}, Package: "gcc libc6-dev"})
	program := filepath.Join(t.TempDir(), "c_suite")
	build := exec.Command("cc", "-Wall", "-Werror", "-DTHREADED", "-o", program, "testdata/c_suite.c", "-lzookeeper_mt")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", build.Args, err, out)
	}
	runScript(t, e, program)
}

func cFailover(t *testing.T, e *ensemble.Ensemble) {
	d, session := talkC(t, e.Addrs()...)
	d.ask("create +e /c-failover", `name = /c-failover`)
	d.ask("get /c-failover", `/c-failover: rc = 0`) // sets a watch
	d.ask("myid", `session Id = `+strings.TrimPrefix(session, "0x"))
	killMember(t, e, serverOfSession(t, e, session))
	d.expect(`SESSION_EVENT state = CONNECTED_STATE`)
	d.ask("myid", `session Id = `+strings.TrimPrefix(session, "0x"))
	writer := dialGozk(t, serverOfSession(t, e, session))
	if _, stat, err := writer.Get("/c-failover"); err != nil || fmt.Sprintf("0x%x", stat.EphemeralOwner) != session {
		t.Errorf("get = %+v, %v, want owner %s", stat, err, session)
	}
	if _, err := writer.Set("/c-failover", []byte("w"), 0); err != nil {
		t.Fatal(err)
	}
	d.expect(`CHANGED_EVENT state = CONNECTED_STATE for path /c-failover\n`)
	d.ask("get /c-failover", `value_len = 1\nw`)
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// serverOfSession returns the address of the member that says a session, in hex, is connected
// to it.
func serverOfSession(t *testing.T, e *ensemble.Ensemble, session string) string {
	t.Helper()
	for _, m := range e.Members() {
		if !m.Running() {
			continue
		}
		text, err := m.FourLetterWord(t.Context(), "cons")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "sid="+session+",") {
			return m.Addr()
		}
	}
	t.Fatalf("no member has session %s", session)
	return ""
}
