package wire

import (
	"slices"
	"testing"
)

func TestDecoderBuffers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		in      string
		want    []byte
		wantErr error
		pathErr error
	}{
		{"null", "\xff\xff\xff\xff", nil, nil, errNullPath},
		{"empty", "\x00\x00\x00\x00", []byte{}, nil, nil},
		{"bytes", "\x00\x00\x00\x02ab", []byte("ab"), nil, nil},
		{"invalid UTF-8", "\x00\x00\x00\x03\xed\xa0\x80", []byte("\xed\xa0\x80"), nil, nil},
		{"cut off", "\x00\x00\x00\x03ab", nil, errTruncated, errTruncated},
		{"no length", "\x00\x00\x00", nil, errTruncated, errTruncated},
		{"nothing", "", nil, errTruncated, errTruncated},
		{"negative", "\xff\xff\xff\xfeab", nil, errLength, errLength},
		{"least", "\x80\x00\x00\x00ab", nil, errLength, errLength},
		{"greatest", "\x7f\xff\xff\xffab", nil, errTruncated, errTruncated},
	} {
		d := NewDecoder([]byte(tc.in))
		if got := d.Buffer(); !slices.Equal(got, tc.want) || (got == nil) != (tc.want == nil) || d.Err() != tc.wantErr {
			t.Errorf("%s: Buffer %#v, %v, want %#v, %v", tc.name, got, d.Err(), tc.want, tc.wantErr)
		}
		d.Reset([]byte(tc.in))
		if got := d.String(); got != string(tc.want) || d.Err() != tc.wantErr {
			t.Errorf("%s: String %q, %v", tc.name, got, d.Err())
		}
		d.Reset([]byte(tc.in))
		if got := d.Path(); got != string(tc.want) || d.Err() != tc.pathErr {
			t.Errorf("%s: Path %q, %v, want error %v", tc.name, got, d.Err(), tc.pathErr)
		}
	}
}

func TestDecoderVectors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		in      string
		want    []string
		wantErr error
	}{
		{"null", "\xff\xff\xff\xff", nil, nil},
		{"empty", "\x00\x00\x00\x00", []string{}, nil},
		{"other negatives are empty, as in the original", "\xff\xff\xff\xfb", []string{}, nil},
		{"two", "\x00\x00\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff", []string{"a", ""}, nil},
		{"count too large", "\x00\x00\x00\x02\x00\x00\x00\x01a", nil, errTruncated},
		{"bad element", "\x00\x00\x00\x01\xff\xff\xff\xfe", nil, errLength},
	} {
		d := NewDecoder([]byte(tc.in))
		if got := d.Strings(); !slices.Equal(got, tc.want) || (got == nil) != (tc.want == nil) || d.Err() != tc.wantErr {
			t.Errorf("%s: %#v, %v, want %#v, %v", tc.name, got, d.Err(), tc.want, tc.wantErr)
		}
	}
}

func TestDecoderKeepsTheFirstError(t *testing.T) {
	d := NewDecoder([]byte{0xff, 0xff, 0xff, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8})
	d.Buffer()
	if d.Int32() != 0 || d.Int64() != 0 || d.Bool() || d.String() != "" || d.Path() != "" || d.Strings() != nil || d.ACLs() != nil {
		t.Error("a value after an error")
	}
	if d.Err() != errLength || d.Len() != 0 || d.Rest() != nil {
		t.Errorf("%v, %d bytes left", d.Err(), d.Len())
	}
	d.Reset([]byte{2})
	if !d.Bool() || d.Err() != nil {
		t.Error("after Reset: the error is still there, or 2 is not true")
	}
}

// Values alias the input, and appending to one does not write into the next.
func TestDecoderAliases(t *testing.T) {
	b := AppendBuffer(AppendBuffer(nil, []byte("ab")), []byte("cd"))
	d := NewDecoder(b)
	first := d.Buffer()
	_ = append(first, 'x', 'x', 'x', 'x', 'x', 'x')
	second := d.String()
	if second != "cd" {
		t.Errorf("%q after appending to what was before it", second)
	}
	b[4], b[len(b)-1] = 'A', 'D'
	if string(first) != "Ab" || second != "cD" {
		t.Errorf("%q, %q do not alias the input", first, second)
	}
}

func TestIDs(t *testing.T) {
	z := MakeZxid(0x80000001, 0xfffffffe)
	if z.Epoch() != 0x80000001 || z.Counter() != 0xfffffffe || z.String() != "0x80000001fffffffe" {
		t.Errorf("%v: epoch %x, counter %x", z, z.Epoch(), z.Counter())
	}
	if s := SessionID(-1).String(); s != "0xffffffffffffffff" {
		t.Error(s)
	}
	if s := (PermRead | PermAdmin | PermCreate).String(); s != "cra" {
		t.Error(s)
	}
	if PermAll.String() != "cdrwa" || Perms(0).String() != "" {
		t.Error(PermAll, Perms(0))
	}
}

func TestOpCodes(t *testing.T) {
	var known, writes []OpCode
	for op := OpCode(-2000); op < 2000; op++ {
		if op.Known() {
			known = append(known, op)
		}
		if op.IsWrite() {
			writes = append(writes, op)
		}
	}
	if want := []OpCode{-11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 21, 22, 71, 100, 101, 102, 103, 104, 105, 106, 107}; !slices.Equal(known, want) {
		t.Errorf("known: %d, want %d", known, want)
	}
	if want := []OpCode{-11, -10, 1, 2, 5, 7, 14, 15, 16, 19, 20, 21}; !slices.Equal(writes, want) {
		t.Errorf("writes: %d, want %d", writes, want)
	}
	if OpGetData.String() != "getData" || OpCode(999).String() != "op(999)" || OpGetChildren2.ShortName() != "GETC" || OpAuth.ShortName() != "NA" {
		t.Error(OpGetData, OpCode(999), OpGetChildren2.ShortName(), OpAuth.ShortName())
	}
}

func TestErrCodes(t *testing.T) {
	if OK.Err() != nil || ErrNoNode.Err() != ErrNoNode {
		t.Error(OK.Err(), ErrNoNode.Err())
	}
	if s := ErrNoNode.Error(); s != "KeeperErrorCode = NoNode" {
		t.Error(s)
	}
	if s := ErrCode(-55).String(); s != "Unknown(-55)" {
		t.Error(s)
	}
}
