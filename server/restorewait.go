package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/wire"
)

// A member that comes by OpRestore without a tree of the staged snapshot makes it then, and applies nothing
// until it has. So the member that was asked for the restore asks the others first (quorum.Member.Ask), and waits
//
//	for itself, the leader and a majority   as long as its client does
//	for the others that can be reached      as long again, at least stragglersWait
//	for the rest                            not at all
//
// A member that cannot make a tree would end at OpRestore: its word refuses the restore.
//
//	question  'b' member(8) incarnation(8) number(8) of the staging
//	answer    buildState(1) cause; empty: of a version that does not say
const questionBuilt = 'b'

// buildState is how far a member is with the tree of a staging.
type buildState byte

const (
	buildUnknown  buildState = iota // it does not say
	buildAway                       // it cannot be reached
	buildUnderway                   // or not begun: it has not all of the snapshot yet
	buildDone
	buildFailed
)

const (
	// askEvery is the interval of questions, askPatience bounds the wait for an answer.
	askEvery    = 200 * time.Millisecond
	askPatience = time.Second
	// stragglersWait is the least that members beyond the majority are waited for.
	stragglersWait = 10 * time.Second
)

func appendBuiltQuestion(b []byte, of apply.StagingID) []byte {
	b = append(b, questionBuilt)
	for _, v := range [...]uint64{of.Member, of.Incarnation, of.Seq} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// onQuestion answers another member's question; of one that it does not know it says nothing.
func (s *Server) onQuestion(_ uint64, q []byte) []byte {
	if len(q) != 1+3*8 || q[0] != questionBuilt {
		return nil
	}
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(q[1+8*i:]) }
	state, err := s.buildOf(apply.StagingID{Member: u64(0), Incarnation: u64(1), Seq: u64(2)})
	if err != nil {
		return append([]byte{byte(state)}, err.Error()...)
	}
	return []byte{byte(state)}
}

// buildOf says how far this member is.
func (s *Server) buildOf(of apply.StagingID) (buildState, error) {
	b := s.rebuilt.Load()
	if b == nil || b.of.ID != of {
		return buildUnderway, nil
	}
	select {
	case <-b.done:
	default:
		return buildUnderway, nil
	}
	if b.err != nil {
		return buildFailed, b.err
	}
	return buildDone, nil
}

// built waits for the trees, and says to the leader meanwhile that the restore goes on.
func (u *upload) built() error {
	// The rebuild began after the entry with the last chunk, whose outcome came before: this one comes later.
	if _, err := u.do(apply.AppendStageKeep(nil, u.begun)); err != nil {
		return err
	}
	b := u.s.rebuilt.Load()
	if b == nil {
		return nil // a failure that ends the member, or the leader dropped the staging
	}
	u.since = time.Now()
	keep, look := time.NewTicker(keepEvery), time.NewTicker(askEvery)
	defer keep.Stop()
	defer look.Stop()
	w := buildWait{u: u, of: b.of.ID}
	for own := b.done; ; {
		select {
		case <-own:
			if b.err != nil {
				return u.notBuilt(b)
			}
			own = nil
		case <-look.C:
		case <-u.s.stop:
			return errPipelineClosed
		case <-u.ctx.Done():
			return u.ctx.Err()
		case <-keep.C:
			if _, err := u.do(apply.AppendStageKeep(nil, u.begun)); err != nil {
				return err
			}
			continue
		}
		if own != nil {
			continue // the others will take about as long
		}
		if done, err := w.look(); done || err != nil {
			return err
		}
	}
}

// notBuilt says why there is no tree here.
func (u *upload) notBuilt(b *rebuild) error {
	select {
	case <-u.s.stop:
		return errPipelineClosed
	default:
	}
	switch {
	case u.s.machine.Staging().ID != b.of.ID: // it was halted, or what it read is gone
		return stagingError(wire.ErrBadVersion)
	case errors.Is(b.err, errRebuildHalted):
		return errRestoreHalted
	}
	return b.err
}

// buildWait is the wait of the member that was asked for the others.
type buildWait struct {
	u  *upload
	of apply.StagingID
	// enough is when the leader and a majority were first seen to be ready.
	enough time.Time
}

// look asks, and reports whether the restore may go on.
func (w *buildWait) look() (bool, error) {
	s := w.u.s
	status := s.peers.Status()
	states, err := w.ask(&status)
	if err != nil {
		return false, err
	}
	ready, late := tally(&status, states)
	if !ready {
		w.enough = time.Time{}
		return false, nil
	}
	if late == nil {
		return true, nil
	}
	now := time.Now()
	if w.enough.IsZero() {
		w.enough = now
	}
	if now.Sub(w.enough) < max(stragglersWait, w.enough.Sub(w.u.since)) {
		return false, nil
	}
	s.log.Warn("a restore goes on without members that have not made a tree of the snapshot: they stand still until they have", zap.Uint64s("members", late))
	return true, nil
}

// tally reports whether the leader and a majority are ready, and who else is still at work. A member that does not
// say how far it is counts as ready: nothing will be heard of it.
func tally(status *quorum.Status, states map[uint64]buildState) (ready bool, late []uint64) {
	voters, built := 0, 0
	for _, m := range status.Members {
		done := states[m.ID] == buildDone || states[m.ID] == buildUnknown
		if !m.Learner {
			voters++
		}
		switch {
		case done && !m.Learner:
			built++
		case states[m.ID] == buildUnderway:
			late = append(late, m.ID)
		}
	}
	leader, known := states[status.Leader]
	return known && (leader == buildDone || leader == buildUnknown) && built > voters/2, late
}

// ask asks all other members at once. The error is that of a member that has failed.
func (w *buildWait) ask(status *quorum.Status) (map[uint64]buildState, error) {
	ctx, cancel := context.WithTimeout(w.u.ctx, askPatience)
	defer cancel()
	question := appendBuiltQuestion(nil, w.of)
	states := map[uint64]buildState{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	for _, m := range status.Members {
		if m.ID == status.ID {
			states[m.ID] = buildDone
			continue
		}
		wg.Go(func() {
			answer, err := w.u.s.peers.Ask(ctx, m.ID, question)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				states[m.ID] = buildAway
			case len(answer) == 0:
				states[m.ID] = buildUnknown
			default:
				states[m.ID] = buildState(answer[0])
				if states[m.ID] == buildFailed {
					failed = fmt.Errorf("member %d cannot make a tree of the snapshot: %s: nothing was changed", m.ID, answer[1:])
				}
			}
		})
	}
	wg.Wait()
	return states, failed
}
