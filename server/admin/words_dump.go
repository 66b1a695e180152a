package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// appendDump writes dump: sessions, ephemerals and connections.
func (w *Words) appendDump(b []byte, st *Status) []byte {
	b = append(b, "SessionTracker dump:\n"...)
	sessions := w.src.Sessions(ListMax)
	tracks := st.Mode == Leader || st.Mode == Standalone
	if st.HasLocal {
		b = appendTrackedSessions(append(b, "Local "...), w.src.LocalSessions(ListMax), st.LocalSessions)
		if tracks {
			b = append(b, "Global "...)
		}
	}
	if tracks {
		b = appendTrackedSessions(b, sessions, st.Sessions)
	} else {
		b = appendGlobalSessions(b, sessions, st.Sessions)
	}
	b = append(b, "ephemeral nodes dump:\n"...)
	b = appendEphemerals(b, w.src.Ephemerals(ListMax), int(st.Ephemerals))
	b = append(b, "Connections dump:\n"...)
	return w.appendConnectionSets(b)
}

// appendTrackedSessions is the form of the member that expires sessions.
func appendTrackedSessions(b []byte, sessions []Session, total int) []byte {
	var sets expirySets
	for _, s := range sessions {
		sets.add(s.Expires, fmt.Sprintf("0x%x", uint64(s.ID)))
	}
	b = sets.appendTo(append(b, "Session "...), max(total, len(sessions)))
	return appendCut(b, len(sessions), total)
}

// appendGlobalSessions is the form of the others.
func appendGlobalSessions(b []byte, sessions []Session, total int) []byte {
	b = fmt.Appendf(b, "Global Sessions(%d):\n", max(total, len(sessions)))
	slices.SortFunc(sessions, func(x, y Session) int { return cmp.Compare(x.ID, y.ID) })
	for _, s := range sessions {
		b = fmt.Appendf(b, "0x%x\t%dms\n", uint64(s.ID), s.TimeoutMillis)
	}
	return appendCut(b, len(sessions), total)
}

func appendEphemerals(b []byte, list []Ephemeral, total int) []byte {
	owners := 0
	for i, e := range list {
		if i == 0 || e.Session != list[i-1].Session {
			owners++
		}
	}
	b = fmt.Appendf(b, "Sessions with Ephemerals (%d):\n", owners)
	for i, e := range list {
		if i == 0 || e.Session != list[i-1].Session {
			b = fmt.Appendf(b, "0x%x:\n", uint64(e.Session))
		}
		b = fmt.Appendf(b, "\t%s\n", e.Path)
	}
	return appendCut(b, len(list), total)
}

func (w *Words) appendConnectionSets(b []byte) []byte {
	var sets expirySets
	shown, total := 0, 0
	w.src.Connections(func(c *Connection) bool {
		if total++; total > ListMax {
			return true
		}
		shown++
		sets.add(c.Expires, fmt.Sprintf("ip: /%s sessionId: 0x%x", javaAddr(c.Remote), uint64(c.Session)))
		return true
	})
	return appendCut(sets.appendTo(append(b, "Connections "...), total), shown, total)
}

// expirySets groups things by the second of their expiry; what does not expire
// is left out. ZooKeeper: ExpiryQueue, whose buckets are ticks.
type expirySets struct {
	bySecond map[int64]*expirySet
}

type expirySet struct {
	at    time.Time
	lines []string
}

func (s *expirySets) add(at time.Time, line string) {
	if at.IsZero() {
		return
	}
	if s.bySecond == nil {
		s.bySecond = map[int64]*expirySet{}
	}
	set := s.bySecond[at.Unix()]
	if set == nil {
		set = &expirySet{at: at}
		s.bySecond[at.Unix()] = set
	}
	set.lines = append(set.lines, line)
}

func (s *expirySets) appendTo(b []byte, total int) []byte {
	b = fmt.Appendf(b, "Sets (%d)/(%d):\n", len(s.bySecond), total)
	for _, second := range slices.Sorted(maps.Keys(s.bySecond)) {
		set := s.bySecond[second]
		b = fmt.Appendf(b, "%d expire at %s:\n", len(set.lines), javaDate(set.at))
		for _, line := range set.lines {
			b = append(append(append(b, '\t'), line...), '\n')
		}
	}
	return b
}

// javaDate formats as Java's Date.toString.
func javaDate(t time.Time) string { return t.Format("Mon Jan 02 15:04:05 MST 2006") }

func appendWatchesBySession(b []byte, list []Watch, total int) []byte {
	slices.SortFunc(list, func(x, y Watch) int {
		if c := cmp.Compare(x.Session, y.Session); c != 0 {
			return c
		}
		return strings.Compare(x.Path, y.Path)
	})
	for i, e := range list {
		if i == 0 || e.Session != list[i-1].Session {
			b = fmt.Appendf(b, "0x%x\n", uint64(e.Session))
		}
		b = fmt.Appendf(b, "\t%s\n", e.Path)
	}
	return appendCut(b, len(list), total)
}

func appendWatchesByPath(b []byte, list []Watch, total int) []byte {
	slices.SortFunc(list, func(x, y Watch) int {
		if c := strings.Compare(x.Path, y.Path); c != 0 {
			return c
		}
		return cmp.Compare(x.Session, y.Session)
	})
	for i, e := range list {
		if i == 0 || e.Path != list[i-1].Path {
			b = fmt.Appendf(b, "%s\n", e.Path)
		}
		b = fmt.Appendf(b, "\t0x%x\n", uint64(e.Session))
	}
	return appendCut(b, len(list), total)
}
