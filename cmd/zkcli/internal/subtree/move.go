package subtree

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// ErrEphemeral is why a subtree cannot be moved: an ephemeral node belongs to its session.
var ErrEphemeral = errors.New("has ephemeral nodes, which cannot be moved")

// A move of at most this many nodes and bytes is one multi.
const (
	moveNodes = 1000
	moveBytes = 512 << 10
)

// Move makes source the subtree at target and removes it where it was. A small one
// moves at once, or not at all if it changes meanwhile: whole is then true. A larger
// one is copied, and removed if it is still what was copied.
func Move(ctx context.Context, s *session.Session, source, target string) (nodes int, whole bool, err error) {
	if err := apart(source, target); err != nil {
		return 0, false, err
	}
	var found []*Node
	size := 0
	err = Walk(ctx, s, source, Options{Data: true, ACL: true, Depth: -1}, func(n *Node) error {
		switch {
		case n.Err != wire.OK:
			return &session.Error{Code: n.Err, Path: n.Path}
		case n.Ephemeral():
			return fmt.Errorf("%s %w", source, ErrEphemeral)
		case masked(n.ACL):
			return fmt.Errorf("%s %w", n.Path, ErrMasked)
		}
		size += len(n.Data) + 2*len(n.Path)
		if len(found) > moveNodes || size > moveBytes {
			n.Data = nil // it is read again by the copy
		}
		found = append(found, n)
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	if len(found) <= moveNodes && size <= moveBytes {
		return len(found), true, moveAtOnce(ctx, s, source, target, found)
	}
	w := &Writer{Session: s, Target: target}
	if err := Copy(ctx, s, source, w); err != nil {
		return 0, false, fmt.Errorf("copy %s to %s: %w", source, target, err)
	}
	for batch := range slices.Chunk(deletions(found), moveNodes) {
		if _, err := s.Multi(ctx, batch); err != nil {
			return 0, false, fmt.Errorf("%s is copied to %s; remove it: %w", source, target, err)
		}
	}
	return len(found), false, nil
}

func moveAtOnce(ctx context.Context, s *session.Session, source, target string, found []*Node) error {
	w := Writer{Target: target}
	var ops []wire.MultiOp
	for _, n := range found {
		ops = append(ops, wire.MultiOp{Op: wire.OpCreate, Record: &wire.CreateRequest{
			Path: w.place(relative(source, n.Path)), Data: n.Data, ACL: n.ACL}})
	}
	_, err := s.Multi(ctx, append(ops, deletions(found)...))
	return err
}

// deletions removes nodes, children before their parents, if their data is unchanged.
func deletions(found []*Node) []wire.MultiOp {
	var ops []wire.MultiOp
	for _, n := range slices.Backward(found) {
		ops = append(ops, wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: n.Path, Version: n.Stat.Version}})
	}
	return ops
}
