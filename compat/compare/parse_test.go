package compare

import (
	"bytes"
	"strings"
	"testing"
)

// TestRandomScriptsPrint shows that a script reads back from its text as it was, byte for byte of
// every request.
func TestRandomScriptsPrint(t *testing.T) {
	same := func(z int64) int64 { return z }
	g := &Generator{Steps: 300, Quotas: true, TLS: true}
	for n := range uint64(50) {
		s := g.Random(7, n)
		back, err := Parse(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if back.String() != s.String() || len(back) != len(s) {
			t.Fatalf("script %d reads back differently", n)
		}
		for i := range s {
			if s[i].Action != ActRequest {
				continue
			}
			want, got := s[i].appendPayload(nil, 1, same), back[i].appendPayload(nil, 1, same)
			if !bytes.Equal(got, want) {
				t.Errorf("%s\n got %x\nwant %x", s[i].String(), got, want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ line, want string }{ // want "" is the line itself
		{`a connect`, ""},
		{`a connect timeout=4000 zxid=ahead session=b passwd=wrong readonly old cut=20`, ""},
		{`a connect id=0x10`, `a connect id=16`},
		{`a connect tls`, ""},
		{`a connect cert=alice version=1.2 port=plain timeout=4000`, ""},
		{`a connect port=secure`, ""},
		{`a connect tls cert=bob`, `a connect cert=bob`},
		{`a create /x "" acl=x509:CN=a,O=b:r,ip:::1:w`, `a create /x "" acl="x509:CN=a,O=b:r,ip:::1:w"`},
		{`word cons at=leader cert=alice`, ""},
		{`a drop`, ""},
		{`a frame 0000000100000004`, ""},
		{`a bytes ffffffff`, ""},
		{`a op 999 00`, ""},
		{`a xid=-9 cut=3 flip=2:ff getData /x w`, ""},
		{`a create /x "a b\x00"`, ""},
		{`a create "/a b" null acl=null mode=es`, ""},
		{`a create /x x*1000 acl=[] mode=9`, ""},
		{`a create /x "" acl=digest:u:h:crw,world:anyone:32`, ""},
		{`a create /x "" acl=world:anyone:31`, `a create /x ""`},
		{`a multi [create /x "[\""] [check /x v=1] [op 3 00]`, ""},
		{`a multi`, ""},
		{`a setWatches2 zxid=+5 data=/a,/b exist=null persistent=/`, ""},
		{`a addWatch /x recursive`, ""},
		{`a addWatch /x 7`, ""},
		{`a auth digest "u:p" type=3`, ""},
		{`wait 1.5s`, ""},
		{`word stmk 0000000000000132`, ""},
		{`a tree /x`, ""},
		{`a remove "/x y"`, ""},
	} {
		s, err := Parse(tc.line)
		if err != nil {
			t.Error(err)
			continue
		}
		want := tc.want
		if want == "" {
			want = tc.line
		}
		if got := strings.TrimSuffix(s.String(), "\n"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for _, line := range []string{
		`a`, `a fly`, `a create`, `a create /x`, `a create /x "`, `a create /x "" mode=z`, `a create /x "" who=me`, `a getData /x w w=1`, `a multi create`,
		`a multi [create /x`, `a connect no=1`, `a create /x "" acl=world:anyone`, `a create /x "" acl=world:anyone:q`, `wait soon`, `a frame 0`, `a op x`, `a drop it`,
	} {
		if _, err := Parse(line); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
}

// TestTurns shows what may be sent at once.
func TestTurns(t *testing.T) {
	s, err := Parse(`a connect
a create /x ""
a getData /x
b getData /x
a setACL /x
a getData /x
--
a getData /x
a cut=1 getData /x
a getData /x
a closeSession`)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, turn := range s.turns() {
		got = append(got, len(turn))
	}
	want := []int{1, 2, 1, 1, 1, 1, 1, 1, 1}
	if len(got) != len(want) {
		t.Fatalf("turns of %v steps, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("turns of %v steps, want %v", got, want)
		}
	}
}
