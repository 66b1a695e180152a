package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := &progressBar{w: &out, what: "import", unit: bytesText, began: time.Now().Add(-10 * time.Second)}
	p.at(3<<20, 12<<20)
	p.at(4<<20, 12<<20) // too soon after the last one
	p.end()
	if got, want := out.String(), "\r\x1b[Kimport [#######.......................]  25 %  3.0 MiB of 12.0 MiB  30s left\r\x1b[K"; got != want {
		t.Errorf("drew %q, want %q", got, want)
	}
	out.Reset()
	silent := newProgressBar(&out, "import", bytesText)
	silent.at(1, 2)
	silent.end()
	if out.Len() > 0 {
		t.Errorf("drew %q on what is no terminal", out.String())
	}
}

func TestBytesText(t *testing.T) {
	var got []string
	for _, n := range []int64{0, 1023, 1024, 1536, 5 << 20, 3 << 30, 2 << 40, 5000 << 40} {
		got = append(got, bytesText(n))
	}
	if got, want := strings.Join(got, ", "), "0 B, 1023 B, 1.0 KiB, 1.5 KiB, 5.0 MiB, 3.0 GiB, 2.0 TiB, 5000.0 TiB"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
