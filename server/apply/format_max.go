//go:build !nextformat

package apply

// FormatMax is the newest format that this program carries out.
const FormatMax = 2
