//go:build nextformat

package apply

// FormatMax of the program that stands for the next version where an upgrade to it is tested
// (compat/history). Its format means what the newest one does.
const FormatMax = 3
