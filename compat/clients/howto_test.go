package clients

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/kdc"
	"holt/compat/target"
)

// systemctl starts a member and says its process id, for the test to end it.
const systemctl = `#!/bin/sh
holt serve %[1]s/zoo.cfg >%[1]s/holt.log 2>&1 &
echo $! >%[1]s/holt.pid
for i in $(seq 600); do
	grep -q ready %[1]s/holt.log && exit 0
	kill -0 $(cat %[1]s/holt.pid) || break
	sleep 0.05
done
cat %[1]s/holt.log
exit 1
`

// TestHowToKerberos runs those commands of docs/how-to/authentication.md that need a KDC.
func TestHowToKerberos(t *testing.T) {
	if target.Kind(t) != ensemble.Holt {
		t.Skip("the page is about Holt: -target=holt")
	}
	k := kdc.Start(t, "EXAMPLE.ORG")
	dir := t.TempDir()
	ports, err := ensemble.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	holt, err := ensemble.BuildHolt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "zkcli"), "../../cmd/zkcli").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Symlink(holt, filepath.Join(dir, "holt")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"systemctl": fmt.Sprintf(systemctl, dir),
		"zoo.cfg":   fmt.Sprintf("dataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n", dir, ports[0]),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { endServer(t, filepath.Join(dir, "holt.pid")) })
	page, err := os.ReadFile("../../docs/how-to/authentication.md")
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/etc/holt", dir, "/var/lib/holt", filepath.Join(dir, "var"), "/etc/krb5.conf", k.Krb5Conf, "127.0.0.1:2181", addr)
	scripts := strings.Split(string(page), "\n```sh kerberos\n")[1:]
	if len(scripts) < 3 {
		t.Fatalf("%d blocks of commands", len(scripts))
	}
	for _, script := range scripts {
		script, _, _ = strings.Cut(script, "\n```")
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", here.Replace(script))
		cmd.Env = append(k.Env(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := os.Create(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = out, out // a file, since the server would keep a pipe open
		err = cmd.Run()
		text, readErr := os.ReadFile(out.Name())
		if err := out.Close(); err != nil || readErr != nil {
			t.Fatal(err, readErr)
		}
		if err != nil {
			t.Fatalf("%v in\n%s\n%s", err, script, text)
		}
		if strings.Contains(script, "whoami") && !strings.Contains(string(text), "sasl: bob\n") {
			t.Errorf("who am I?\n%s", text)
		}
	}
}

// endServer ends the process whose id is in a file, if there is one, and waits until it writes no more.
func endServer(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		return // it was not started
	}
	var pid int
	if _, err := fmt.Sscan(string(bytes.TrimSpace(b)), &pid); err != nil {
		t.Error(err)
		return
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
		t.Error(err)
		return
	}
	for deadline := time.Now().Add(10 * time.Second); runs(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("process %d does not end", pid)
			return
		}
	}
}

// runs reports whether a process that is not ours to wait for has not ended; one that nobody waits for has.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // behind the program's name
	return !strings.HasPrefix(rest, "Z")
}
