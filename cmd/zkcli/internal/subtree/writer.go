package subtree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// Change is what writing a node did, or would do.
type Change string

const (
	Created Change = "created"
	Updated Change = "updated" // the data
	Same    Change = "same"    // was there already
	Skipped Change = "skipped" // ephemeral
)

// Writer writes nodes below a target. Parents must be added before their children.
type Writer struct {
	Session *session.Session
	// Target is the path at which the root "/" of what is added is written.
	Target string
	// Overwrite allows nodes that exist: their data is replaced if it differs, and what
	// is below them and not added stays.
	Overwrite bool
	// OpenACL gives new nodes to everybody instead of keeping their lists.
	OpenACL bool
	// DryRun finds out what would be done and does not do it.
	DryRun bool
	// Report is told of each node, by its path at the target. May be nil.
	Report func(path string, c Change)

	batch []entry
	bytes int
}

// entry is a node to be written at path.
type entry struct {
	path   string
	data   []byte
	acl    []wire.ACL
	exists bool
	same   bool // data is there already
}

// A batch becomes one multi, which must stay well below what a server takes in a frame.
const (
	batchNodes = 100
	batchBytes = 256 << 10
)

// ErrMasked is why a node cannot be written with its own list: the server shows a digest only
// to those who may administer the node, and nobody can authenticate as its mask.
var ErrMasked = errors.New("has a digest in its ACL that only its administrators are shown")

// masked tells whether a list holds the mask of a digest.
func masked(acl []wire.ACL) bool {
	return slices.ContainsFunc(acl, func(a wire.ACL) bool { return a.Scheme == "digest" && strings.HasSuffix(a.ID, ":x") })
}

// Add writes a node, perhaps later with others: Flush ends it. rel is its path
// relative to the root. Either all nodes of a batch are written or none.
func (w *Writer) Add(ctx context.Context, rel string, n *Node) error {
	path := w.place(rel)
	if n.Ephemeral() {
		w.report(path, Skipped)
		return nil
	}
	acl := n.ACL
	if w.OpenACL || len(acl) == 0 {
		acl = wire.OpenACL()
	}
	if masked(acl) {
		return fmt.Errorf("%s %w", n.Path, ErrMasked)
	}
	w.batch = append(w.batch, entry{path: path, data: n.Data, acl: acl})
	w.bytes += len(path) + len(n.Data)
	if len(w.batch) < batchNodes && w.bytes < batchBytes {
		return nil
	}
	return w.Flush(ctx)
}

// place returns where the node with a relative path is written.
func (w *Writer) place(rel string) string {
	if rel == "/" {
		return w.Target
	}
	return strings.TrimSuffix(w.Target, "/") + rel
}

// Flush writes what was added and is not yet written.
func (w *Writer) Flush(ctx context.Context) error {
	batch := w.batch
	w.batch, w.bytes = nil, 0
	if err := w.look(ctx, batch); err != nil {
		return err
	}
	var ops []wire.MultiOp
	for _, e := range batch {
		switch {
		case e.same:
		case e.exists:
			ops = append(ops, wire.MultiOp{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: e.path, Data: e.data, Version: -1}})
		default:
			ops = append(ops, wire.MultiOp{Op: wire.OpCreate, Record: &wire.CreateRequest{Path: e.path, Data: e.data, ACL: e.acl}})
		}
	}
	if len(ops) > 0 && !w.DryRun {
		if _, err := w.Session.Multi(ctx, ops); err != nil {
			return err
		}
	}
	for _, e := range batch {
		switch {
		case e.same:
			w.report(e.path, Same)
		case e.exists:
			w.report(e.path, Updated)
		default:
			w.report(e.path, Created)
		}
	}
	return nil
}

// look finds out which nodes of a batch exist. Without Overwrite there must be none.
func (w *Writer) look(ctx context.Context, batch []entry) error {
	errs := make([]error, len(batch))
	var wg sync.WaitGroup
	for i := range batch {
		wg.Go(func() { errs[i] = w.lookAt(ctx, &batch[i]) })
	}
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

func (w *Writer) lookAt(ctx context.Context, e *entry) error {
	data, _, err := w.Session.GetData(ctx, e.path, false)
	switch {
	case session.Code(err) == wire.ErrNoNode:
		return nil
	case err != nil:
		return err
	case !w.Overwrite && e.path != "/":
		return &session.Error{Code: wire.ErrNodeExists, Path: e.path}
	}
	e.exists = true
	// The root of a tree is always there: it may be written to only on demand.
	e.same = bytes.Equal(data, e.data) && (data == nil) == (e.data == nil) || !w.Overwrite
	return nil
}

func (w *Writer) report(path string, c Change) {
	if w.Report != nil {
		w.Report(path, c)
	}
}

// Copy writes the subtree at source to the target of w.
func Copy(ctx context.Context, s *session.Session, source string, w *Writer) error {
	if err := apart(source, w.Target); err != nil {
		return err
	}
	err := Walk(ctx, s, source, Options{Data: true, ACL: !w.OpenACL, SkipSystem: true, Depth: -1}, func(n *Node) error {
		if n.Err != wire.OK {
			return &session.Error{Code: n.Err, Path: n.Path}
		}
		return w.Add(ctx, relative(source, n.Path), n)
	})
	if err != nil {
		return err
	}
	return w.Flush(ctx)
}

// relative returns the path of a node below root as the root sees it.
func relative(root, path string) string {
	if path == root {
		return "/"
	}
	return strings.TrimPrefix(path, strings.TrimSuffix(root, "/"))
}

// apart fails if one of two paths is the other or below it: a copy would find itself.
func apart(a, b string) error {
	inside := func(path, of string) bool {
		return path == of || of == "/" || strings.HasPrefix(path, of+"/")
	}
	if inside(b, a) || a != "/" && b != "/" && inside(a, b) {
		return fmt.Errorf("%s and %s overlap", a, b)
	}
	return nil
}
