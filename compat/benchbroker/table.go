package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"

	"holt/compat/kafka"
)

// bound is what a figure must reach; without text there is none.
type bound struct {
	written string
	met     func(holt, kafka float64) bool
}

// atMost is met if Holt's figure is at most factor times Kafka's.
func atMost(factor float64, written string) bound {
	return bound{written, func(holt, kafka float64) bool { return holt <= factor*kafka }}
}

// noWorse is met if Holt's figure is not worse; more says that greater ones are better.
func noWorse(more bool) bound {
	if more {
		return bound{"≥ 1", func(holt, kafka float64) bool { return holt >= kafka }}
	}
	return atMost(1, "≤ 1")
}

// row is one line of the table. A figure is 0 where it was not measured.
type row struct {
	load, figure, unit string
	holt, kafka        float64
	must               bound
}

// cells returns what the table shows of a row.
func (r row) cells() []string {
	ratio, verdict := "", ""
	if r.holt != 0 && r.kafka != 0 {
		ratio = fmt.Sprintf("%.3g", r.holt/r.kafka)
		verdict = "yes"
		if !r.must.met(r.holt, r.kafka) {
			verdict = "NO"
		}
	}
	return []string{r.load, r.figure, number(r.holt, r.unit), number(r.kafka, r.unit), ratio, r.must.written, verdict}
}

func number(v float64, unit string) string {
	switch {
	case v == 0:
		return "–"
	case v >= 100:
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

func header() []string {
	return []string{"load", "figure", "Holt", "Kafka", "ratio", "must", "met"}
}

// writeMarkdown writes the table as it stands in docs/performance.md.
func writeMarkdown(w io.Writer, rows []row) error {
	lines := []string{"| " + strings.Join(header(), " | ") + " |", strings.Repeat("|---", len(header())) + "|"}
	for _, r := range rows {
		lines = append(lines, "| "+strings.Join(r.cells(), " | ")+" |")
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// writeText writes the table for a terminal.
func writeText(w io.Writer, rows []row) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(header(), "\t")) // errors surface at Flush
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r.cells(), "\t"))
	}
	return tw.Flush()
}

// machine describes what the figures were measured on.
func machine() string {
	return fmt.Sprintf("%d cores, Linux %s, %s, %s, Apache Kafka %s; the client on the same cores",
		runtime.NumCPU(), kernel(), runtime.Version(), java(), kafka.Version)
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
