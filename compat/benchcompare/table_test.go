package main

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tc.values); got != tc.want {
			t.Errorf("median(%v) = %v, want %v", tc.values, got, tc.want)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		b               bound
		holt, zookeeper float64
		want            bool
	}{
		{atMost(0.5, "1/2"), 5, 10, true},
		{atMost(0.5, "1/2"), 5.1, 10, false},
		{atLeast(3, "3"), 30, 10, true},
		{atLeast(3, "3"), 29, 10, false},
		{atLeast(3, "3"), 29, 0, false},
		{atMostOwn(0, "0"), 0, 100, true},
		{atMostOwn(0, "0"), 1, 100, false},
		{bound{}, 100, 1, true},
	} {
		if got := tc.b.met(tc.holt, tc.zookeeper); got != tc.want {
			t.Errorf("%v and %v: met %q = %v", tc.holt, tc.zookeeper, tc.b.written, got)
		}
	}
}

func TestTable(t *testing.T) {
	rows := []row{
		{"get", "CPU", "µs", 3.1415, 15, atMost(1./3, "1/3")},
		{"fill", "restart", "ms", 1500, 0, atMostOwn(1000, "1 s")},
	}
	var md, text strings.Builder
	if err := writeMarkdown(&md, rows); err != nil {
		t.Fatal(err)
	}
	want := `| load | figure | Holt | ZooKeeper | ratio | must | met |
|---|---|---|---|---|---|---|
| get | CPU | 3.14 µs | 15 µs | 0.209 | ≤ 1/3 | yes |
| fill | restart | 1500 ms | – |  | ≤ 1 s | NO |
`
	if md.String() != want {
		t.Errorf("markdown:\n%s\nwant:\n%s", md.String(), want)
	}
	if err := writeText(&text, rows); err != nil || !strings.Contains(text.String(), "15 µs") {
		t.Errorf("text: %v\n%s", err, text.String())
	}
}

func TestReplaceTable(t *testing.T) {
	marked := "a\n" + tableBegin + "old\n" + tableEnd + "b\n"
	if got, want := replaceTable(marked, "new\n"), "a\n"+tableBegin+"new\n"+tableEnd+"b\n"; got != want {
		t.Errorf("replaced: %q, want %q", got, want)
	}
	if got, want := replaceTable("a\n", "new\n"), "a\n"+tableBegin+"new\n"+tableEnd; got != want {
		t.Errorf("appended: %q, want %q", got, want)
	}
}
