package server

import (
	"encoding/binary"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"holt/server/apply"
)

// formats are the newest formats (apply.FormatMax) that the other members say they carry out, heard as leader.
type formats struct {
	mu    sync.Mutex
	known map[uint64]uint64
}

func (f *formats) set(member, format uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = map[uint64]uint64{}
	}
	f.known[member] = format
}

// forget is for a member whose connection broke: it may come back as another version.
func (f *formats) forget(member uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, member)
}

// common is the newest format that all of members carry out, 0 if one has not said it.
func (f *formats) common(own uint64, self uint64, members []uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range members {
		if id != self {
			own = min(own, f.known[id])
		}
	}
	return own
}

// formatTick tells the leader what this member can, or, as leader, raises the format once all
// members can. Nothing is left to do as soon as the format is this program's newest.
func (s *Server) formatTick() {
	l, can := s.leadership.Load(), s.machine.FormatMax()
	if l.leader == 0 || s.machine.Format() >= can {
		return
	}
	if !l.self {
		msg := binary.AppendUvarint([]byte{byte(messageFormat)}, can)
		if err := s.peers.Send(l.leader, msg); err != nil {
			s.log.Debug("send format", zap.Uint64("peer", l.leader), zap.Error(err))
		}
		return
	}
	var ids []uint64
	for _, m := range s.peers.Status().Members {
		ids = append(ids, m.ID)
	}
	if to := s.formats.common(can, s.cfg.MemberID, ids); to > s.machine.Format() {
		s.log.Info("all members know a newer format: it is raised", zap.Uint64("format", to))
		s.proposeInternal(&apply.Command{Op: apply.OpFormat, Body: apply.AppendFormat(nil, to)})
	}
}

func (s *Server) heardFormat(from uint64, msg []byte) error {
	format, n := binary.Uvarint(msg)
	if n != len(msg) {
		return fmt.Errorf("format of %d bytes", len(msg))
	}
	s.formats.set(from, format)
	return nil
}
