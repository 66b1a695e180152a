// Package metric counts and measures on hot paths. It stands below every other
// package so that each can own its numbers; server/admin writes them out.
//
// A Histogram is log-linear: each power of two is cut into eight equal parts, so
// that a quantile is off by at most 6 % and an observation is a few atomic
// additions, without a lock or an allocation.
//
//	value   0 1 2 … 15 │ 16 18 20 … 30 │ 32 36 … 60 │ 64 …
//	bucket  one each   │ eight each for every power of two
//
// Concurrency: everything may be used from any goroutine; a Snapshot taken while
// others observe may miss the latest of them. The zero value of each type is
// ready to use; none may be copied after first use.
//
// Left out: names, labels, formats.
package metric
