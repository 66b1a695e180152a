package clients

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// original returns Apache ZooKeeper's programs, which are clients here, whatever is under test.
func original(t *testing.T) *ensemble.Original {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{"javac", "-version"}, Package: "default-jdk-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
	o, err := ensemble.LoadOriginal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestJavaCLI(t *testing.T) {
	target.Kind(t)
	o, e := original(t), three(t)
	t.Run("data", func(t *testing.T) { javaData(t, o, e) })
	t.Run("watches", func(t *testing.T) { javaWatches(t, o, e) })
	t.Run("ephemerals", func(t *testing.T) { javaEphemerals(t, o, e) })
	t.Run("failover", func(t *testing.T) { javaFailover(t, o, e) })
}

// TestJavaLibrary runs what the command line has no command for, above all multi.
func TestJavaLibrary(t *testing.T) {
	target.Kind(t)
	cmd := original(t).Java("testdata/JavaSuite.java")
	runScript(t, three(t), cmd.Args...)
}

// connectedPrompt is what zkCli.sh shows when it has a session.
const connectedPrompt = `\[zk: [^\]]*\(CONNECTED\) \d+\] `

// talkJava starts ZooKeeperMain and waits for its session.
func talkJava(t *testing.T, o *ensemble.Original, addrs ...string) *dialogue {
	t.Helper()
	d := talk(t, o.CLI("-timeout", fmt.Sprint(sessionTimeout.Milliseconds()), "-server", strings.Join(addrs, ",")))
	d.expect(`WatchedEvent state:SyncConnected type:None path:null`)
	return d
}

func javaData(t *testing.T, o *ensemble.Original, e *ensemble.Ensemble) {
	for _, addr := range e.Addrs() { // one-shot, at each member
		out, err := o.CLI("-server", addr, "ls", "/").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "[zookeeper]") {
			t.Errorf("ls / at %s: %v\n%s", addr, err, out)
		}
	}
	d := talkJava(t, o, e.Addrs()...)
	d.ask("create /j one", `Created /j\n`)
	d.ask("create /j again", `Node already exists: /j\n`)
	d.ask("create /absent/child x", `Node does not exist: /absent/child\n`)
	d.ask("set -s /j three", `dataVersion = 1\naclVersion = 0\nephemeralOwner = 0x0\ndataLength = 5\nnumChildren = 0\n`)
	d.ask("get -s /j", `three\ncZxid = (?s:.*)dataVersion = 1\n`)
	d.ask("set -v 7 /j x", `version No is not valid : /j\n`)
	d.ask("create -s /j/s- x", `Created /j/s-0000000000\n`)
	d.ask("create -s -e /j/s- x", `Created /j/s-0000000001\n`)
	d.ask("ls /j", `\[s-0000000000, s-0000000001\]\n`)
	d.ask("delete /j", `Node not empty: /j\n`)
	d.ask("getAcl /j", `'world,'anyone\n: cdrwa\n`)
	d.ask("addauth digest me:secret", connectedPrompt)
	d.ask("create /j-acl x auth::cdrwa", `Created /j-acl\n`)
	d.ask("getAcl /j-acl", `'digest,'me:[^\n]+\n: cdrwa\n`)
	d.ask("sync /j", `Sync is OK\n`)
	d.ask("deleteall /j", connectedPrompt)
	d.ask("stat /j", `Node does not exist: /j\n`)
	d.ask("ls /", `\[[^\n]*zookeeper\]\n`) // the last command decides the exit status
	d.send("quit")
	d.wait()
}

func javaWatches(t *testing.T, o *ensemble.Original, e *ensemble.Ensemble) {
	watcher := talkJava(t, o, e.Addrs()[0])
	writer := dialGozk(t, e.Addrs()[1])
	watcher.ask("stat -w /j-watch", `Node does not exist: /j-watch\n`)
	if _, err := writer.Create("/j-watch", []byte("v"), 0, worldACL); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`type:NodeCreated path:/j-watch zxid: \d+\n`)
	watcher.ask("get -w /j-watch", `v\n`)
	if _, err := writer.Set("/j-watch", []byte("w"), -1); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`type:NodeDataChanged path:/j-watch zxid: \d+\n`)
	watcher.ask("ls -w /j-watch", `\[\]\n`)
	if _, err := writer.Create("/j-watch/child", nil, 0, worldACL); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`type:NodeChildrenChanged path:/j-watch zxid: \d+\n`)
	watcher.ask("get -w /j-watch", `w\n`)
	watcher.ask("get -w /j-watch/child", `null\n`)
	if err := writer.Delete("/j-watch/child", -1); err != nil {
		t.Fatal(err)
	}
	watcher.expect(`type:NodeDeleted path:/j-watch/child zxid: \d+\n`)
}

func javaEphemerals(t *testing.T, o *ensemble.Original, e *ensemble.Ensemble) {
	observer := dialGozk(t, e.Addrs()[2])
	for _, end := range []string{"quit", "kill"} {
		owner := talkJava(t, o, e.Addrs()[0])
		path := "/j-ephemeral-" + end
		owner.ask("create -e "+path+" x", `Created `+path+`\n`)
		session := owner.ask("stat "+path, `ephemeralOwner = (0x[0-9a-f]+)\n`)[1]
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

func javaFailover(t *testing.T, o *ensemble.Original, e *ensemble.Ensemble) {
	d := talkJava(t, o, e.Addrs()...)
	d.ask("create -e /j-failover v", `Created /j-failover\n`)
	session := d.ask("stat /j-failover", `ephemeralOwner = (0x[0-9a-f]+)\n`)[1]
	d.ask("get -w /j-failover", `v\n`)
	killMember(t, e, serverOfSession(t, e, session))
	d.expect(`WatchedEvent state:Disconnected`)
	d.expect(`WatchedEvent state:SyncConnected type:None`)
	d.ask("stat /j-failover", `ephemeralOwner = `+session+`\n`)
	writer := dialGozk(t, serverOfSession(t, e, session))
	if _, err := writer.Set("/j-failover", []byte("w"), 0); err != nil {
		t.Fatal(err)
	}
	d.expect(`type:NodeDataChanged path:/j-failover zxid: \d+\n`)
	d.ask("get /j-failover", `w\n`)
	d.send("quit")
	d.wait()
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
}
