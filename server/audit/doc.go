// Package audit writes who changed what, in the lines of ZooKeeper's audit log.
//
//	apply goroutine ─ Record ─▶ queue (bounded) ─▶ goroutine ─▶ file, or another Sink
//
//	2026-11-25 14:05:48,967 INFO o.a.z.a.Slf4jAuditLogger: session=0x3…\tuser=bob,127.0.0.1\tip=127.0.0.1\toperation=create\tznode=/a\tznode_type=persistent\tresult=success
//
// Vocabulary. An event is one operation of one client, or of the member itself;
// its fields that are empty are not written. Failures are of level ERROR.
//
// Concurrency. Record may be called from any goroutine and never waits: an event
// that finds the queue full is lost and counted, and the next line written says how
// many were. A member must not stop serving because the disk of its audit log does;
// whoever cannot have a gap watches for that line, or for the metric.
//
// The goroutine is started by New and ended by Close, which writes what is queued.
//
// Differs from ZooKeeper: control characters in paths are escaped, where there a path
// with a line end in it can forge a line; ZooKeeper writes before it answers, and is as
// slow as its disk.
//
// Left out: what is an event (package server), and other classes of audit loggers.
package audit
