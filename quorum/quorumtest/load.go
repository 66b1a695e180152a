package quorumtest

import (
	"math/rand/v2"
	"time"

	"holt/quorum"
)

// Load is what goes on around an ensemble that is simulated: clients, and what
// the members do besides Raft. Its methods are called by the simulation, never two
// at a time.
type Load interface {
	// Begin is called when the members have started. From then on the load is what it
	// schedules.
	Begin()
	// Leadership is what a member's core reports. It must not use the core.
	Leadership(member uint64, l quorum.Leadership)
	// Quiet reports whether the load has come to an end; asked after healing.
	Quiet() bool
	// End is called when all is healed, quiet, and applied everywhere.
	End()
}

// World is a simulation as its load sees it. The zero value is one that Options.World
// is still to be set to.
type World struct{ s *sim }

// Now is the time since the beginning.
func (w *World) Now() time.Duration { return w.s.now }

// Rand is drawn from by everything in the simulation.
func (w *World) Rand() *rand.Rand { return w.s.rng }

// After schedules f.
func (w *World) After(d time.Duration, f func()) { w.s.after(d, f) }

// On schedules something that a member does: f is put off while the member stands still and
// forgotten if it crashes before. What f has the core do is done afterwards.
func (w *World) On(member uint64, d time.Duration, f func()) {
	if n := w.s.node(member); n != nil && n.up {
		w.s.on(n, d, f)
	}
}

// Job is On for what uses the member's disk, which ends the member if the disk fails. then follows if it does not;
// an error with the disk in order is a violation. The job must not schedule anything.
func (w *World) Job(member uint64, d time.Duration, job func() error, then func()) {
	n := w.s.node(member)
	w.On(member, d, func() {
		if w.s.must(n, n.try(job)) {
			then()
		}
	})
}

// Crash ends a member soon, unless all is healed by then: the disk keeps what was written, or only what was synced.
func (w *World) Crash(member uint64, d time.Duration) {
	s := w.s
	w.On(member, d, func() {
		if !s.healing {
			s.crash(s.node(member), s.chance(2))
		}
	})
}

// Isolate cuts a member off from all others, until the simulation unites them.
func (w *World) Isolate(member uint64) {
	for _, n := range w.s.nodes {
		if n.id != member && !w.s.healing {
			w.s.net.cut[[2]uint64{member, n.id}], w.s.net.cut[[2]uint64{n.id, member}] = true, true
		}
	}
}

// FailDisk has a member's disk fail after so many more operations that write, if disks fail in this simulation.
func (w *World) FailDisk(member uint64, after int) {
	if n := w.s.node(member); n != nil && n.up && w.s.opts.DiskErrors && !w.s.healing {
		n.faulty.failAfter(after)
	}
}

// Up returns the members whose processes run, standing still or not.
func (w *World) Up() (members []uint64) {
	for _, n := range w.s.nodes {
		if n.up {
			members = append(members, n.id)
		}
	}
	return members
}

// Core is that of a member that is up. For functions scheduled by On.
func (w *World) Core(member uint64) *quorum.Core { return w.s.node(member).core }

// Send has a member tell another something, in order for each pair, unless the connection is
// cut: then it is lost, and reports false if that is known at once.
func (w *World) Send(from, to uint64, f func()) bool {
	s := w.s
	a, b := s.node(from), s.node(to)
	if b == nil || !b.up || s.net.isCut(from, to) {
		return false
	}
	if s.net.loss > 0 && s.rng.IntN(1000) < s.net.loss {
		s.check.count("message lost")
		return true
	}
	key := [2]uint64{from, to}
	at := max(s.now+s.net.delay(s), s.net.arrives[key])
	if s.net.arrives == nil {
		s.net.arrives = map[[2]uint64]time.Duration{}
	}
	s.net.arrives[key] = at
	sent := a.incarnation
	s.on(b, at-s.now, func() {
		if a.incarnation == sent && !s.net.isCut(from, to) {
			f()
		}
	})
	return true
}

// Healing: there are no faults any more, and the load should come to its end.
func (w *World) Healing() bool { return w.s.healing }

// Fail reports a violation and ends the simulation.
func (w *World) Fail(format string, args ...any) { w.s.check.fail(format, args...) }

// Count notes a situation that was reached.
func (w *World) Count(what string) { w.s.check.count(what) }
