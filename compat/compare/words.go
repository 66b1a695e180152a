package compare

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// word returns the answer to a four-letter word in canonical form: numbers that measure time,
// bytes on disk or the process become N, ports P, directories DIR, versions VERSION and dates DATE;
// zxids and session ids become as in a transcript; lines that have no order are sorted.
// What is counted (requests, connections, nodes, watches) stays.
func (c *Canon) word(word, text string) string {
	switch word[:min(4, len(word))] {
	case "conf":
		return each(text, confLine)
	case "cons":
		return sortLines(each(text, c.connectionLine))
	case "dirs":
		return each(text, func(line string) string { return numbers.ReplaceAllString(line, "N") })
	case "dump":
		return c.dump(text)
	case "envi":
		return each(text, func(line string) string {
			if key, _, ok := strings.Cut(line, "="); ok {
				return key + "=V"
			}
			return line
		})
	case "hash":
		return hashText(text)
	case "mntr":
		return monitorText(text)
	case "srvr", "stat":
		return c.serverText(text)
	case "wchc", "wchp":
		return c.watchText(text)
	}
	return text
}

// The patterns are compiled when the package is loaded and never change.
var (
	numbers     = regexp.MustCompile(`-?\d+(\.\d+)?`)
	remotePort  = regexp.MustCompile(`(/127\.0\.0\.1):\d+`)
	hexNumber   = regexp.MustCompile(`0x[0-9a-f]+`)
	measured    = regexp.MustCompile(`\b(queued|est|lresp|llat|minlat|avglat|maxlat)=-?\d+`)
	interest    = regexp.MustCompile(`\[[01]\]\(queued`)
	lastZxid    = regexp.MustCompile(`\blzxid=0x([0-9a-f]+)`)
	versionAt   = regexp.MustCompile(`ersion: .*, built on .*`)
	javaDate    = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [A-Z]+ \d{4}`)
	bucketLine  = regexp.MustCompile(`^\d+ expire at DATE:$`)
	timeoutLine = regexp.MustCompile(`^\S+\t\d+ms$`)
	setsLine    = regexp.MustCompile(`Sets \(\d+\)/`)
	memberAddr  = regexp.MustCompile(`^[^:]+:\d+:\d+`)
	digestLine  = regexp.MustCompile(`^[0-9a-f]+: [0-9]+$`)
)

// each applies f to every line.
func each(text string, f func(string) string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = f(line)
		}
	}
	return strings.Join(lines, "\n")
}

// sortLines sorts the lines that have text, and leaves empty ones where they are.
func sortLines(text string) string {
	lines := strings.Split(text, "\n")
	var full []string
	for _, line := range lines {
		if line != "" {
			full = append(full, line)
		}
	}
	slices.Sort(full)
	for i, line := range lines {
		if line != "" {
			lines[i], full = full[0], full[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// sid writes the session id in hex as in a transcript.
func (c *Canon) sid(hex string) string {
	id, err := strconv.ParseUint(strings.TrimPrefix(hex, "0x"), 16, 64)
	if err != nil || id == 0 {
		return hex
	}
	return sessionText(c.session(int64(id)))
}

func confLine(line string) string {
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return line
	}
	switch key {
	case "clientPort", "secureClientPort":
		if value != "-1" {
			value = "P"
		}
	case "dataDir", "dataLogDir":
		if rest, ok := strings.CutSuffix(value, "/data/version-2"); ok && rest != "" {
			value = "DIR/data/version-2"
		}
	case "dataDirSize", "dataLogSize":
		value = numbers.ReplaceAllString(value, "N")
	case "electionPort", "quorumPort":
		value = "P"
	case "serverId":
		if value != "0" { // who leads is up to the clock
			value = "N"
		}
	}
	if strings.HasPrefix(key, "server.") {
		value = memberAddr.ReplaceAllString(value, "HOST:P:P")
	}
	return key + "=" + value
}

// connectionLine is a line of cons or stat.
func (c *Canon) connectionLine(line string) string {
	line = remotePort.ReplaceAllString(line, "$1:P")
	line = measured.ReplaceAllString(line, "$1=N")
	line = interest.ReplaceAllString(line, "[N](queued")
	line = lastZxid.ReplaceAllStringFunc(line, func(s string) string {
		z, err := strconv.ParseUint(s[len("lzxid=0x"):], 16, 64)
		if err != nil {
			return s
		}
		return "lzxid=" + zxidText(c.zxid(int64(z)))
	})
	if before, rest, ok := strings.Cut(line, "sid=0x"); ok {
		hex, after, _ := strings.Cut(rest, ",")
		line = before + "sid=" + c.sid(hex) + "," + after
	}
	return line
}

// hashText keeps, of the answer to hash, the lines that are not of its form: at which zxids there is one
// depends on where they began.
func hashText(text string) string {
	var wrong strings.Builder
	for line := range strings.Lines(text) {
		if !digestLine.MatchString(strings.TrimSuffix(line, "\n")) {
			wrong.WriteString(line)
		}
	}
	return wrong.String()
}

// dump merges the buckets of each table: how sessions fall into them is up to the clock.
func (c *Canon) dump(text string) string {
	var out, bucket []string
	flush := func() {
		slices.Sort(bucket)
		out, bucket = append(out, bucket...), nil
	}
	inBucket, title := false, false
	for _, line := range strings.Split(text, "\n") {
		line = javaDate.ReplaceAllString(line, "DATE")
		line = remotePort.ReplaceAllString(line, "$1:P")
		line = setsLine.ReplaceAllString(line, "Sets (N)/")
		line = hexNumber.ReplaceAllStringFunc(line, c.sid)
		switch {
		case bucketLine.MatchString(line):
			title = title || !inBucket // told with the first in it: the original keeps buckets that have become empty
			inBucket = true
		case strings.HasPrefix(line, "\t") || timeoutLine.MatchString(line):
			if title {
				out, title = append(out, "N expire at DATE:"), false
			}
			bucket = append(bucket, line)
		default:
			flush()
			inBucket, title = false, false
			out = append(out, line)
		}
	}
	flush()
	return sortGroups(strings.Join(out, "\n"), "ephemeral nodes dump:\n", "Connections dump:\n")
}

// sortGroups sorts, between the lines from and to, groups of a line and lines that belong to it behind a
// tab; the first line after from stays where it is.
func sortGroups(text, from, to string) string {
	head, rest, ok := strings.Cut(text, from)
	body, tail, ok2 := strings.Cut(rest, to)
	title, body, ok3 := strings.Cut(body, "\n")
	if !ok || !ok2 || !ok3 {
		return text
	}
	return head + from + title + "\n" + strings.Join(groups(strings.TrimSuffix(body, "\n")), "\n") + "\n" + to + tail
}

// groups cuts text before every line that does not begin with a tab, sorts the lines of each group
// behind its first, and the groups.
func groups(text string) []string {
	var all []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "\t") && len(all) > 0 {
			all[len(all)-1] += "\n" + line
			continue
		}
		all = append(all, line)
	}
	for i, g := range all {
		if first, rest, ok := strings.Cut(g, "\n"); ok {
			all[i] = first + "\n" + sortLines(rest)
		}
	}
	slices.Sort(all)
	return all
}

// counted are the keys of mntr whose values two servers must agree on.
func counted() []string {
	return []string{
		"zk_server_state", "zk_num_alive_connections", "zk_outstanding_requests", "zk_znode_count", "zk_watch_count", "zk_ephemerals_count",
		"zk_approximate_data_size", "zk_global_sessions", "zk_local_sessions", "zk_packets_received", "zk_packets_sent",
		"zk_auth_failed_count", "zk_connection_request_count",
		"zk_last_client_response_size", "zk_max_client_response_size", "zk_min_client_response_size",
		"zk_peer_state", "zk_quorum_size", "zk_learners", "zk_synced_followers", "zk_synced_non_voting_followers", "zk_synced_observers", "zk_pending_syncs",
	}
}

// measuredKeys are those that dashboards ask for and whose values are up to the clock and the process. The
// keys that are in neither list measure the parts that the original is made of, and pass.
func measuredKeys() []string {
	return []string{
		"zk_version", "zk_avg_latency", "zk_max_latency", "zk_min_latency", "zk_open_file_descriptor_count", "zk_max_file_descriptor_count", "zk_uptime",
		"zk_avg_readlatency", "zk_p50_readlatency", "zk_p99_readlatency", "zk_avg_updatelatency", "zk_p50_updatelatency", "zk_p99_updatelatency",
		"zk_avg_fsynctime", "zk_cnt_fsynctime",
		"zk_leader_uptime", "zk_last_proposal_size", "zk_max_proposal_size", "zk_min_proposal_size",
	}
}

// monitorText keeps, of the answer to mntr, the lines of keys that are compared, sorted.
func monitorText(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		key, _, ok := strings.Cut(line, "\t")
		switch {
		case !ok || slices.Contains(counted(), key):
			lines = append(lines, line)
		case slices.Contains(measuredKeys(), key):
			lines = append(lines, key+"\tN\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// serverText is the answer to srvr or stat. The connections are sorted.
func (c *Canon) serverText(text string) string {
	text = versionAt.ReplaceAllString(text, "ersion: VERSION, built on DATE")
	head, rest, ok := strings.Cut(text, "Clients:\n")
	if ok {
		clients, tail, _ := strings.Cut(rest, "\n\n")
		text = head + "Clients:\n" + sortLines(each(clients, c.connectionLine)) + "\n\n" + tail
	}
	return each(text, func(line string) string {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Latency min/avg/max", "Proposal sizes last/min/max":
			return key + ": " + numbers.ReplaceAllString(value, "N")
		case "Zxid":
			z, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), 16, 64)
			if err != nil {
				return line
			}
			if z == 0 {
				return key + ": old" // a server that knows epochs has none of 0
			}
			return fmt.Sprintf("%s: %s", key, zxidText(c.zxid(int64(z))))
		}
		return line
	})
}

// watchText is the answer to wchc or wchp: a line, and lines that belong to it behind a tab.
func (c *Canon) watchText(text string) string {
	text = hexNumber.ReplaceAllStringFunc(strings.TrimSuffix(text, "\n"), c.sid)
	return strings.Join(groups(text), "\n") + "\n"
}
