package history

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"holt/wire"
)

// ReadState copies the subtree at root, without root itself, as one member shows it after a sync.
// Nobody may be writing to it.
func ReadState(ctx context.Context, member int, addr, root string) (State, error) {
	c := NewClient(NewRecorder(), member, 10*time.Second, addr)
	if err := c.connect(ctx); err != nil {
		return State{}, fmt.Errorf("read state of member %d: %w", member, err)
	}
	defer c.drop()
	s := State{Member: member, Nodes: make(map[string]Node)}
	err := c.calls(wire.OpSync, []wire.Record{&wire.SyncRequest{Path: root}}, func(int, wire.ErrCode, *wire.Decoder) {})
	if err == nil {
		err = c.readBelow(&s, root)
	}
	if cerr := c.Close(ctx); err == nil {
		err = cerr
	}
	if err != nil {
		return State{}, fmt.Errorf("read state of member %d: %w", member, err)
	}
	return s, nil
}

// readBelow adds the descendants of parent to s.
func (c *Client) readBelow(s *State, parent string) error {
	var names []string
	err := c.calls(wire.OpGetChildren, []wire.Record{&wire.GetChildrenRequest{Path: parent}}, func(_ int, code wire.ErrCode, d *wire.Decoder) {
		var r wire.GetChildrenResponse
		r.Decode(d)
		for _, name := range r.Children {
			names = append(names, path.Join(parent, strings.Clone(name)))
		}
	})
	if err != nil {
		return err
	}
	var requests []wire.Record
	for _, name := range names {
		requests = append(requests, &wire.GetDataRequest{Path: name})
	}
	var parents []string
	err = c.calls(wire.OpGetData, requests, func(i int, code wire.ErrCode, d *wire.Decoder) {
		if code != wire.OK {
			return // an ephemeral that went meanwhile
		}
		var r wire.GetDataResponse
		r.Decode(d)
		s.Nodes[names[i]] = Node{Data: string(r.Data), Stat: r.Stat}
		if r.Stat.NumChildren > 0 {
			parents = append(parents, names[i])
		}
	})
	for _, p := range parents {
		if err == nil {
			err = c.readBelow(s, p)
		}
	}
	return err
}

// calls sends requests of one kind, a hundred at a time, and hands each reply to take.
func (c *Client) calls(op wire.OpCode, requests []wire.Record, take func(i int, code wire.ErrCode, d *wire.Decoder)) error {
	const window = 100
	for at := 0; at < len(requests); at += window {
		part := requests[at:min(at+window, len(requests))]
		var b []byte
		first := c.xid + 1
		for _, r := range part {
			c.xid++
			var mark int
			b, mark = wire.BeginFrame(b)
			b = (&wire.RequestHeader{Xid: c.xid, Op: op}).AppendTo(b)
			b = wire.EndFrame(r.AppendTo(b), mark)
		}
		err := c.exchange(b, func(h wire.ReplyHeader, d *wire.Decoder) (bool, error) {
			take(at+int(h.Xid-first), h.Err, d)
			return h.Xid == c.xid, d.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// MakeRegisters creates root and below it n registers, r0 and so on, through the first member
// that answers.
func MakeRegisters(ctx context.Context, root string, n int, addrs ...string) error {
	c := NewClient(NewRecorder(), 0, 10*time.Second, addrs...)
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer c.drop()
	requests := []wire.Record{&wire.CreateRequest{Path: root, ACL: openACL()}}
	for i := range n {
		requests = append(requests, &wire.CreateRequest{Path: fmt.Sprintf("%s/r%d", root, i), ACL: openACL()})
	}
	var refused error
	err := c.calls(wire.OpCreate, requests, func(_ int, code wire.ErrCode, _ *wire.Decoder) {
		if code != wire.OK && refused == nil {
			refused = fmt.Errorf("create registers below %s: %w", root, code)
		}
	})
	if err == nil {
		err = refused
	}
	if cerr := c.Close(ctx); err == nil {
		err = cerr
	}
	return err
}
