package zkcli

import (
	"slices"
	"testing"
)

// TestTakeApart reads streams as a program writes them, with an event in the middle of an echo.
func TestTakeApart(t *testing.T) {
	lines := []string{"get -s /a", "set /a x", "close", "ls /"}
	const stdout = `Connecting to h:1
Welcome
[zk: h:1(CONNECTING) 0] get -s /a
data
ctime = Wed Nov 25 02:21:08 UTC 2026
ephemeralOwner = 0x10000a
12:00:00.000 WARN  o.a.z.ClientCnxn - something
[zk: h:1(CONNECTED) 1] listquota /marker-0
[zk: h:1(CONNECTED) 2] se
WATCHER::

WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 14
t /a x
[zk: h:1(CONNECTED) 3] listquota /marker-1
[zk: h:1(CONNECTED) 4] close
[zk: h:1(CLOSED) 5] listquota /marker-2
Not connected
[zk: h:1(CLOSED) 6] ls /
Not connected
[zk: h:1(CLOSED) 7] listquota /marker-3
Not connected
[zk: h:1(CLOSED) 8] `
	const stderr = `absolute path is /zookeeper/quota/marker-0/zookeeper_limits
quota for /marker-0 does not exist.
complaint
absolute path is /zookeeper/quota/marker-1/zookeeper_limits
quota for /marker-1 does not exist.
late
`
	got, err := takeApart(lines, "h:1", stdout, stderr)
	if err != nil {
		t.Fatal(err)
	}
	want := []turn{
		{line: "get -s /a", stdout: "data\nctime = DATE\nephemeralOwner = SESSION\n"},
		{line: "set /a x", stderr: "complaint\n"},
		{line: "close", stdout: "Not connected\n", stderr: "late\n"},
		{line: "ls /", stdout: "Not connected\n"},
	}
	if !slices.Equal(got.turns, want) {
		t.Errorf("turns\n got %q\nwant %q", got.turns, want)
	}
	if got.greeting != "Connecting to SERVER\nWelcome\n" {
		t.Errorf("greeting %q", got.greeting)
	}
	if want := []string{"WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 14"}; !slices.Equal(got.events, want) {
		t.Errorf("events %q", got.events)
	}
	if _, err := takeApart([]string{"get /b"}, "h:1", stdout, stderr); err == nil {
		t.Error("another line than the one echoed is not noticed")
	}
}

func TestReadAccepted(t *testing.T) {
	list, err := readAccepted("# comment\n\nls / | stdout | because\nget | all | why not | really\n")
	if err != nil || len(list) != 2 || list[1].reason != "why not | really" {
		t.Fatalf("%v, %v", list, err)
	}
	if !accepts(list, "ls /", "stdout") || accepts(list, "ls /", "stderr") || !accepts(list, "get", "exit") {
		t.Error("accepts the wrong ones")
	}
	if !list[0].used || !list[1].used {
		t.Error("does not note what occurred")
	}
	if _, err := readAccepted("ls / | stdout"); err == nil {
		t.Error("an entry without a reason is taken")
	}
}
