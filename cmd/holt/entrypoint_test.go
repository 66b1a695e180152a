package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// image is a world with the directories of a container.
func image(t *testing.T) (*world, string) {
	t.Helper()
	w, dir := newWorld(), t.TempDir()
	for name, variable := range map[string]string{"conf": "ZOO_CONF_DIR", "data": "ZOO_DATA_DIR", "datalog": "ZOO_DATA_LOG_DIR", "logs": "ZOO_LOG_DIR"} {
		w.env[variable] = filepath.Join(dir, name)
		if err := os.Mkdir(w.env[variable], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w, dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEntrypoint is about the file that the official image writes from its
// variables, whose lines and their order are those of its docker-entrypoint.sh.
func TestEntrypoint(t *testing.T) {
	w, dir := image(t)
	w.stop <- syscall.SIGTERM
	w.check(t, []string{"entrypoint"}, 0, "", "stopped")
	const defaults = `tickTime=2000
initLimit=5
syncLimit=2
autopurge.snapRetainCount=3
autopurge.purgeInterval=0
maxClientCnxns=60
standaloneEnabled=true
admin.enableServer=true
server.1=localhost:2888:3888;2181
`
	head := fmt.Sprintf("dataDir=%s/data\ndataLogDir=%s/datalog\n", dir, dir)
	if got := read(t, dir+"/conf/zoo.cfg"); got != head+defaults {
		t.Errorf("zoo.cfg is\n%s", got)
	}
	if got := read(t, dir+"/data/myid"); got != "1\n" {
		t.Errorf("myid is %q", got)
	}
	cfg := w.started[0]
	if !cfg.Standalone() || cfg.ClientAddr != "0.0.0.0:2181" || cfg.TickMillis != 2000 || cfg.LogDir != dir+"/datalog" {
		t.Errorf("started with %+v", cfg)
	}
	if want := []string{dir + "/data", dir + "/datalog", dir + "/logs"}; strings.Join(w.given, " ") != strings.Join(want, " ") {
		t.Errorf("given to the image's user: %v", w.given)
	}
}

func TestEntrypointVariables(t *testing.T) {
	w, dir := image(t)
	w.stop <- syscall.SIGTERM
	for name, value := range map[string]string{
		"ZOO_MY_ID": "2", "ZOO_SERVERS": "server.1=a:2888:3888;2181  server.2=0.0.0.0:2888:3888;2181\nserver.3=c:2888:3888;2181",
		"ZOO_TICK_TIME": "1000", "ZOO_INIT_LIMIT": "20", "ZOO_SYNC_LIMIT": "10", "ZOO_MAX_CLIENT_CNXNS": "0",
		"ZOO_AUTOPURGE_PURGEINTERVAL": "24", "ZOO_AUTOPURGE_SNAPRETAINCOUNT": "5",
		"ZOO_STANDALONE_ENABLED": "false", "ZOO_ADMINSERVER_ENABLED": "false", "ZOO_4LW_COMMANDS_WHITELIST": "srvr, mntr",
		"ZOO_CFG_EXTRA": "quorumListenOnAllIPs=true enforceQuota=true",
		"JVMFLAGS":      "-Dzookeeper.snapCount=500 -Xmx512m",
	} {
		w.env[name] = value
	}
	w.check(t, []string{"entrypoint", "zkServer.sh", "start-foreground"}, 0, "", "stopped")
	_, rest, _ := strings.Cut(read(t, dir+"/conf/zoo.cfg"), "tickTime=")
	if want := `1000
initLimit=20
syncLimit=10
autopurge.snapRetainCount=5
autopurge.purgeInterval=24
maxClientCnxns=0
standaloneEnabled=false
admin.enableServer=false
server.1=a:2888:3888;2181
server.2=0.0.0.0:2888:3888;2181
server.3=c:2888:3888;2181
4lw.commands.whitelist=srvr, mntr
quorumListenOnAllIPs=true
enforceQuota=true
`; rest != want {
		t.Errorf("zoo.cfg goes on with\n%s", rest)
	}
	cfg := w.started[0]
	if cfg.MemberID != 2 || len(cfg.Members) != 3 || cfg.MaxClientConns != -1 || !cfg.QuorumListenAll || !cfg.EnforceQuota || cfg.SnapCount != 500 {
		t.Errorf("started with %+v", cfg)
	}
}

// TestEntrypointKeeps is about files that are there: the variables do not count.
func TestEntrypointKeeps(t *testing.T) {
	w, dir := image(t)
	w.stop <- syscall.SIGTERM
	w.env["ZOO_TICK_TIME"], w.env["ZOO_MY_ID"] = "1", "9"
	const mine = "dataDir=/mine\nclientPort=2199\n"
	if err := os.WriteFile(dir+"/conf/zoo.cfg", []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/data/myid", []byte("3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.check(t, []string{"entrypoint", "holt", "serve"}, 0, "", "stopped")
	if cfg := w.started[0]; cfg.DataDir != "/mine" || cfg.TickMillis != 0 || read(t, dir+"/conf/zoo.cfg") != mine || read(t, dir+"/data/myid") != "3\n" {
		t.Errorf("started with %+v", cfg)
	}
	if w.given != nil {
		t.Errorf("given to the image's user, though the command is not zkServer.sh: %v", w.given)
	}

	w, dir = image(t)
	w.env["ZOO_CONF_DIR"] = dir + "/none"
	w.check(t, []string{"entrypoint"}, 3, "", "mount a directory there that uid")
	w, _ = image(t)
	w.check(t, []string{"entrypoint", "no-such-command"}, 1, "", "name a command of holt, zkServer.sh or another in the image")
}

// TestEntrypointProcess runs it as root, if the test is: the server is not.
func TestEntrypointProcess(t *testing.T) {
	w, dir := image(t)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/conf", 0o777); err != nil { // in the image it is the user's
		t.Fatal(err)
	}
	for name, value := range w.env {
		t.Setenv(name, value)
	}
	port := freePort(t)
	t.Setenv("ZOO_SERVERS", fmt.Sprintf("server.1=localhost:2888:3888;127.0.0.1:%d", port))
	p := startProcess(t, "entrypoint", "zkServer.sh", "start-foreground")
	p.waitLine("\tready\t")
	c := connect(t, fmt.Sprintf("127.0.0.1:%d", port))
	create(t, c, "/a", "1")
	c.Close()
	want := uint32(os.Getuid())
	if want == 0 {
		want = imageUser
	}
	for _, path := range []string{dir + "/data/myid", dir + "/conf/zoo.cfg", dir + "/datalog"} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to uid %d, want %d", path, got, want)
		}
	}
	p.stop(syscall.SIGTERM)
}
