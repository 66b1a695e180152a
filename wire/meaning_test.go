package wire

import (
	"reflect"
	"strings"
	"testing"
)

// Encoding back cannot tell two fields of one type apart that are swapped both ways; these
// tests say what the captured records mean. They hold for captures recorded anew.

// exchange returns the decoded bodies of the n-th request of an operation in a
// capture file, from 0, and of its reply, which must be a success.
func exchange(t *testing.T, file string, op OpCode, n int) (request Record, header ReplyHeader, reply Record) {
	t.Helper()
	found := -1
	for _, c := range captures(t) {
		if !strings.HasPrefix(c.where, file+".txt") || c.op != op || c.connect {
			continue
		}
		if !c.fromServer {
			found++
		}
		if found != n {
			continue
		}
		h, body := c.parts()
		d := NewDecoder(c.frame[4:])
		h.Decode(d)
		if body != nil {
			body.Decode(d)
		}
		if d.Err() != nil {
			t.Fatalf("%s: %v", c.where, d.Err())
		}
		if !c.fromServer {
			request = body
			continue
		}
		return request, *h.(*ReplyHeader), body
	}
	t.Fatalf("%s: no %v number %d", file, op, n)
	return nil, header, nil
}

// sessionOf returns the first connect exchange of a capture file.
func sessionOf(t *testing.T, file string) (request ConnectRequest, response ConnectResponse) {
	t.Helper()
	for _, c := range captures(t) {
		if !strings.HasPrefix(c.where, file+".txt") || !c.connect {
			continue
		}
		d := NewDecoder(c.frame[4:])
		if c.fromServer {
			response.Decode(d)
			return request, response
		}
		request.Decode(d)
	}
	t.Fatalf("%s: no connection", file)
	return request, response
}

func TestStatMeans(t *testing.T) {
	// The node was created, got two children, and was then set three times.
	_, h, reply := exchange(t, "data", OpSetData, 2)
	got := reply.(*SetDataResponse).Stat
	if got.Czxid <= 0 || got.Pzxid != got.Czxid+2 || got.Mzxid != h.Zxid || got.Mzxid <= got.Pzxid || got.Ctime > got.Mtime || got.Ctime < 1e12 {
		t.Errorf("zxids and times: %+v at %v", got, h.Zxid)
	}
	if got.Version != 3 || got.Cversion != 2 || got.Aversion != 0 || got.NumChildren != 2 || got.DataLength != 0 || got.EphemeralOwner != 0 {
		t.Errorf("versions and sizes: %+v", got)
	}
	_, _, reply = exchange(t, "data", OpGetData, 1)
	_, connect := sessionOf(t, "data")
	if r := reply.(*GetDataResponse); r.Stat.EphemeralOwner != int64(connect.SessionID) || r.Data != nil {
		t.Errorf("ephemeral without data: %+v, session %v", r, connect.SessionID)
	}
	_, _, reply = exchange(t, "data", OpGetData, 0)
	if r := reply.(*GetDataResponse); string(r.Data) != "hi" || r.Stat.DataLength != 2 {
		t.Errorf("%+v", r)
	}
	_, _, reply = exchange(t, "acl", OpSetACL, 2)
	if s := reply.(*SetACLResponse).Stat; s.Aversion != 1 || s.Version != 0 || s.Cversion != 0 {
		t.Errorf("after setACL: %+v", s)
	}
}

func TestHandshakeMeans(t *testing.T) {
	request, response := sessionOf(t, "handshake")
	if request.TimeoutMillis != 3600_000 || request.SessionID != 0 || len(request.Passwd) != PasswdSize || !request.HasReadOnly || request.ReadOnly {
		t.Errorf("%+v", request)
	}
	if response.TimeoutMillis != 40_000 || response.SessionID == 0 || len(response.Passwd) != PasswdSize || !response.HasReadOnly || response.ReadOnly {
		t.Errorf("%+v", response)
	}
}

