package compare

import (
	"bytes"
	"testing"
	"time"

	"holt/wire"
)

func TestCanonZxids(t *testing.T) {
	c := newCanon(0x100000005, time.Now())
	for _, tc := range []struct{ z, want int64 }{
		{0, 0}, {-1, -1}, {-2, -2}, {1, zxidOld}, {0x100000005, zxidOld}, {0x100000006, zxidBase + 1}, {0x100000100, zxidBase + 0xfb},
	} {
		if got := c.zxid(tc.z); got != tc.want {
			t.Errorf("zxid(%#x) = %#x, want %#x", tc.z, got, tc.want)
		}
	}
	for _, tc := range []struct{ z, want int64 }{
		{zxidBase + 1, 0x100000006}, {zxidBase - 2, 0x100000003}, {zxidLast, 0x100000100}, {zxidAhead, 0x100000100 + 1000}, {0, 0}, {-1, -1}, {77, 77},
	} {
		if got := c.real(tc.z); got != tc.want {
			t.Errorf("real(%#x) = %#x, want %#x", tc.z, got, tc.want)
		}
	}
}

// TestCanonReplies puts the same answer of two servers, who number and name differently, into one form.
func TestCanonReplies(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name   string
		op     wire.OpCode
		record func(s wire.Stat, reversed bool) wire.Record
	}{
		{"exists", wire.OpExists, func(s wire.Stat, _ bool) wire.Record { return &wire.ExistsResponse{Stat: s} }},
		{"getData", wire.OpGetData, func(s wire.Stat, _ bool) wire.Record {
			return &wire.GetDataResponse{Data: []byte("some"), Stat: s}
		}},
		{"create2", wire.OpCreate2, func(s wire.Stat, _ bool) wire.Record { return &wire.Create2Response{Path: "/some", Stat: s} }},
		{"getChildren2", wire.OpGetChildren2, func(s wire.Stat, r bool) wire.Record {
			return &wire.GetChildren2Response{Children: order(r, "long name", "b", "a", ""), Stat: s}
		}},
		{"getEphemerals", wire.OpGetEphemerals, func(_ wire.Stat, r bool) wire.Record {
			return &wire.GetEphemeralsResponse{Ephemerals: order(r, "/x", "/a/b")}
		}},
		{"whoAmI", wire.OpWhoAmI, func(_ wire.Stat, r bool) wire.Record {
			ids := []wire.ClientInfo{{AuthScheme: "ip", User: "127.0.0.1"}, {AuthScheme: "digest", User: "u"}}
			return &wire.WhoAmIResponse{ClientInfo: order(r, ids...)}
		}},
		{"getACL", wire.OpGetACL, func(s wire.Stat, r bool) wire.Record {
			same := []wire.ACL{{Perms: 1, Identity: wire.Identity{Scheme: "digest", ID: "b:x"}}, {Perms: 1, Identity: wire.Identity{Scheme: "digest", ID: "a:x"}}}
			return &wire.GetACLResponse{ACL: append(order(r, same...), wire.OpenACL()...), Stat: s}
		}},
		{"multi", wire.OpMulti, func(s wire.Stat, r bool) wire.Record {
			return &wire.MultiResponse{Results: []wire.MultiResult{
				{Type: wire.OpCreate, Path: "/a"}, {Type: wire.OpCreate2, Path: "/b", Stat: s}, {Type: wire.OpDelete}, {Type: wire.OpCheck},
				{Type: wire.OpSetData, Stat: s}, {Type: wire.OpError, Err: -101}, {Type: wire.OpGetData, Data: []byte("x"), Stat: s},
				{Type: wire.OpGetChildren, Children: order(r, "a", "b")}, {Type: wire.OpSetData, Stat: s},
			}}
		}},
	} {
		var forms [][]byte
		for i, base := range []int64{0, 0x100000000} {
			c := newCanon(base, now)
			session := base + 0x1234
			c.opened(session)
			ctime := now.UnixMilli() - int64(i)*1000
			s := wire.Stat{Czxid: wire.Zxid(base + 3), Mzxid: wire.Zxid(base + 5), Ctime: ctime, Mtime: ctime + int64(i), Version: 2, Cversion: 3,
				EphemeralOwner: session, DataLength: 4, NumChildren: 1, Pzxid: wire.Zxid(base + 4)}
			b := (&wire.ReplyHeader{Xid: 7, Zxid: wire.Zxid(base + 9)}).AppendTo(nil)
			b = tc.record(s, i == 1).AppendTo(b)
			c.reply(tc.op, b)
			forms = append(forms, b)
			f := Frame{Kind: Reply, Op: tc.op, Data: b}
			if text := f.text(); bytes.Contains([]byte(text), []byte("bytes ")) || bytes.Contains([]byte(text), []byte("times=")) {
				t.Errorf("%s is not understood: %s", tc.name, text)
			}
		}
		if !bytes.Equal(forms[0], forms[1]) {
			t.Errorf("%s:\n%x\n%x", tc.name, forms[0], forms[1])
		}
	}
}

func order[T any](reversed bool, list ...T) []T {
	out := make([]T, 0, len(list))
	for i := range list {
		if reversed {
			i = len(list) - 1 - i
		}
		out = append(out, list[i])
	}
	return out
}

