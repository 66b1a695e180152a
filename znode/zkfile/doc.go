// Package zkfile reads and writes the files of Apache ZooKeeper's data
// directory: snapshots and transaction logs of 3.4 to 3.9, and makes a tree of
// them as the original does when it starts.
//
// # Vocabulary
//
// A snapshot is fuzzy: written while transactions went on, so that what it
// says of a node may be newer than the zxid in its name. Only with the
// transactions after that zxid, from the logs, it is a tree that ever existed. Replay is the way there.
//
// # Snapshot
//
// All of it big endian; a string or buffer is its length (i32, −1 for null) and its bytes.
//
//	"ZKSN" version(i32) = 2  dbid(i64)
//	sessions(i32) { id(i64) timeout(i32) }...
//	lists(i32)    { key(i64) entries(i32) { perms(i32) scheme id }... }...
//	              { path  data list(i64) czxid mzxid ctime mtime(i64)
//	                version cversion aversion(i32) owner(i64) pzxid(i64) }...   the root's path is ""
//	"/"
//	seal          Adler-32 of all before it (i64) "/"
//	zxid(i64) version(i32) digest(i64) seal      since 3.6, unless digests are off
//	zxid(i64) seal                               since 3.9, if asked for
//
// A parent comes before its children. List −1 is the open one. gzip or Java's
// frames of snappy may be around all that.
//
// # Transaction log
//
//	"ZKLG" version(i32) = 2  dbid(i64)
//	{ Adler-32 of the transaction (i64) length(i32) transaction 'B' }...
//	zeros, as the file is made longer in advance, or nothing
//
// A transaction is session(i64) cxid(i32) zxid(i64) time(i64) type(i32), what Op
// says, and since 3.6 version(i32) digest(i64) of the tree after it.
//
// # Reading
//
// [SnapshotReader] and [LogReader] take any io.Reader and hold one record at a
// time, the sessions and the lists. What they read may be damaged or made up: they
// answer with a [DamageError], allocate nothing that the input does not back, and never panic.
// [Dir] finds the files of a data directory, [Load] makes a tree of them.
//
// # Concurrency
//
// Nothing here starts a goroutine, but readers of compressed snapshots may; none
// outlives its Next's error. Readers and writers are for one goroutine at a time.
//
// Left out: what a member of Holt keeps besides the tree (cmd/holt/internal/datadir), and
// the learners' protocol, which carries snapshots too.
package zkfile
