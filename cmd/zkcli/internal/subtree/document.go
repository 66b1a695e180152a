package subtree

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

const (
	documentFormat  = "znodes"
	documentVersion = 1
)

// record is a node in a document.
type record struct {
	Path string `json:"path"`
	render.Data
	ACL  []render.ACL `json:"acl,omitempty"`
	Stat *render.Stat `json:"stat,omitempty"`
}

// Export writes the subtree at root to w as a document and returns the number of nodes.
// Nodes of the server itself are left out if root is above them.
func Export(ctx context.Context, s *session.Session, root string, w io.Writer) (nodes int, err error) {
	out := bufio.NewWriter(w)
	head, err := json.Marshal(root)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(out, `{"format":%q,"version":%d,"root":%s,"nodes":[`, documentFormat, documentVersion, head)
	err = Walk(ctx, s, root, Options{Data: true, ACL: true, SkipSystem: true, Depth: -1}, func(n *Node) error {
		if n.Err != wire.OK {
			return &session.Error{Code: n.Err, Path: n.Path}
		}
		if nodes++; nodes > 1 {
			out.WriteByte(',')
		}
		line, err := json.Marshal(record{relative(root, n.Path), render.NewData(n.Data), render.NewACLs(n.ACL), render.NewStat(&n.Stat)})
		if err != nil {
			return err
		}
		_, err = out.Write(append([]byte("\n"), line...))
		return err
	})
	if err != nil {
		return nodes, err
	}
	fmt.Fprint(out, "\n]}\n") // the writer keeps an error for Flush
	return nodes, out.Flush()
}

// Import reads a document and hands its nodes to w.
func Import(ctx context.Context, r io.Reader, w *Writer) error {
	dec := json.NewDecoder(bufio.NewReader(r))
	if err := readHead(dec); err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	for dec.More() {
		var rec record
		if err := dec.Decode(&rec); err != nil {
			return fmt.Errorf("read document: %w", err)
		}
		n, err := rec.node()
		if err != nil {
			return fmt.Errorf("read document: node %s: %w", rec.Path, err)
		}
		if err := w.Add(ctx, rec.Path, n); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	return w.Flush(ctx)
}

// readHead reads up to the first node.
func readHead(dec *json.Decoder) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errors.New("not a JSON object"), err)
	}
	format, version := "", 0
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		switch key {
		case "format":
			err = dec.Decode(&format)
		case "version":
			err = dec.Decode(&version)
		case "nodes":
			if format != documentFormat || version != documentVersion {
				return fmt.Errorf("format %q version %d: want %q version %d", format, version, documentFormat, documentVersion)
			}
			t, err := dec.Token()
			if err == nil && t != json.Delim('[') {
				err = errors.New("nodes are not a list")
			}
			return err
		default:
			var ignored json.RawMessage
			err = dec.Decode(&ignored)
		}
		if err != nil {
			return err
		}
	}
	return errors.New("no nodes in it")
}

// node checks a record and converts it.
func (r *record) node() (*Node, error) {
	if err := session.ValidatePath(r.Path); err != nil {
		return nil, err
	}
	data, err := r.Bytes()
	if err != nil {
		return nil, err
	}
	n := &Node{Path: r.Path, Data: data}
	for _, a := range r.ACL {
		perms, err := render.ParsePerms(a.Perms)
		if err != nil {
			return nil, err
		}
		n.ACL = append(n.ACL, wire.ACL{Perms: perms, Identity: wire.Identity{Scheme: a.Scheme, ID: a.ID}})
	}
	if r.Stat != nil && r.Stat.EphemeralOwner != "" && r.Stat.EphemeralOwner != "0x0" {
		n.Stat.EphemeralOwner = 1 // whose it was does not matter
	}
	return n, nil
}