// TestCanonTimes shows which times stay as they are, and so differ.
func TestCanonTimes(t *testing.T) {
	now := time.Now()
	ms := now.UnixMilli()
	for _, tc := range []struct {
		name         string
		czxid, mzxid wire.Zxid
		ctime, mtime int64
		want         [2]int64
	}{
		{"of the server's own", 0, 0, 0, 0, [2]int64{0, 0}},
		{"created", 5, 5, ms, ms, [2]int64{timeCreated, timeCreated}},
		{"changed", 5, 6, ms, ms + 3, [2]int64{timeCreated, timeChanged}},
		{"changed at once", 5, 6, ms, ms, [2]int64{timeCreated, timeChanged}},
		{"changed without a change", 5, 5, ms, ms + 3, [2]int64{timeCreated, ms + 3}},
		{"changed before it was made", 5, 6, ms, ms - 3, [2]int64{timeCreated, ms - 3}},
		{"of an earlier script", 1, 1, ms - 1e9, ms - 1e9, [2]int64{timeCreated, timeCreated}},
		{"of an earlier script, changed", 1, 5, ms - 1e9, ms, [2]int64{timeCreated, timeChanged}},
		{"of long ago", 5, 6, ms - 1e9, ms, [2]int64{ms - 1e9, timeChanged}},
		{"one of the server's own written by no transaction", 0, 0, 0, ms, [2]int64{0, timeChanged}},
		{"one of the server's own changed", 0, 6, 0, ms, [2]int64{0, timeChanged}},
	} {
		s := wire.Stat{Czxid: tc.czxid, Mzxid: tc.mzxid, Ctime: tc.ctime, Mtime: tc.mtime}
		b := s.AppendTo(nil)
		newCanon(1, now).stat(b)
		s.Decode(wire.NewDecoder(b))
		if got := [2]int64{s.Ctime, s.Mtime}; got != tc.want {
			t.Errorf("%s: times %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestCanonSurvivesAnything hands every canonicalisation damaged replies: nothing may panic, and no length may
// change.
func TestCanonSurvivesAnything(t *testing.T) {
	g := &Generator{Steps: 50}
	g.Random(1, 1)
	for op := wire.OpCode(-20); op < 120; op++ {
		for n := range 200 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(pick(g, 0, 0, 0, 1, 2, 4, 14, 255, g.rng.IntN(256)))
			}
			c := newCanon(1, time.Now())
			c.reply(op, b)
			c.connect(b)
			f := Frame{Kind: pick(g, Reply, Event, Connected, Stray), Op: op, Data: b}
			if f.Kind != Event || len(b) >= replyHeaderSize {
				f.text()
			}
			if len(b) != n {
				t.Fatal("length changed")
			}
		}
	}
}

func TestCanonWords(t *testing.T) {
	c := newCanon(0x10, time.Now())
	c.opened(0x100002fa59a0001)
	for _, tc := range []struct{ word, text, want string }{
		{"ruok", "imok", "imok"},
		{"srvr", "Zookeeper version: 3.9.4-72, built on 2025-08-19 19:53 UTC\nLatency min/avg/max: 0/2.4/12\nReceived: 60\nZxid: 0x1a\nMode: standalone\n",
			"Zookeeper version: VERSION, built on DATE\nLatency min/avg/max: N/N/N\nReceived: 60\nZxid: +10\nMode: standalone\n"},
		{"cons", " /127.0.0.1:5[1](queued=0,recved=7,sent=7,sid=0x100002fa59a0001,lop=PING,est=1,to=8000,lcxid=0x3,lzxid=0x11,lresp=5,llat=0,minlat=0,avglat=2,maxlat=5)\n\n",
			" /127.0.0.1:P[N](queued=N,recved=7,sent=7,sid=session1,lop=PING,est=N,to=8000,lcxid=0x3,lzxid=+1,lresp=N,llat=N,minlat=N,avglat=N,maxlat=N)\n\n"},
		{"wchp", "/x\n\t0x100002fa59a0001\n/a\n\t0x5\n\t0x4\n\n", "\n/a\n\t0x4\n\t0x5\n/x\n\tsession1\n"},
		{"mntr", "zk_znode_count\t5\nzk_version\t3.9.4\nzk_some_queue\t7\nno tab\n", "no tab\nzk_version\tN\nzk_znode_count\t5\n"},
		{"hash", "80: 123\nodd\n", "odd\n"},
		{"dirs", "datadir_size: 67109358\n", "datadir_size: N\n"},
		{"dump", "Session Sets (2)/(2):\n1 expire at Wed Nov 25 02:32:23 UTC 2026:\n\t0x5\n1 expire at Wed Nov 25 02:32:45 UTC 2026:\n\t0x4\nephemeral nodes dump:\nSessions with Ephemerals (2):\n0x5:\n\t/b\n\t/a\n0x4:\n\t/c\nConnections dump:\n",
			"Session Sets (N)/(2):\nN expire at DATE:\n\t0x4\n\t0x5\nephemeral nodes dump:\nSessions with Ephemerals (2):\n0x4:\n\t/c\n0x5:\n\t/a\n\t/b\nConnections dump:\n"},
	} {
		if got := c.word(tc.word, tc.text); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.word, got, tc.want)
		}
	}
}
