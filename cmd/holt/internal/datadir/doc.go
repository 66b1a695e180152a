// Package datadir opens the tree of a member's data directory for programs that
// only read it: export and backup.
//
//	member runs      it is asked, by its control socket, for a checkpoint: hard links
//	                 below the data directory, which go when the connection does
//	member stopped   its files are linked or copied below the data directory, and the
//	                 entries that its log has beyond the tree are applied to the copy
//
// In either case the directory's own files are not touched, and what the copy shows is the
// tree after some committed entry. What the log of a stopped member holds beyond what it knew to
// be committed is left out and counted, unless it was the only voter.
//
// A Copy is for one goroutine.
package datadir
