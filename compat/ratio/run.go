package ratio

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Run is how a program was called.
type Run struct {
	Rounds   int     // of each load; figures are medians
	Scale    float64 // factor on durations and counts
	Markdown string  // file for the table; "": none

	only string
}

// Flags defines the flags of a Run. names lists what -only selects by.
func (r *Run) Flags(fs *flag.FlagSet, names string) {
	fs.IntVar(&r.Rounds, "rounds", 3, "rounds of each load; figures are medians")
	fs.StringVar(&r.only, "only", "", "rows to measure: "+names+"; the part of a name before a dash stands for all of the kind; all if empty")
	fs.Float64Var(&r.Scale, "scale", 1, "factor on durations and counts, for a quick look")
	fs.StringVar(&r.Markdown, "markdown", "", "Markdown file to put the table into as well, between its marks")
}

// Selected reports whether -only lets a name through.
func (r *Run) Selected(name string) bool {
	if r.only == "" {
		return true
	}
	for word := range strings.SplitSeq(r.only, ",") {
		if name == word || strings.HasPrefix(name, word+"-") {
			return true
		}
	}
	return false
}

// Scaled is d by -scale, and long enough for processes' CPU to be read.
func (r *Run) Scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*r.Scale), 200*time.Millisecond)
}

// Count is n by -scale, and at least 1,000.
func (r *Run) Count(n int) int { return max(int(float64(n)*r.Scale), 1000) }

// Progress tells what is going on, on standard error.
func Progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// Machine describes what is measured on, for a Table. other is the server beside Holt, with its
// version.
func Machine(other string) string {
	return fmt.Sprintf("%d cores (%s), Linux %s, %s, %s, %s; the load's source on the same cores",
		runtime.NumCPU(), cpuModel(), kernel(), runtime.Version(), java(), other)
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown release"
	}
	return strings.TrimSpace(string(b))
}

func java() string {
	out, err := exec.Command("java", "-version").CombinedOutput()
	if err != nil {
		return "no Java"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
