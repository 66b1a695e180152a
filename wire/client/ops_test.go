package client

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"holt/wire"
)

// Each method sends the op code and record of its operation, and returns what the
// reply holds.
func TestMethods(t *testing.T) {
	ctx := testContext(t)
	acl := wire.OpenACL()
	stat := wire.Stat{Czxid: 1, Mzxid: 2, Version: 3, Pzxid: 4}
	null := (*string)(nil)
	ops := []wire.MultiOp{{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/a", Version: 1}}}
	reads := []wire.MultiOp{{Op: wire.OpGetData, Record: &wire.GetDataRequest{Path: "/a"}}}
	results := []wire.MultiResult{{Type: wire.OpCheck}}
	page := &wire.GetChildrenPageRequest{Path: "/a", MaxReturned: 2, MinCzxid: 3, CzxidOffset: 4}
	pageReply := &wire.GetChildrenPageResponse{Children: []string{"x"}, Stat: stat, NextPageCzxid: 5, NextPageCzxidOffset: 6}
	reconfig := &wire.ReconfigRequest{LeavingServers: null, CurConfigID: -1}
	setWatches := &wire.SetWatches2{PersistentWatches: []string{"/p"}}
	for _, tc := range []struct {
		op    wire.OpCode
		req   wire.Record
		reply wire.Record
		do    func(c *Conn) (any, error)
		want  any
	}{
		{wire.OpCreate, &wire.CreateRequest{Path: "/a", Data: []byte("d"), ACL: acl, Flags: 2}, &wire.CreateResponse{Path: "/a1"},
			func(c *Conn) (any, error) {
				return c.Create(ctx, "/a", []byte("d"), acl, wire.ModePersistentSequential)
			}, "/a1"},
		{wire.OpCreate2, &wire.CreateRequest{Path: "/a", ACL: acl, Flags: 1}, &wire.Create2Response{Path: "/a", Stat: stat},
			func(c *Conn) (any, error) {
				p, s, err := c.Create2(ctx, "/a", nil, acl, wire.ModeEphemeral)
				return pair{p, s}, err
			}, pair{"/a", stat}},
		{wire.OpCreateContainer, &wire.CreateRequest{Path: "/a", ACL: acl, Flags: 4}, &wire.Create2Response{Path: "/a", Stat: stat},
			func(c *Conn) (any, error) {
				p, s, err := c.CreateContainer(ctx, "/a", nil, acl)
				return pair{p, s}, err
			}, pair{"/a", stat}},
		{wire.OpCreateTTL, &wire.CreateTTLRequest{Path: "/a", ACL: acl, Flags: 5, TTLMillis: 1500}, &wire.Create2Response{Path: "/a", Stat: stat},
			func(c *Conn) (any, error) {
				p, s, err := c.CreateTTL(ctx, "/a", nil, acl, wire.ModePersistentWithTTL, 1500*time.Millisecond)
				return pair{p, s}, err
			}, pair{"/a", stat}},
		{wire.OpDelete, &wire.DeleteRequest{Path: "/a", Version: 4}, nil,
			func(c *Conn) (any, error) { return nil, c.Delete(ctx, "/a", 4) }, nil},
		{wire.OpExists, &wire.ExistsRequest{Path: "/a", Watch: true}, &wire.ExistsResponse{Stat: stat},
			func(c *Conn) (any, error) { return c.Exists(ctx, "/a", true) }, stat},
		{wire.OpGetData, &wire.GetDataRequest{Path: "/a"}, &wire.GetDataResponse{Data: []byte("d"), Stat: stat},
			func(c *Conn) (any, error) {
				b, s, err := c.GetData(ctx, "/a", false)
				return pair{string(b), s}, err
			}, pair{"d", stat}},
		{wire.OpSetData, &wire.SetDataRequest{Path: "/a", Data: []byte{}, Version: -1}, &wire.SetDataResponse{Stat: stat},
			func(c *Conn) (any, error) { return c.SetData(ctx, "/a", []byte{}, -1) }, stat},
		{wire.OpGetACL, &wire.GetACLRequest{Path: "/a"}, &wire.GetACLResponse{ACL: acl, Stat: stat},
			func(c *Conn) (any, error) { a, s, err := c.GetACL(ctx, "/a"); return pair{a, s}, err }, pair{acl, stat}},
		{wire.OpSetACL, &wire.SetACLRequest{Path: "/a", ACL: acl, Version: 2}, &wire.SetACLResponse{Stat: stat},
			func(c *Conn) (any, error) { return c.SetACL(ctx, "/a", acl, 2) }, stat},
		{wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/a", Watch: true}, &wire.GetChildrenResponse{Children: []string{"x", "y"}},
			func(c *Conn) (any, error) { return c.GetChildren(ctx, "/a", true) }, []string{"x", "y"}},
		{wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/a"}, &wire.GetChildren2Response{Children: []string{"x"}, Stat: stat},
			func(c *Conn) (any, error) {
				n, s, err := c.GetChildren2(ctx, "/a", false)
				return pair{n, s}, err
			}, pair{[]string{"x"}, stat}},
		{wire.OpGetChildrenPage, page, pageReply,
			func(c *Conn) (any, error) { return c.GetChildrenPage(ctx, page) }, pageReply},
		{wire.OpGetEphemerals, &wire.GetEphemeralsRequest{PrefixPath: "/a"}, &wire.GetEphemeralsResponse{Ephemerals: []string{"/a/x"}},
			func(c *Conn) (any, error) { return c.GetEphemerals(ctx, "/a") }, []string{"/a/x"}},
		{wire.OpGetAllChildrenNumber, &wire.GetAllChildrenNumberRequest{Path: "/a"}, &wire.GetAllChildrenNumberResponse{TotalNumber: 12},
			func(c *Conn) (any, error) { return c.GetAllChildrenNumber(ctx, "/a") }, 12},
		{wire.OpSync, &wire.SyncRequest{Path: "/a"}, &wire.SyncResponse{Path: "/a"},
			func(c *Conn) (any, error) { return nil, c.Sync(ctx, "/a") }, nil},
		{wire.OpPing, nil, nil, func(c *Conn) (any, error) { return nil, c.Ping(ctx) }, nil},
		{wire.OpMulti, &wire.MultiRequest{Ops: ops}, &wire.MultiResponse{Results: results},
			func(c *Conn) (any, error) { return c.Multi(ctx, ops...) }, results},
		{wire.OpMultiRead, &wire.MultiRequest{Ops: reads}, &wire.MultiResponse{Results: results},
			func(c *Conn) (any, error) { return c.MultiRead(ctx, reads...) }, results},
		{wire.OpReconfig, reconfig, &wire.GetDataResponse{Data: []byte("c"), Stat: stat},
			func(c *Conn) (any, error) {
				b, s, err := c.Reconfig(ctx, reconfig)
				return pair{string(b), s}, err
			}, pair{"c", stat}},
		{wire.OpAddWatch, &wire.AddWatchRequest{Path: "/a", Mode: 1}, &wire.ErrorResponse{},
			func(c *Conn) (any, error) { return nil, c.AddWatch(ctx, "/a", wire.AddWatchPersistentRecursive) }, nil},
		{wire.OpCheckWatches, &wire.CheckWatchesRequest{Path: "/a", Type: 3}, nil,
			func(c *Conn) (any, error) { return nil, c.CheckWatches(ctx, "/a", wire.WatcherAny) }, nil},
		{wire.OpRemoveWatches, &wire.RemoveWatchesRequest{Path: "/a", Type: 2}, nil,
			func(c *Conn) (any, error) { return nil, c.RemoveWatches(ctx, "/a", wire.WatcherData) }, nil},
		{wire.OpSetWatches, &setWatches.SetWatches, nil,
			func(c *Conn) (any, error) { return nil, c.SetWatches(ctx, &setWatches.SetWatches) }, nil},
		{wire.OpSetWatches2, setWatches, nil,
			func(c *Conn) (any, error) { return nil, c.SetWatches2(ctx, setWatches) }, nil},
		{wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("u:p")}, nil,
			func(c *Conn) (any, error) { return nil, c.Auth(ctx, "digest", []byte("u:p")) }, nil},
		{wire.OpSASL, &wire.GetSASLRequest{Token: []byte("t")}, &wire.SetSASLResponse{Token: []byte("u")},
			func(c *Conn) (any, error) { b, err := c.SASL(ctx, []byte("t")); return string(b), err }, "u"},
		{wire.OpWhoAmI, nil, &wire.WhoAmIResponse{ClientInfo: []wire.ClientInfo{{AuthScheme: "ip", User: "::1"}}},
			func(c *Conn) (any, error) { return c.WhoAmI(ctx) }, []wire.ClientInfo{{AuthScheme: "ip", User: "::1"}}},
	} {
		t.Run(tc.op.String(), func(t *testing.T) {
			c, s := connect(t, Options{})
			var got request
			code := wire.OK
			go serve(s, func(r request) (wire.ErrCode, wire.Record) {
				got = request{r.RequestHeader, slices.Clone(r.body)}
				if code != wire.OK {
					return code, nil
				}
				return wire.OK, tc.reply
			})
			result, err := tc.do(c)
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			if tc.req != nil {
				want = tc.req.AppendTo(nil)
			}
			if got.Op != tc.op || string(got.body) != string(want) {
				t.Errorf("sent %v %x, want %v %x", got.Op, got.body, tc.op, want)
			}
			if !reflect.DeepEqual(result, tc.want) {
				t.Errorf("result %+v, want %+v", result, tc.want)
			}
			code = wire.ErrNoAuth
			if _, err := tc.do(c); !errors.Is(err, wire.ErrNoAuth) {
				t.Errorf("error %v, want NoAuth", err)
			}
		})
	}
}

type pair struct{ a, b any }
