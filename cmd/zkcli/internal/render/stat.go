package render

import (
	"fmt"
	"strings"
	"time"

	"holt/wire"
)

// Stat is a wire.Stat for JSON and YAML: numbers that are read as hexadecimal are
// strings, and times are RFC 3339 in UTC.
type Stat struct {
	Czxid          string `json:"czxid"`
	Ctime          string `json:"ctime"`
	Mzxid          string `json:"mzxid"`
	Mtime          string `json:"mtime"`
	Pzxid          string `json:"pzxid"`
	Cversion       int32  `json:"cversion"`
	DataVersion    int32  `json:"dataVersion"`
	ACLVersion     int32  `json:"aclVersion"`
	EphemeralOwner string `json:"ephemeralOwner"`
	DataLength     int32  `json:"dataLength"`
	NumChildren    int32  `json:"numChildren"`
}

// NewStat converts s.
func NewStat(s *wire.Stat) *Stat {
	return &Stat{
		Czxid: s.Czxid.String(), Ctime: Time(s.Ctime),
		Mzxid: s.Mzxid.String(), Mtime: Time(s.Mtime),
		Pzxid: s.Pzxid.String(), Cversion: s.Cversion, DataVersion: s.Version, ACLVersion: s.Aversion,
		EphemeralOwner: wire.SessionID(s.EphemeralOwner).String(), DataLength: s.DataLength, NumChildren: s.NumChildren,
	}
}

// Time is the time of milliseconds since 1970, in UTC.
func Time(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// StatText writes s as zkCli.sh does (StatPrinter). Times are in zone, which may be
// nil for the local one.
func StatText(p *Page, s *wire.Stat, zone *time.Location) {
	p.Printf("cZxid = %s\nctime = %s\nmZxid = %s\nmtime = %s\npZxid = %s\n",
		s.Czxid, javaDate(s.Ctime, zone), s.Mzxid, javaDate(s.Mtime, zone), s.Pzxid)
	p.Printf("cversion = %d\ndataVersion = %d\naclVersion = %d\nephemeralOwner = %s\ndataLength = %d\nnumChildren = %d\n",
		s.Cversion, s.Version, s.Aversion, wire.SessionID(s.EphemeralOwner), s.DataLength, s.NumChildren)
}

// javaDate is java.util.Date.toString.
func javaDate(millis int64, zone *time.Location) string {
	if zone == nil {
		zone = time.Local
	}
	return time.UnixMilli(millis).In(zone).Format("Mon Jan 02 15:04:05 MST 2006")
}

// Bytes is a size for people: 412 B, 1.2 KiB.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}

var units = [...]string{"KiB", "MiB", "GiB", "TiB"}

// Ago is a duration for people, in its largest unit: 3 h, 12 min.
func Ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// JavaList is java.util.AbstractCollection.toString: [a, b].
func JavaList(items []string) string { return "[" + strings.Join(items, ", ") + "]" }
