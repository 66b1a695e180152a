package render

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"holt/wire"
)

var sample = wire.Stat{
	Czxid: 0x10, Mzxid: 0x1f, Pzxid: 0x2a, Ctime: 1764000000123, Mtime: 1764003600000,
	Version: 3, Cversion: -1, Aversion: 1, EphemeralOwner: 0x100000a1b2c0001, DataLength: 5, NumChildren: 2,
}

// about is the stat of a node and a line of talk.
func about(path string, stat *Stat) Result {
	data := struct {
		Path string `json:"path"`
		Stat *Stat  `json:"stat"`
	}{path, stat}
	return Result{Data: data, Text: func(p *Page) {
		StatText(p, &sample, time.UTC)
		p.Talkf("talk about %s\n", p.Paint(Blue, path))
	}}
}

func emit(o *Output, results ...Result) (out, errs string) {
	var a, b bytes.Buffer
	o.Out, o.Err = &a, &b
	for _, r := range results {
		o.Emit(r)
	}
	return a.String(), b.String()
}

func TestEmitText(t *testing.T) {
	const want = `cZxid = 0x10
ctime = Mon Nov 24 16:00:00 UTC 2025
mZxid = 0x1f
mtime = Mon Nov 24 17:00:00 UTC 2025
pZxid = 0x2a
cversion = -1
dataVersion = 3
aclVersion = 1
ephemeralOwner = 0x100000a1b2c0001
dataLength = 5
numChildren = 2
`
	out, errs := emit(&Output{}, about("/a", NewStat(&sample)))
	if out != want || errs != "talk about /a\n" {
		t.Errorf("out:\n%s\nwant:\n%s\nerr: %q", out, want, errs)
	}
	if _, errs := emit(&Output{Colour: true}, about("/a", nil)); errs != "talk about \x1b[34m/a\x1b[0m\n" {
		t.Errorf("coloured err: %q", errs)
	}
}

func TestEmitJSON(t *testing.T) {
	const want = `{"path":"/a","stat":{"czxid":"0x10","ctime":"2025-11-24T16:00:00.123Z","mzxid":"0x1f","mtime":"2025-11-24T17:00:00.000Z",` +
		`"pzxid":"0x2a","cversion":-1,"dataVersion":3,"aclVersion":1,"ephemeralOwner":"0x100000a1b2c0001","dataLength":5,"numChildren":2}}` + "\n"
	if out, errs := emit(&Output{Format: JSON}, about("/a", NewStat(&sample))); out != want || errs != "" {
		t.Errorf("out:\n%s\nwant:\n%s\nerr: %q", out, want, errs)
	}
}

func TestTalkLeavesDataAlone(t *testing.T) {
	for _, tt := range []struct {
		format    Format
		out, errs string
	}{{Text, "hi 1\n", "no\n"}, {JSON, "", "hi 1\nno\n"}, {YAML, "", "hi 1\nno\n"}} {
		var a, b bytes.Buffer
		o := Output{Out: &a, Err: &b, Format: tt.format}
		o.Say("hi %d", 1)
		o.Complain("no")
		if a.String() != tt.out || b.String() != tt.errs {
			t.Errorf("%s: out %q, err %q", tt.format, &a, &b)
		}
	}
}

func TestYAML(t *testing.T) {
	for _, tt := range []struct{ json, want string }{
		{`{}`, "{}\n"},
		{`[]`, "[]\n"},
		{`"x"`, "x\n"},
		{`{"a":1,"b":"two words","c":null,"d":true}`, "a: 1\nb: \"two words\"\nc: null\nd: true\n"},
		{`{"path":"/a/b-1","children":["x","0000","yes",""],"empty":[],"none":{}}`,
			"path: /a/b-1\nchildren:\n  - x\n  - \"0000\"\n  - \"yes\"\n  - \"\"\nempty: []\nnone: {}\n"},
		{`{"acl":[{"id":"u:p","perms":"r"},{"id":"v"}],"stat":{"czxid":"0x1"}}`,
			"acl:\n  - id: \"u:p\"\n    perms: r\n  - id: v\nstat:\n  czxid: \"0x1\"\n"},
		{`{"data":"line\nbreak \u0001"}`, "data: \"line\\nbreak \\u0001\"\n"},
		{`[[1,2],[]]`, "-\n  - 1\n  - 2\n- []\n"},
	} {
		if got := string(yamlOf([]byte(tt.json))); got != tt.want {
			t.Errorf("yamlOf(%s)\n got %q\nwant %q", tt.json, got, tt.want)
		}
	}
}

func TestYAMLDocuments(t *testing.T) {
	r := about("/a", nil)
	out, _ := emit(&Output{Format: YAML}, r, r)
	if want := "path: /a\nstat: null\n---\npath: /a\nstat: null\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestHexDump(t *testing.T) {
	const want = `         +-------------------------------------------------+
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
+--------+-------------------------------------------------+----------------+
|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|
|00000010| 67 00 7f c3 bc                                  |g....           |
+--------+-------------------------------------------------+----------------+`
	if got := HexDump([]byte("0123456789abcdefg\x00\x7fü")); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := HexDump(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestDataRoundTrip(t *testing.T) {
	for _, b := range [][]byte{nil, {}, []byte("text\n"), []byte("grüß"), {0xff, 0}, []byte("bell\a")} {
		got, err := NewData(b).Bytes()
		if err != nil || !bytes.Equal(got, b) || (got == nil) != (b == nil) {
			t.Errorf("%q came back as %q, %v", b, got, err)
		}
	}
}

func TestIdentityText(t *testing.T) {
	if got, want := IdentityText(wire.Identity{Scheme: "digest", ID: "u,%}:p"}), "'digest,'u%2C%25%7D:p\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 50: "3072.0 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "now", 59 * time.Second: "59 s", 90 * time.Minute: "1 h", 72 * time.Hour: "3 d"} {
		if got := Ago(d); got != want {
			t.Errorf("Ago(%s) = %q, want %q", d, got, want)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWriteErrorIsKept(t *testing.T) {
	var errs bytes.Buffer
	o := Output{Out: brokenPipe{}, Err: &errs}
	o.Say("lost")
	o.Complain("not written any more")
	if o.Error() == nil || errs.Len() > 0 {
		t.Errorf("error %v, err %q", o.Error(), &errs)
	}
}

func TestParseFormat(t *testing.T) {
	if f, err := ParseFormat("yaml"); f != YAML || err != nil {
		t.Errorf("yaml: %v, %v", f, err)
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("xml is a format")
	}
}
