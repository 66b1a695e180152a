// Package diskfault holds the suite of disks that fail under a running member:
// one that fills up and one whose writes and syncs return errors.
//
// The member must stop with one clear line and exit code 3, having acknowledged
// nothing that it could not keep; the others go on without it; and when the disk
// is mended it starts again with all that it acknowledged.
//
// The full disk is a small tmpfs, mended by making it larger. The failing disk is
// an ext4 file system on a loop device whose backing file lies on such a tmpfs:
// when that is full the kernel reports input/output errors for writes and fsync,
// and aborts the journal. It is mended by making room and running fsck.
//
// Mounting needs root, without which the tests skip. The original is held to
// losing nothing; how it stops is its own.
//
//	go test ./compat/diskfault -target=holt
//
// Left out: what a power cut leaves of writes that were never synced, which is
// for the crash tests of znode/store and quorum/storage; silent corruption.
package diskfault
