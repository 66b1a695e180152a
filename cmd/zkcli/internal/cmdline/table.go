package cmdline

import (
	"slices"
	"strings"
)

// Table describes the options of the original, one a line, sorted without regard
// to case and with the descriptions in a column, as Commons CLI prints them. (None
// is so long that it would be wrapped.)
func (s *Syntax) Table() string {
	options := slices.DeleteFunc(slices.Clone(s.Options), func(o Option) bool { return o.Extra })
	slices.SortStableFunc(options, func(a, b Option) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	width := 0
	for _, o := range options {
		width = max(width, len(o.column()))
	}
	var b strings.Builder
	for _, o := range options {
		c := o.column()
		b.WriteString(c + strings.Repeat(" ", width-len(c)+3) + o.Help + "\n")
	}
	return b.String()
}

// column is the option with its dash and the place of its value.
func (o *Option) column() string {
	if o.Arg {
		return " -" + o.Name + " <arg>"
	}
	return " -" + o.Name
}
