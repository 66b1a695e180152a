package ratio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one line of a Table.
type Row struct {
	Load, Figure, Unit string
	Holt, Other        float64
	Must               Bound
}

// Table is the figures of one run.
type Table struct {
	Other   string // name of the server beside Holt
	Machine string // what was measured on
	Rows    []Row
}

// Add appends a row.
func (t *Table) Add(load, figure, unit string, holt, other float64, must Bound) {
	t.Rows = append(t.Rows, Row{load, figure, unit, holt, other, must})
}

func (t *Table) header() []string {
	return []string{"load", "figure", "Holt", t.Other, "ratio", "must", "met"}
}

func (r *Row) cells() []string {
	shown := ""
	if r.Other != 0 && (r.Holt != 0 || r.Unit == "") {
		shown = fmt.Sprintf("%.3g", ratio(r.Holt, r.Other))
	}
	return []string{r.Load, r.Figure, number(r.Holt, r.Unit), number(r.Other, r.Unit), shown, r.Must.written, r.Must.verdict(r.Holt, r.Other)}
}

// number writes a figure; one without a unit is a count, of which 0 is one, too.
func number(v float64, unit string) string {
	switch {
	case v == 0 && unit != "":
		return "–"
	case v >= 100:
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// WriteText writes the machine and the table for a terminal.
func (t *Table) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, t.Machine) // errors surface at Flush
	fmt.Fprintln(tw, strings.Join(t.header(), "\t"))
	for i := range t.Rows {
		fmt.Fprintln(tw, strings.Join(t.Rows[i].cells(), "\t"))
	}
	return tw.Flush()
}

func (t *Table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.header())
	b.WriteString(strings.Repeat("|---", len(t.header())) + "|\n")
	for i := range t.Rows {
		line(t.Rows[i].cells())
	}
	return b.String()
}

// WriteSection puts date, machine and table, and more after them, into a Markdown file: between the
// marks of a name, "<!-- name: begin -->" and "end", or at its end if it has none. An empty file
// is none.
func (t *Table) WriteSection(file, name, more string) error {
	if file == "" {
		return nil
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	section := fmt.Sprintf("%s, %s.\n\n%s", time.Now().UTC().Format("2 January 2006"), t.Machine, t.markdown())
	if more != "" {
		section += "\n" + more
	}
	return os.WriteFile(file, []byte(replaceSection(string(old), name, section)), 0o644)
}

func replaceSection(text, name, section string) string {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		before, after = text, ""
	}
	return before + begin + section + end + after
}
