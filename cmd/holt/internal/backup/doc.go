// Package backup keeps copies of a member's tree in a directory, and makes members of them.
//
// # Repository
//
//	holt-backup              "1": the format
//	files/ab/abcdef...       contents, named by their SHA-256, shared by all sets
//	sets/<id>.json           a set: what is in one backup, with its checksum
//	tmp-*                    what a crash left; removed by the next one who locks
//	lock                     held while a set is made or removed
//
// A set is the files of one checkpoint of a member's tree (see package datadir).
// Tables of the tree never change, so most files of a set are those of the set before it: they are
// known again by name, size, time and inode, and not read. A set gets its name last,
// when all its files are durable: a crash leaves no half of one.
//
// # Restoring
//
// Restore makes the data directory of a member of a new ensemble: the tree of the set, a log that
// has not begun, zxids that begin well above all that the old ensemble can have handed out, and by
// default no sessions. All members have to begin with the same set and options. Graft puts one subtree into a
// running ensemble, as a client.
//
// Not here: when backups are made (cron, systemd), and copying repositories elsewhere,
// for which any tool that copies files will do.
package backup
