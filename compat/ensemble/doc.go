// Package ensemble runs the members of a coordination ensemble as real
// processes on this machine, so that one suite can be pointed at Apache
// ZooKeeper or at Holt and cannot tell which it got.
//
// An Ensemble has one or more Members, each a process of its own with a
// zoo.cfg, a data directory and a log file below one directory:
//
//	<dir>/1/zoo.cfg   <dir>/1/data/   <dir>/1/log
//	<dir>/2/zoo.cfg   ...
//
// The program of a Kind is obtained once per checkout and kept in the
// directory compat/.cache, which git ignores: Apache ZooKeeper as jars that
// Maven fetches, Holt as a binary built from this module.
//
//	         Start                    Kill, Stop, or by itself
//	stopped ───────▶ running ──Ready──▶ serving ───────▶ stopped
//
// All addresses are on 127.0.0.1, with ports below the kernel's ephemeral
// range so that a member that was killed finds its port free when it returns.
// A process ends with the program that started it, or earlier with Close.
//
// A KillPoint is a system call at which strace kills a process; BuildHoltAt and BuildHoltTagged make other
// versions of Holt, for Member.UseHolt.
//
// An Ensemble and its Members may be used from several goroutines; starting
// and stopping the same Member is for one goroutine at a time.
//
// Left out: members on several machines, TLS between members.
package ensemble
