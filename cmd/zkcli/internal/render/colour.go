package render

// Colour is one of the terminal's colours.
type Colour string

const (
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
	Blue   Colour = "34"
	Dim    Colour = "2"
)

// Paint returns s in colour c, or as it is where colours are not wanted. Colour is
// never the only sign of anything.
func (p *Page) Paint(c Colour, s string) string {
	if !p.colour {
		return s
	}
	return Paint(c, s)
}

// Paint returns s in colour c.
func Paint(c Colour, s string) string { return "\x1b[" + string(c) + "m" + s + "\x1b[0m" }
