package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"holt/compat/ensemble"
)

// machine describes what the figures were measured on.
func machine() string {
	return fmt.Sprintf("%d cores (%s), Linux %s, %s, %s, Apache ZooKeeper %s; generator on the same cores",
		runtime.NumCPU(), field("/proc/cpuinfo", "model name"), firstWord("/proc/sys/kernel/osrelease"),
		runtime.Version(), java(), ensemble.OriginalVersion)
}

// field returns the value of the first line "key : value" of a file, or "unknown".
func field(name, key string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func firstWord(name string) string {
	b, err := os.ReadFile(name)
	if err != nil || len(strings.Fields(string(b))) == 0 {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}

func java() string {
	out, err := exec.Command("java", "-version").CombinedOutput()
	if err != nil {
		return "unknown Java"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
