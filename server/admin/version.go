package admin

import (
	"runtime/debug"
	"strings"
	"time"
)

// Compatible is the release of ZooKeeper whose behaviour Holt has. It comes
// first in every version text, since tools take the numbers there to decide
// what a server can do: kazoo, Curator and Nagios checks among them.
const Compatible = "3.9.4"

// BuildVersion returns Holt's own version, as 1.0.0 or a commit's first digits,
// and when the sources were committed; zero if the build does not tell.
func BuildVersion() (version string, date time.Time) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", time.Time{}
	}
	version = strings.TrimPrefix(info.Main.Version, "v")
	revision, modified := "", false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			modified = s.Value == "true"
		case "vcs.time":
			date, _ = time.Parse(time.RFC3339, s.Value) // zero if it is none
		}
	}
	// A version of the form 0.0.0-time-commit says the same at greater length.
	if version == "" || version == "(devel)" || strings.HasPrefix(version, "0.0.0-") {
		version = "dev"
		if revision != "" {
			version = revision
		}
		if modified {
			version += "+changes"
		}
	}
	return version, date
}

// Version is the text behind "Zookeeper version: ", in the original's form:
// "3.9.4-holt-<version>, built on <date>".
func Version() string {
	version, date := BuildVersion()
	built := "unknown"
	if !date.IsZero() {
		built = date.UTC().Format("2006-01-02 15:04 MST")
	}
	return Compatible + "-holt-" + version + ", built on " + built
}
