package zkcli

import (
	"fmt"
	"regexp"
	"strings"
)

// turn is what one line of a session wrote.
type turn struct {
	line           string
	stdout, stderr string
}

// transcript is what a session wrote, taken apart.
type transcript struct {
	greeting string // before the first prompt
	turns    []turn
	events   []string
	exitCode int
}

// marker is a command whose complaint on stderr holds a number. It changes nothing at the
// server and takes no zxid.
func marker(n int) string { return fmt.Sprintf("listquota /marker-%d", n) }

var (
	markerEcho = regexp.MustCompile(`^listquota /marker-\d+$`)
	markerTalk = regexp.MustCompile(`absolute path is (?:/\w+)?/zookeeper/quota/marker-(\d+)/zookeeper_limits\nquota for /marker-\d+ does not exist\.\n`)
	prompt     = regexp.MustCompile(`(?m)^\[zk: \S*\((?:CONNECTED|CLOSED|AUTH_FAILED)\) \d+\] `)
	eventLine  = regexp.MustCompile(`\n(?:WATCHER::|(WatchedEvent [^\n]*))\n`)
	logLine    = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} (?:WARN|ERROR) [^\n]*\n`)
	dateLine   = regexp.MustCompile(`(?m)^(ctime|mtime) = .*$`)
	sessionID  = regexp.MustCompile(`(?m)^ephemeralOwner = 0x[0-9a-f]{2,}$`)
	zxidLine   = regexp.MustCompile(`(?m)^([cmp]Zxid) = 0x[0-9a-f]+$`)
)

// withMarkers puts a marker behind each line.
func withMarkers(lines []string) []string {
	var all []string
	for i, line := range lines {
		all = append(all, line, marker(i))
	}
	return all
}

// takeApart reads the two streams of a session into which withMarkers(lines) was piped, from
// a program that was connected to server.
func takeApart(lines []string, server, stdout, stderr string) (*transcript, error) {
	t := &transcript{}
	stdout, t.events = takeEvents(plain(server, stdout))
	stderr = plain(server, stderr)
	// The state is that of a moment, and there is no saying which.
	stdout = strings.ReplaceAll(stdout, "(CONNECTING)", "(CONNECTED)")

	parts := splitAt(prompt, stdout)
	t.greeting = parts[0]
	for _, part := range parts[1:] {
		echo, text, echoed := strings.Cut(part, "\n")
		if !echoed {
			break // the prompt at which the input ended
		}
		if markerEcho.MatchString(echo) {
			if n := len(t.turns); n > 0 && text != "" && !strings.HasSuffix(t.turns[n-1].stdout, text) {
				t.turns[n-1].stdout += text // "Not connected", once more
			}
			continue
		}
		t.turns = append(t.turns, turn{line: echo, stdout: text})
	}
	if err := t.assignTalk(lines, stderr); err != nil {
		return nil, err
	}
	return t, nil
}

// assignTalk gives each line its part of stderr.
func (t *transcript) assignTalk(lines []string, stderr string) error {
	at, from := 0, 0
	for _, m := range markerTalk.FindAllStringSubmatchIndex(stderr, -1) {
		var n int
		if _, err := fmt.Sscan(stderr[m[2]:m[3]], &n); err != nil {
			return err
		}
		if n >= len(t.turns) {
			return fmt.Errorf("marker %d, but only %d lines were echoed", n, len(t.turns))
		}
		// Lines between the last marker and this one had no session, so they said nothing here.
		t.turns[n].stderr = stderr[from:m[0]]
		at, from = n+1, m[1]
	}
	if rest := stderr[from:]; rest != "" && at < len(t.turns) {
		t.turns[at].stderr += rest
	}
	for i := range t.turns {
		if i < len(lines) && t.turns[i].line != lines[i] {
			return fmt.Errorf("line %d is %q, was echoed as %q", i, lines[i], t.turns[i].line)
		}
	}
	return nil
}

// takeEvents removes events from a text and returns them.
func takeEvents(text string) (rest string, events []string) {
	for _, m := range eventLine.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			events = append(events, m[1])
		}
	}
	return eventLine.ReplaceAllString(text, ""), events
}

// plain takes out what differs from run to run.
func plain(server, text string) string {
	// The original's line editor takes the pipe for a terminal of 80 columns and begins a new
	// row in the middle of a word.
	text = strings.ReplaceAll(text, " \r", "")
	text = strings.ReplaceAll(text, server, "SERVER")
	text = logLine.ReplaceAllString(text, "")
	text = dateLine.ReplaceAllString(text, "$1 = DATE")
	return sessionID.ReplaceAllString(text, "ephemeralOwner = SESSION")
}

func splitAt(re *regexp.Regexp, text string) []string {
	var parts []string
	from := 0
	for _, m := range re.FindAllStringIndex(text, -1) {
		parts = append(parts, text[from:m[0]])
		from = m[1]
	}
	return append(parts, text[from:])
}
