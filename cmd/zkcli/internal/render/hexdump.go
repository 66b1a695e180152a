package render

import (
	"fmt"
	"strings"
)

// HexDump is the form of get -x, which is that of Netty's prettyHexDump: sixteen
// bytes a row in a frame, with the printable ones beside them. Nothing gives "".
func HexDump(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	const rule = "+--------+-------------------------------------------------+----------------+"
	var s strings.Builder
	s.WriteString("         +-------------------------------------------------+\n" +
		"         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n" + rule)
	for at := 0; at < len(b); at += 16 {
		row := b[at:min(at+16, len(b))]
		fmt.Fprintf(&s, "\n|%08x|%-49s|%-16s|", at, fmt.Sprintf(" % x", row), dots(row))
	}
	s.WriteString("\n" + rule)
	return s.String()
}

// dots is row with a dot for each byte that is not printable ASCII.
func dots(row []byte) string {
	out := make([]byte, len(row))
	for i, c := range row {
		out[i] = '.'
		if c > 0x1f && c < 0x7f {
			out[i] = c
		}
	}
	return string(out)
}
