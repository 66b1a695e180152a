package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestOutputOfOneCommand looks at both streams of one-shot commands, and at exit codes.
func TestOutputOfOneCommand(t *testing.T) {
	address := startServer(t)
	hello := "Connecting to " + address + "\n\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null zxid: -1\n"
	const closed = "\nWATCHER::\n\nWatchedEvent state:Closed type:None path:null zxid: -1\n"
	for _, tt := range []struct {
		args, stdout, stderr string
		exitCode             int
	}{
		{"create /a hello", hello, "Created /a\n", 0},
		{"get /a", hello + "hello\n", "", 0},
		{"get /nope", hello, "Node does not exist: /nope\n", 1},
		{"-o json create /b", `{"path":"/b"}` + "\n", hello, 0},
		{"tree /a", "/a\n", hello, 0}, // nobody expects anything else in it
		{"export /b", "", hello, 0},
		{"-timeout x ls /", "Connecting to " + address + "\n", "option -timeout: \"x\" is no number of milliseconds\n", 1},
		{"-server 127.0.0.1:1 -waitforconnection -timeout 50 ls /", "Connecting to 127.0.0.1:1\n" + closed, "KeeperErrorCode = ConnectionLoss\n", 1},
		{"-o xml ls /", "", "option -o: unknown format \"xml\": want text, json or yaml\n", 2},
	} {
		var stdout, stderr bytes.Buffer
		a := newApp(strings.NewReader(""), &stdout, &stderr, func(string) string { return "" })
		a.run(context.Background(), append([]string{"-server", address}, strings.Fields(tt.args)...))
		out := stdout.String()
		if strings.HasPrefix(tt.args, "export") {
			if !strings.HasPrefix(out, `{"format":"znodes"`) {
				t.Errorf("%s: stdout %q", tt.args, out)
			}
			out = ""
		}
		if out != tt.stdout || stderr.String() != tt.stderr || a.exitCode != tt.exitCode {
			t.Errorf("%s: exit %d\nstdout %q\n  want %q\nstderr %q\n  want %q", tt.args, a.exitCode, out, tt.stdout, &stderr, tt.stderr)
		}
	}
}

// TestPipedSession ends with the exit code of its last command, though quit follows it.
func TestPipedSession(t *testing.T) {
	address := startServer(t)
	for input, want := range map[string]int{"": 0, "ls /\n": 0, "get /nope\n": 1, "get /nope\nls /\n": 0, "bogus\nquit\n": 127, "quit\nbogus\n": 0} {
		var stdout, stderr bytes.Buffer
		a := newApp(strings.NewReader(input), &stdout, &stderr, func(string) string { return "" })
		a.run(context.Background(), []string{"-server", address})
		if a.exitCode != want {
			t.Errorf("%q: exit %d, want %d\n%s%s", input, a.exitCode, want, &stdout, &stderr)
		}
	}
}
