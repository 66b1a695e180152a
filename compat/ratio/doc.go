// Package ratio is what programs share that measure Holt beside another server: their flags, the table
// of figures with their ratios and what they must reach, its place in a page of docs, and what is done
// about the machine before a measurement (BackMemory).
//
//	one server, get   CPU per op   0.78 µs   10.5 µs   0.0748   ≤ 1/3   yes
//	load              figure       Holt      the other ratio    must    met
//
// A figure of 0 was not measured. Nothing here is for more than one goroutine at a time.
package ratio
