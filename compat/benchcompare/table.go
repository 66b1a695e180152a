package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// row is one line of the table. ZooKeeper's figure is 0 where it was not measured.
type row struct {
	load, figure, unit string
	holt, zookeeper    float64
	must               bound
}

// cells returns what the table shows of a row.
func (r row) cells() []string {
	verdict, rat := "", ""
	if r.zookeeper != 0 {
		rat = fmt.Sprintf("%.3g", ratio(r.holt, r.zookeeper))
	}
	if r.must.written != "" {
		verdict = "yes"
		if !r.must.met(r.holt, r.zookeeper) {
			verdict = "NO"
		}
	}
	return []string{r.load, r.figure, number(r.holt, r.unit), number(r.zookeeper, r.unit), rat, r.must.written, verdict}
}

func number(v float64, unit string) string {
	switch {
	case v == 0 && unit != "":
		return "–"
	case v >= 100:
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

func header() []string {
	return []string{"load", "figure", "Holt", "ZooKeeper", "ratio", "must", "met"}
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
