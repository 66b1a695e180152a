package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progressBar draws how far something is on a terminal; on anything else it is silent.
type progressBar struct {
	w     io.Writer // nil if silent
	what  string
	unit  func(int64) string
	began time.Time
	drawn time.Time
}

const (
	barWidth   = 30
	barRefresh = 100 * time.Millisecond
)

func newProgressBar(w io.Writer, what string, unit func(int64) string) *progressBar {
	p := &progressBar{what: what, unit: unit, began: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// at redraws the bar, ten times a second at most. Nothing depends on whether the terminal takes it.
func (p *progressBar) at(done, total int64) {
	now := time.Now()
	if p.w == nil || now.Sub(p.drawn) < barRefresh || total <= 0 {
		return
	}
	p.drawn = now
	share := min(float64(done)/float64(total), 1)
	full := int(share * barWidth)
	left := ""
	if took := now.Sub(p.began); share > 0.02 && took > time.Second {
		left = fmt.Sprintf("  %s left", time.Duration(float64(took)*(1-share)/share).Round(time.Second))
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s [%s%s] %3.0f %%  %s of %s%s", p.what, strings.Repeat("#", full),
		strings.Repeat(".", barWidth-full), share*100, p.unit(done), p.unit(total), left)
}

// end takes the bar off.
func (p *progressBar) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func bytesText(n int64) string {
	const unit = 1 << 10
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < 3 {
		v, i = v/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[i])
}

func countText(n int64) string { return fmt.Sprint(n) }
