package client

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/wire"
)

var (
	flagRecord = flag.String("record", "", "addresses of two Apache ZooKeepers to record wire/testdata/captures from, with a comma between; see TestRecord")
	flagJava   = flag.String("record-java", "", "class path of the Java client, to be recorded too")
)

// TestRecord records wire/testdata/captures anew. It needs -record with the addresses
// of two servers that are fresh (nothing but their own nodes), a standalone one and
// an ensemble of one. Both have in their zoo.cfg:
//
//	extendedTypesEnabled=true
//	reconfigEnabled=true
//	DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4=
//
// (that is super:secret) and as Java properties -Dzookeeper.fips-mode=false and a
// java.security.auth.login.config with a Server section of DigestLoginModule. The
// ensemble also has:
//
//	standaloneEnabled=false
//	server.1=127.0.0.1:21991:21992:participant;127.0.0.1:21993
//
// Only it knows reconfig. But its leader (of 3.9.4) waits for ever, and so does every
// client, after a write that it cannot decode, so those are asked of the standalone one.
func TestRecord(t *testing.T) {
	if *flagRecord == "" {
		t.Skip("no -record")
	}
	standalone, ensemble, ok := strings.Cut(*flagRecord, ",")
	if !ok {
		t.Fatal("-record takes two addresses")
	}
	r := startRecorder(t, standalone)
	defer r.close()
	for _, script := range recordings {
		script.run(&recording{t: t, r: r, ctx: testContext(t)})
		writeCapture(t, script.name, r.take())
	}
	r = startRecorder(t, ensemble)
	defer r.close()
	recordReconfig(&recording{t: t, r: r, ctx: testContext(t)})
	writeCapture(t, "reconfig", r.take())
	if *flagJava != "" {
		recordJava(t, r)
		writeCapture(t, "java", r.take())
	}
}

func writeCapture(t *testing.T, name, text string) {
	path := filepath.Join("..", "testdata", "captures", name+".txt")
	text = "# Recorded from Apache ZooKeeper by wire/client TestRecord, which explains the format.\n" + text
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// recording is what a script of recordings works with.
type recording struct {
	t   *testing.T
	r   *recorder
	ctx context.Context
}

// dial connects through the recorder.
func (x *recording) dial(o Options) *Conn {
	x.t.Helper()
	o.NoPings = true
	c, err := Dial(x.ctx, x.r.addr(), o)
	if err != nil {
		x.t.Fatal(err)
	}
	return c
}

// end ends the session, and waits for the server to close.
func (x *recording) end(c *Conn) {
	if err := c.CloseSession(x.ctx); err != nil {
		x.t.Error(err)
	}
	x.gone(c)
}

func (x *recording) gone(c *Conn) {
	<-c.Done()
	c.Abort()
}

// does checks what came of a request.
func (x *recording) does(what string, want error, err error) {
	x.t.Helper()
	if !errors.Is(err, want) {
		x.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (x *recording) note(format string, args ...any) { x.r.printf("# "+format+"\n", args...) }

// send sends a request and waits; it notes what is asked.
func (x *recording) send(c *Conn, note string, want error, op wire.OpCode, req wire.Record) *Call {
	x.t.Helper()
	x.note("%s", note)
	call := c.Send(op, req)
	x.does(note, want, call.Wait(x.ctx))
	return call
}

// recordJava lets the Java client do its operations.
func recordJava(t *testing.T, r *recorder) {
	commands := `
create /j data
create -s /j/s- seq
create -e /j/e eph
create -c /j/c
create -t 60000 /j/t ttl
create /j/null
stat -w /j
get -s -w /j
set -s /j two
set -v 7 /j three
ls -s -w /j
ls -R /j
getAcl -s /j
setAcl -s /j world:anyone:cdrwa
addauth digest u:p
whoami
setAcl /j/s-0000000000 auth::cdrwa
addWatch -m PERSISTENT /j
addWatch -m PERSISTENT_RECURSIVE /j/c
create /j/c/x
removewatches /j/c
removewatches -a /j
sync /j
getEphemerals /
getAllChildrenNumber /j
setquota -n 100 /j
listquota /j
delquota /j
config -s
addauth digest super:secret
reconfig -add server.9=127.0.0.1:21997:21998:observer;21999
reconfig -remove 9
delete /j/e
deleteall /j
delete /none
quit
`
	cmd := exec.Command("java", "-cp", *flagJava, "org.apache.zookeeper.ZooKeeperMain", "-server", r.addr())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It takes commands before it is connected for failures, so the first waits.
	time.Sleep(3 * time.Second)
	for command := range strings.Lines(strings.TrimSpace(commands)) {
		if _, err := io.WriteString(in, command); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", command, err))
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Log(err) // the status of the last command
	}
}
