package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestBenchCommandLine(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"bench"}, exitUsage, "takes one load (get,"},
		{[]string{"bench", "nonsense"}, exitUsage, `unknown load "nonsense"`},
		{[]string{"bench", "get", "-o", "xml"}, exitUsage, `unknown output "xml"`},
		{[]string{"bench", "get", "--pids", "x"}, exitUsage, `malformed process id "x"`},
		{[]string{"bench", "get", "--servers", "127.0.0.1:1"}, exitOther, "connection refused"},
	} {
		var stdout, stderr bytes.Buffer
		a := &app{stdout: &stdout, stderr: &stderr}
		if code := a.run(tc.args); code != tc.code || !strings.Contains(stderr.String(), tc.text) || stdout.Len() > 0 {
			t.Errorf("%q = %d, %q, %q, want %d and %q", tc.args, code, stdout.String(), stderr.String(), tc.code, tc.text)
		}
	}
}