func TestOtherRecordsMean(t *testing.T) {
	text := func(s string) *string { return &s }
	world := Identity{"world", "anyone"}
	for _, tc := range []struct {
		file  string
		op    OpCode
		n     int
		want  Record // request
		reply Record // nil if it is not compared
	}{
		{"java", OpCreate, 2, &CreateRequest{Path: "/j/e", Data: []byte("eph"), ACL: []ACL{{PermAll, world}}, Flags: int32(ModeEphemeral)}, &CreateResponse{"/j/e"}},
		{"java", OpCreateTTL, 0, &CreateTTLRequest{"/j/t", []byte("ttl"), []ACL{{PermAll, world}}, int32(ModePersistentWithTTL), 60_000}, nil},
		{"java", OpSetData, 0, &SetDataRequest{"/j", []byte("two"), -1}, nil},
		{"java", OpAuth, 0, &AuthPacket{Scheme: "digest", Auth: []byte("u:p")}, nil},
		{"java", OpAddWatch, 0, &AddWatchRequest{"/j", AddWatchPersistent}, &ErrorResponse{}},
		{"java", OpAddWatch, 1, &AddWatchRequest{"/j/c", AddWatchPersistentRecursive}, &ErrorResponse{}},
		{"java", OpRemoveWatches, 0, &RemoveWatchesRequest{"/j/c", WatcherAny}, nil},
		{"java", OpReconfig, 1, &ReconfigRequest{LeavingServers: text("9"), CurConfigID: -1}, nil},
		{"java", OpGetAllChildrenNumber, 0, &GetAllChildrenNumberRequest{"/j"}, &GetAllChildrenNumberResponse{6}},
		{"java", OpGetEphemerals, 0, &GetEphemeralsRequest{"/"}, &GetEphemeralsResponse{[]string{"/j/e"}}},
		{"auth", OpWhoAmI, 1, nil, &WhoAmIResponse{[]ClientInfo{{"ip", "127.0.0.1"}, {"digest", "u"}}}},
		{"watches", OpCheckWatches, 0, &CheckWatchesRequest{"/vec", WatcherPersistent}, nil},
		{"watches", OpSetWatches, 0, &SetWatches{1, []string{"/vec", "/none"}, []string{"/vec/b", "/later"}, []string{"/vec", "/none"}}, nil},
		{"reconfig", OpReconfig, 3, &ReconfigRequest{JoiningServers: text("server.8=127.0.0.1:21987:21988:observer;127.0.0.1:21989"), CurConfigID: -1}, nil},
	} {
		request, _, reply := exchange(t, tc.file, tc.op, tc.n)
		if tc.want != nil && !reflect.DeepEqual(request, tc.want) {
			t.Errorf("%s %v %d: request %+v, want %+v", tc.file, tc.op, tc.n, request, tc.want)
		}
		if tc.reply != nil && !reflect.DeepEqual(reply, tc.reply) {
			t.Errorf("%s %v %d: reply %+v, want %+v", tc.file, tc.op, tc.n, reply, tc.reply)
		}
	}
	_, _, reply := exchange(t, "acl", OpGetACL, 2)
	if got, want := reply.(*GetACLResponse).ACL, []ACL{{PermAll &^ PermAdmin, world}, {PermAdmin, Identity{"digest", "u:x"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("masked ACL %+v, want %+v", got, want)
	}
	request, _, _ := exchange(t, "watches", OpSetWatches2, 0)
	if got := request.(*SetWatches2); !reflect.DeepEqual(got.PersistentWatches, []string{"/vec"}) || !reflect.DeepEqual(got.PersistentRecursiveWatches, []string{"/vec/b"}) {
		t.Errorf("%+v", got)
	}
}

func TestMultiMeans(t *testing.T) {
	request, h, reply := exchange(t, "multi", OpMulti, 1)
	var ops, results []OpCode
	for _, op := range request.(*MultiRequest).Ops {
		ops = append(ops, op.Op)
	}
	for _, r := range reply.(*MultiResponse).Results {
		results = append(results, r.Type)
		if r.Err != OK || r.Type == OpCreate2 && r.Stat.Czxid != h.Zxid {
			t.Errorf("%+v at %v", r, h.Zxid)
		}
	}
	if want := []OpCode{OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpCreate, OpSetData, OpCheck, OpDelete}; !reflect.DeepEqual(ops, want) {
		t.Errorf("operations %v, want %v", ops, want)
	}
	if want := []OpCode{OpCreate, OpCreate2, OpCreate2, OpCreate2, OpCreate, OpSetData, OpCheck, OpDelete}; !reflect.DeepEqual(results, want) {
		t.Errorf("results %v, want %v", results, want)
	}
	_, _, reply = exchange(t, "multi", OpMulti, 2)
	want := []MultiResult{{Type: OpError}, {Type: OpError, Err: ErrBadVersion}, {Type: OpError, Err: ErrRuntimeInconsistency}}
	if got := reply.(*MultiResponse).Results; !reflect.DeepEqual(got, want) {
		t.Errorf("failed multi %+v, want %+v", got, want)
	}
	_, _, reply = exchange(t, "multi", OpMultiRead, 0)
	if got := reply.(*MultiResponse).Results; len(got) != 4 || string(got[0].Data) != "d" || len(got[1].Children) != 3 || got[2].Err != ErrNoNode {
		t.Errorf("reads %+v", got)
	}
}
